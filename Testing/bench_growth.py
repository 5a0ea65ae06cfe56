"""How time and memory grow with volumes, clicks, segments and patches: straight lines or better."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch

from fastsam3d.benchmark.clock import peak_mb, resident_mb

T = TypeVar("T")
Unit = Literal["ms", "MB"]
Fresh = Callable[..., Any]
"""Calls a function of a module with arguments, where nothing was done before."""

LEAST = 1e-3
"""ms or MB that are added, as nothing can be compared with 0."""
PEAK = Path("/proc/self/clear_refs")
"""Linux forgets the peak of a process that writes 5 here."""
STRAIGHT = 1.25
"""So many times what a straight line says, the largest size may take: times vary."""


@dataclass(frozen=True)
class Curve:
    """How one thing grows.

    points: (size, value) pairs, from the smallest size on.
    """

    what: str
    unit: Unit
    points: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, what: str, unit: Unit, sizes: Sequence[float], values: Sequence[float]) -> "Curve":
        """Pair sizes with values."""
        return cls(what, unit, tuple(zip(sizes, values, strict=True)))

    @property
    def power(self) -> float:
        """Return the p of size^p that fits all points best; NaN where a value is not above 0."""
        sizes, values = np.array(self.points).T
        if values.min() <= 0:
            return float("nan")
        return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])

    @property
    def as_power(self) -> str:
        """Write that power; nothing where there is none."""
        return "" if math.isnan(self.power) else f" as size^{self.power:.2f}"

    @property
    def line(self) -> tuple[float, float]:
        """Return the start and the slope of a straight line through the smaller sizes.

        Through those up to half of the largest, two at least. It never falls.
        """
        sizes, values = np.array(self.points).T
        few = slice(0, max(2, int((sizes <= sizes[-1] / 2).sum())))
        slope = max(0.0, float(np.polyfit(sizes[few], values[few], 1)[0]))
        return float(values[few].mean() - slope * sizes[few].mean()), slope

    @property
    def excess(self) -> float:
        """Return how many times what that line says the largest size takes."""
        start, slope = self.line
        size, value = self.points[-1]
        return (value + LEAST) / (start + slope * size + LEAST)

    @property
    def is_straight(self) -> bool:
        """Tell whether this grows no faster than a straight line."""
        return self.excess <= STRAIGHT

    @property
    def verdict(self) -> str:
        """Say how this grows."""
        kind = {"ms": "time", "MB": "memory"}[self.unit]
        outcome = "no faster" if self.is_straight else "FASTER"
        return (
            f"{self.what}: {kind} grows{self.as_power}, {outcome} than a straight line "
            f"through the smaller sizes (at the largest {self.excess:.2f} of it)"
        )


@dataclass(frozen=True)
class Panel:
    """Curves over one size.

    along: what the size counts.
    names: of the sizes.
    """

    title: str
    along: str
    names: tuple[str, ...]
    curves: tuple[Curve, ...]

    def of_unit(self, unit: Unit) -> list[Curve]:
        """Return the curves of time, ms, or of memory, MB."""
        return [curve for curve in self.curves if curve.unit == unit]


def freshly(action: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a fresh process, with as many threads as here."""
    threads = (torch.get_num_threads(),)
    with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, threads) as pool:
        return pool.submit(action, *arguments).result()


def most_mb(action: Callable[[], Any]) -> float:
    """Return the MB that an action takes at most; 0 if the system does not tell.

    On Linux what was held and given back before does not count.
    """
    before = resident_mb()
    if PEAK.exists():
        PEAK.write_text("5")
    action()
    peak = peak_mb()
    return 0.0 if before is None or peak is None else max(0.0, peak - before)
