"""What a device can do at its best: the limit that speeds are told beside."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from ..fastest import candidates
from ..hardware import device_name
from ..precision import DTYPES
from .clock import times

SIDES = {"cuda": 8192, "cpu": 1536, "mps": 4096}
"""Of the matrices that are multiplied."""

COPIED_BYTES = {"cuda": 1 << 31, "cpu": 1 << 28, "mps": 1 << 28}
"""Far beyond what caches hold."""


@dataclass(frozen=True)
class Ceilings:
    """A device's measured best.

    Attributes:
        device: its name.
        operations: a second, by precision, of a large matrix product.
        bytes_moved: a second, read and written, of a large copy.
    """

    device: str
    operations: dict[torch.dtype, float]
    bytes_moved: float


@cache
def measured(device: torch.device) -> Ceilings:
    """Measure a device, once in a process."""
    precisions = ("float32", *candidates(device))
    rates = {DTYPES[each]: _multiplied(device, DTYPES[each]) for each in precisions}
    return Ceilings(device_name(device), rates, _copied(device))


def least_ms(operations: int, held: int, dtype: torch.dtype, ceilings: Ceilings) -> float:
    """Return the ms of so many operations, or of reading so many bytes, whichever is longer."""
    return 1000 * max(operations / ceilings.operations[dtype], held / ceilings.bytes_moved)


def _multiplied(device: torch.device, dtype: torch.dtype) -> float:
    side = SIDES[device.type]
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / _seconds(lambda: F.linear(a, b), device)


def _copied(device: torch.device) -> float:
    source = torch.zeros(COPIED_BYTES[device.type] // 4, device=device)
    target = torch.empty_like(source)
    return 2 * COPIED_BYTES[device.type] / _seconds(lambda: target.copy_(source), device)


def _seconds(action: Callable[[], Any], device: torch.device) -> float:
    with torch.inference_mode():
        return min(times(action, device, passes=1, runs=20, seconds=1.0)) / 1000
