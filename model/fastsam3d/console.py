"""Where the commands speak: results to standard output, all else to standard error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

said = Console(highlight=False, markup=False)
aside = Console(stderr=True, highlight=False, markup=False)


@contextmanager
def progress(total: int) -> Iterator[Any]:
    """Show a bar on standard error; yields what advances it and says where it is."""
    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = aside.is_terminal
    with Progress(*columns, console=aside, transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=total)
        yield lambda text: bar.update(task, advance=1, description=text)
