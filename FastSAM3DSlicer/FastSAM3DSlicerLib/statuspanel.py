"""The part of the panel that says what happened, or that something is under way."""

from typing import Any

from . import wording
from .status import Status

REST, BUSY = 0, 1
STEPS = 1000


class StatusPanel:
    """A sentence, and below it either figures or progress; their place stays the same."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui

    def say(self, text: str) -> None:
        """Show a sentence."""
        self._ui.statusLabel.text = text

    def show(self, status: Status) -> None:
        """Show what happened to the segment."""
        self.say(status.message)
        self._ui.detailLabel.text = wording.details(status)

    def begin(self, share: float | None = None) -> None:
        """Show that work is under way, and the share that is done where it is known."""
        bar = self._ui.progressBar
        bar.setRange(0, 0 if share is None else STEPS)
        bar.setValue(round(STEPS * (share or 0)))
        self._ui.busyStack.setCurrentIndex(BUSY)

    def rest(self) -> None:
        """Show the figures again."""
        self._ui.busyStack.setCurrentIndex(REST)
