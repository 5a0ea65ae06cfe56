"""How far a training has come, as a bar on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .console import aside
from .curve import Record, grouped
from .devices import is_first

Show = Callable[[float, str], None]
"""Says how far something is: how much of the total, and a few words."""


@contextmanager
def bar(name: str, total: float) -> Iterator[Show]:
    """Show a bar on standard error if that is a terminal; yields what says how far it is."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    shown = aside.is_terminal and is_first()
    with Progress(*columns, console=aside, disable=not shown) as progress:
        task = progress.add_task(name, total=total)
        yield lambda done, text: progress.update(
            task, completed=min(done, total), description=f"{name}: {text}"
        )


def described(record: Record) -> str:
    """Put a step in words: "step 12, loss 3.21, layer 2.1 4.3, k 2"."""
    parts = [f"step {record.step}"]
    for title, names in grouped(record.values).items():
        parts.append(f"{title} " + " ".join(f"{record.values[name]:.3g}" for name in names))
    return ", ".join(parts)
