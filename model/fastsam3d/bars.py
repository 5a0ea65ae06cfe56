"""How far a training has come, as a bar on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .console import aside
from .curve import Record, grouped
from .devices import is_first
from .pace import Show as Show
from .pace import lines


@contextmanager
def bar(name: str, total: float) -> Iterator[Show]:
    """Show on standard error how far something is; yields what is told so.

    A terminal shows a bar; a file gets a line at each tenth and, in between, once a minute.
    """
    if not aside.is_terminal and is_first():
        yield lines(name, total)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=aside, disable=not is_first()) as progress:
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
