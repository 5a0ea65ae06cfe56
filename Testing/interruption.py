"""Something that happens while a network is at work, at a moment that is not a matter of luck."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.mrml import BallNetwork

LONGEST_S = 20.0
"""That a network waits; more is a window that lets no events through."""


class Interruption:
    """Is planned, and comes as soon as the network is asked; the network waits for its end."""

    def __init__(self) -> None:
        self._todo: Callable[[], Any] | None = None
        self._is_asked = threading.Event()
        self._is_over = threading.Event()

    def plan(self, todo: Callable[[], Any]) -> None:
        """Let something come."""
        self._is_asked.clear()
        self._is_over.clear()
        self._todo = todo

    def call_off(self) -> None:
        """Let nothing come any more."""
        self._todo = None

    def wait(self) -> None:
        """Wait until it is over, if one is planned; called by the network, on its thread.

        Raises:
            TimeoutError: nobody calls `come`.
        """
        if self._todo is None:
            return
        self._is_asked.set()
        if not self._is_over.wait(LONGEST_S):
            raise TimeoutError("No events came through while the network was at work.")

    def come(self, seconds: float = 0.0) -> None:
        """Do what was planned if the network waits for it; called where events come through."""
        todo = self._todo
        if todo is None or not self._is_asked.is_set():
            return
        self._todo = None
        try:
            todo()
        finally:
            self._is_over.set()


class InterruptedNetwork(BallNetwork):
    """Takes what is near an included point and nearer to it than to any excluded one.

    So every click is obeyed at its own place, whatever comes before or after it. Slow to open and
    to answer when an interruption is planned.
    """

    def __init__(self, interruption: Interruption, radius_cells: float = 6.0) -> None:
        super().__init__(radius_cells)
        self._interruption = interruption

    def open(self, preset: str, device: str) -> "InterruptedNetwork":
        """Take its time to load."""
        self._interruption.wait()
        return self

    def embed_patch(self, patch: Any) -> float:
        """Take its time to embed a patch."""
        self._interruption.wait()
        return super().embed_patch(patch)

    def predict(self, embedding: Any, points: Any, labels: Any, mask_logits: Any) -> Any:
        """Take its time to answer."""
        self._interruption.wait()
        grid = np.indices((self.mask_size,) * 3)
        places = np.asarray(points)[:, :, None, None, None] / 2
        away = ((grid - places) ** 2).sum(1)
        nearest = away.argmin(0)
        inside = (away.min(0) <= self.radius_cells**2) & np.asarray(labels, bool)[nearest]
        return np.where(inside, 4.0, -4.0).astype(np.float32), 0.9
