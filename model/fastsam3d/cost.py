"""What a network costs: parameters, time and memory of its encoder, and on which machine."""

import json
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from . import __version__
from .hardware import processor
from .taps import encoder_of
from .teacher import Teacher

REPEATS = 7
_WARM_UP = 2


class Cost(NamedTuple):
    """What encoding one patch costs.

    parameters: of the whole network; encoder_parameters: of the encoder.
    milliseconds: the median of `REPEATS`.
    peak_mb: the most that tensors held at once, beside the weights; None where it is not known.
    """

    parameters: int
    encoder_parameters: int
    milliseconds: float
    peak_mb: float | None


def encoder_cost(asked: Teacher) -> Cost:
    """Measure a network's encoder on the device that it is on, in float32."""
    network, device = asked.network, asked.network.device
    patch = torch.randn(1, 1, *(network.patch_size,) * 3, device=device)

    @torch.inference_mode()
    def encode() -> Any:
        return network.embed(patch)

    for _ in range(_WARM_UP):
        encode()
    seconds = [_seconds(encode, device) for _ in range(REPEATS)]
    return Cost(
        _parameters(network),
        _parameters(encoder_of(network)),
        1000 * median(seconds),
        _peak_mb(encode, device),
    )


def machine() -> str:
    """Name the machine and the versions that figures belong to."""
    gpus = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    parts = [
        processor(),
        f"{os.cpu_count()} CPUs, {torch.get_num_threads()} threads in use",
        *gpus,
        platform.platform(terse=True),
        f"Python {platform.python_version()}",
        f"torch {torch.__version__}",
        f"fastsam3d {__version__}",
    ]
    return "; ".join(parts)


def _parameters(part: nn.Module) -> int:
    return sum(value.numel() for value in part.parameters())


def _seconds(action: Callable[[], Any], device: torch.device) -> float:
    start = perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - start


def _peak_mb(action: Callable[[], Any], device: torch.device) -> float | None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        action()
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    return _traced_peak(action) / 1e6 if device.type == "cpu" else None


def _traced_peak(action: Callable[[], Any]) -> int:
    """Return the most bytes that what an action allocates on the CPU holds at once."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it talks on standard error
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        action()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        trace.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    changes = [event for event in events if event.get("name") == "[memory]"]
    held = most = 0
    for event in sorted(changes, key=lambda event: float(event["ts"])):
        held += int(event["args"]["Bytes"])
        most = max(most, held)
    return most
