"""Time and memory of an action on a device."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from .measurement import FEWEST_RUNS

_WARM_UP_PASSES = 3
_FEWEST_WARM_UP_PASSES = 2
"""Also of what is slow: on a GPU the first pass alone may take longer than all others together."""

_WARM_UP_S = 1.0


def milliseconds(action: Callable[[], Any], device: torch.device) -> float:
    """Time an action until the device has done all of it: with CUDA's events, or with a clock."""
    if device.type == "cuda":
        return _between_events(action, device)
    _wait_for(device)
    start = perf_counter()
    action()
    _wait_for(device)
    return 1000 * (perf_counter() - start)


def times(
    action: Callable[[], Any], device: torch.device, *, passes: int, runs: int, seconds: float
) -> list[float]:
    """Time runs of an action, after passes that do not count.

    Args:
        action: one pass.
        device: that it works on.
        passes: of one run.
        runs: how many to time.
        seconds: after which no further run begins, once there are `FEWEST_RUNS`.

    Returns:
        Milliseconds of each run.
    """
    _warm_up(action, device)

    def run() -> None:
        for _ in range(passes):
            action()

    found: list[float] = []
    while len(found) < min(runs, FEWEST_RUNS) or (
        len(found) < runs and sum(found) < 1000 * seconds
    ):
        found.append(milliseconds(run, device))
    return found


class Memory:
    """The most memory that this process holds for its network, counted from where this is made."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._before = resident_mb()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    @property
    def kind(self) -> str:
        """Say what is measured."""
        if self.device.type == "cuda":
            return "the most that tensors held on the GPU"
        if self.device.type == "mps":
            return "what Metal had given by the end"
        return "peak resident memory of a fresh process, less what it held before the network"

    def peak_mb(self) -> float | None:
        """Return the peak in 10⁶ bytes; None if the system does not tell."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 1e6
        if self.device.type == "mps":
            return torch.mps.driver_allocated_memory() / 1e6
        peak = peak_mb()
        return None if peak is None or self._before is None else peak - self._before


def resident_mb() -> float | None:
    """Return the memory of this process in 10⁶ bytes; where it is not told, the most so far."""
    return _told("VmRSS") or peak_mb()


def peak_mb() -> float | None:
    """Return the most memory this process has had, in 10⁶ bytes; None if the system is silent."""
    # On Linux, getrusage counts what the parent had before this process began.
    return _told("VmHWM") or _used_mb()


def _told(name: str) -> float | None:
    """Read one figure that Linux keeps of this process."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    kib = next((line.split()[1] for line in lines if line.startswith(name)), None)
    return None if kib is None else int(kib) * 1024 / 1e6


def _used_mb() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _warm_up(action: Callable[[], Any], device: torch.device) -> None:
    spent = 0.0
    for done in range(_WARM_UP_PASSES):
        if done < _FEWEST_WARM_UP_PASSES or spent < 1000 * _WARM_UP_S:
            spent += milliseconds(action, device)


def _between_events(action: Callable[[], Any], device: torch.device) -> float:
    with torch.cuda.device(device):
        start, end = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        start.record()
        action()
        end.record()
        end.synchronize()
    return float(start.elapsed_time(end))


def _wait_for(device: torch.device) -> None:
    if device.type == "mps":
        torch.mps.synchronize()
