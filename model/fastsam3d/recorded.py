"""A function of tensors, recorded as a CUDA graph for each shape that it gets, and replayed.

A small network's time on a GPU is the time to launch its hundreds of kernels; a graph is one.
"""

import logging
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .errors import out_of_memory

Tensors = tuple[Tensor, ...]
Function = Callable[..., Tensors]
Replay = Callable[[], None]
Record = Callable[[Function, Tensors], tuple[Tensors, Replay]]

WARM_UP = 3
"""Runs before the recording, in which libraries choose their kernels and take their memory."""

_RECORDING = Lock()
"""Only one recording may be under way in a process."""

log = logging.getLogger(__name__)


class Take(NamedTuple):
    """One recording: where its inputs are read from, its outputs written, and what repeats it."""

    inputs: Tensors
    outputs: Tensors
    replay: Replay


class Recorded:
    """A function that is recorded at the first call with inputs of some shapes.

    Safe to call from several threads, one after the other, on the device's default stream, which is
    theirs unless they chose another. What cannot be recorded, for want of memory or because an
    operation does not allow it, is run as it is.
    """

    def __init__(
        self, function: Function, device: torch.device, record: Record | None = None
    ) -> None:
        """Take a function.

        Args:
            function: of tensors on the device; inputs of the same shapes give the same kernels, and
                nothing in it waits for the device.
            device: where it runs.
            record: runs the function and returns its outputs and what repeats it; by default
                `record_cuda`.
        """
        self._function, self._device = function, device
        self._record = record or record_cuda
        self._takes: dict[tuple[object, ...], Take | None] = {}
        self._lock = Lock()

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> Tensors:
        """Return the function's outputs of inputs from any device, which are the caller's own."""
        with self._lock:
            take = self._take(inputs)
            if take is None:
                return self._function(*(each.to(self._device) for each in inputs))
            for own, given in zip(take.inputs, inputs, strict=True):
                own.copy_(given, non_blocking=True)
            take.replay()
            return tuple(each.clone() for each in take.outputs)

    def _take(self, inputs: Tensors) -> Take | None:
        key = tuple((each.shape, each.dtype) for each in inputs)
        if key in self._takes:
            return self._takes[key]
        own = tuple(each.to(self._device, copy=True) for each in inputs)
        take: Take | None = None
        try:
            take = Take(own, *self._record(self._function, own))
        except RuntimeError as error:
            full = out_of_memory(error)
            if not full:
                log.warning("This is run without a CUDA graph, and so more slowly: %s", error)
        else:
            full = False
        if full:
            # What is recorded so far may be all that is in the way; next time it may fit.
            self._takes.clear()
            torch.cuda.empty_cache()
        else:
            self._takes[key] = take
        return take


def record_cuda(function: Function, inputs: Tensors) -> tuple[Tensors, Replay]:
    """Record a function as a CUDA graph that reads these inputs, which stay where they are.

    Weights that the function reads must stay in their place, too, and with their values.

    Raises:
        RuntimeError: the device has no room, or an operation cannot be recorded.
    """
    with _RECORDING, torch.cuda.device(inputs[0].device):
        before = torch.cuda.current_stream()
        aside = _aside(inputs[0].device)
        try:
            aside.wait_stream(before)
            with torch.cuda.stream(aside):
                for _ in range(WARM_UP):
                    function(*inputs)
            before.wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile.
            with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
                outputs = function(*inputs)
        finally:
            torch.cuda.set_stream(before)  # which a recording that fails leaves aside
    return outputs, graph.replay


@cache
def _aside(device: torch.device) -> Any:
    """Return the stream of a device's recordings: each stream takes memory of its own."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
