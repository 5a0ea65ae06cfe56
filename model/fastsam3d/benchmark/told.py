"""What a benchmark is at, in its bar."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..bars import Show, bar
from ..console import aside
from ..devices import is_first


class Told:
    """Says in a bar what is being measured, and counts what is done."""

    def __init__(self, name: str, total: int, show: Show) -> None:
        self._name = name
        self._total = total
        self._show = show
        self._done = 0
        self._is_begun = False

    def begins(self, text: str) -> None:
        """Say what is being measured now; the first time in a file, too, where no bar is drawn."""
        if not self._is_begun and not aside.is_terminal and is_first():
            share = self._done / self._total
            aside.print(f"{self._name}: {share:.0%}, now {text}", soft_wrap=True)
        self._is_begun = True
        self._show(self._done, text)

    def ends(self, text: str) -> None:
        """Say what was measured, and count it."""
        self._done += 1
        self._show(self._done, text)


@contextmanager
def told(name: str, total: int) -> Iterator[Told]:
    """Show a bar of so many measurements."""
    with bar(name, total) as show:
        yield Told(name, total, show)
