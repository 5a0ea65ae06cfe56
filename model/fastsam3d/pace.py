"""How far something is, in lines: for a file, where no bar can be drawn."""

from collections.abc import Callable
from time import monotonic

from .console import aside

LINE_SECONDS = 60.0
"""After which a file gets another line."""

Show = Callable[[float, str], None]
"""Says how far something is: how much of the total, and a few words."""


def lines(name: str, total: float) -> Show:
    """Write a line on standard error at each tenth and, in between, once a minute."""
    tenth, written = 0, monotonic()

    def show(done: float, text: str) -> None:
        nonlocal tenth, written
        share, now = min(done / total, 1.0) if total else 1.0, monotonic()
        if int(10 * share) > tenth or now - written >= LINE_SECONDS:
            tenth, written = int(10 * share), now
            aside.print(f"{name}: {share:.0%}, {text}", soft_wrap=True)

    return show
