"""Training in pieces of some minutes: when time is up it stops, and the next call goes on."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

from .curve import Record
from .errors import InputError
from .inputs import pick_device
from .loop_config import LoopConfig

COME_AGAIN = 75
"""The exit code of a command that has stopped in time and is to be called again."""


class OutOfTime(Exception):  # noqa: N818  (no error: it is what was asked for)
    """Time is up; what was learnt is saved."""


class Limit:
    """How long a call may learn; without seconds, as long as it takes."""

    def __init__(self, seconds: float | None = None) -> None:
        if seconds is not None and seconds <= 0:
            raise InputError(f"Got a limit of {seconds:g} seconds; give more than 0.")
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def is_up(self) -> bool:
        """Tell whether time is up."""
        return time.monotonic() >= self._deadline

    def suited(self, config: LoopConfig) -> LoopConfig:
        """Save after each step where steps take long, so that little is lost when time is up."""
        slow = pick_device(config.device).type == "cpu"
        return replace(config, save_every=1) if slow and self._deadline < math.inf else config

    def watch(self, config: LoopConfig) -> Callable[[Record], None]:
        """Return what is to be told of each step of a training, and stops it when time is up.

        It does so at the first step after one that was saved, which alone is lost; a call that got
        little time takes some steps nevertheless, so that all calls together come to an end.
        """
        first = math.inf

        def on_step(record: Record) -> None:
            nonlocal first
            first = min(first, record.step)
            was_saved = (record.step - 1) % config.save_every == 0 and record.step > first
            if was_saved and self.is_up:
                raise OutOfTime

        return on_step
