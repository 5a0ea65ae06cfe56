"""What a row of the benchmark is, and how it is timed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One thing timed in two forms, in ms.

    `limit` is what the first must not exceed; `least_gain` is how many times faster than the second
    it must be.
    """

    what: str
    ours: float
    plain: float | None = None
    limit: float | None = None
    least_gain: float | None = None
    note: str = ""

    @property
    def gain(self) -> float | None:
        """Return how many times faster the first form is."""
        return None if self.plain is None else self.plain / self.ours

    @property
    def met(self) -> bool | None:
        """Tell whether the limit is kept; None if there is none."""
        if self.limit is not None:
            return self.ours <= self.limit
        if self.least_gain is not None and self.gain is not None:
            return self.gain >= self.least_gain
        return None


def apart(action: Callable[[], T]) -> T:
    """Call a function in a thread that ends.

    Where two threads have used torch, its helpers of both are more than there are cores, and wait
    asleep: each click takes 10 to 20 ms more. In Slicer only the module's worker uses it.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(action).result()


def milliseconds(action: Callable[[], Any], repeats: int = 5) -> float:
    """Time an action: the median of some runs, after one that does not count."""
    action()
    return median(once(action) for _ in range(repeats))


def once(action: Callable[[], Any]) -> float:
    """Time one run of an action."""
    start = perf_counter()
    action()
    return 1000 * (perf_counter() - start)
