"""A table as cells: to be read as Markdown, HTML or LaTeX, and computed with as CSV or JSON."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..document import Block, Heading, Table, Text

Mark = Literal["", "better", "worse"]
Value = float | str | bool | None

NOT_MEASURED = "not measured"

SIGNS: dict[Mark, str] = {"": "", "better": " ▲", "worse": " ▼"}


@dataclass(frozen=True)
class Cell:
    """One figure.

    text: as it is shown. value: as it is computed with; None for the text itself.
    mark: what a test says of it. reason: why it is missing.
    interval: of the value, low and high. of: how many it is a part of.
    """

    text: str
    value: Value = None
    mark: Mark = ""
    reason: str = ""
    interval: tuple[float, float] | None = None
    of: int | None = None


DASH = Cell("-")
"""Where there is nothing to measure."""


@dataclass(frozen=True)
class Grid:
    """A table of the report: its file's name, its title, its cells and what to know of it.

    absent: rows without any figure, of which is only told why.
    """

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    absent: tuple[tuple[Cell, ...], ...] = ()

    def __post_init__(self) -> None:
        assert len(set(self.head)) == len(self.head), "columns have names of their own"
        assert all(len(row) == len(self.head) for row in self.rows), "rows are as long as the head"

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return the notes, and why figures are missing."""
        first = tuple((row[0], next(filter(_is_missing, row))) for row in self.absent)
        return (*_reasons((*first, *self.rows)), *self.notes)


def without_empty_rows(grid: Grid) -> Grid:
    """Take out the rows that say nothing but why, unless there are no others."""
    empty = [row for row in grid.rows if _is_empty(row)]
    if len(empty) == len(grid.rows):
        return grid
    kept = tuple(row for row in grid.rows if row not in empty)
    return replace(grid, rows=kept, absent=tuple(empty))


def figure(value: float | None, digits: int, unit: str = "", *, mark: Mark = "") -> Cell:
    """Show a number with so many digits; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    return Cell(f"{value:.{digits}f}{unit}", value, mark)


def significant(value: float | None, digits: int = 3) -> Cell:
    """Show a number with so many digits that count, never as a power of ten."""
    if value is None or not math.isfinite(value):
        return DASH
    before = math.floor(math.log10(abs(value))) + 1 if value else 1
    return figure(value, max(0, digits - before))


def missing(reason: str) -> Cell:
    """Say that a figure was not measured; why is told below the table."""
    return Cell(NOT_MEASURED, reason=reason)


def texts(*texts: str) -> tuple[Cell, ...]:
    """Make cells of texts."""
    return tuple(Cell(text) for text in texts)


def blocks(grid: Grid, level: int = 3) -> Iterator[Block]:
    """Show a grid with a heading, as part of a document; marks become signs."""
    yield Heading(grid.title, level)
    yield Table(grid.head, [[f"{c.text}{SIGNS[c.mark]}" for c in row] for row in grid.rows])
    yield from map(Text, grid.remarks)


def _is_missing(cell: Cell) -> bool:
    return bool(cell.reason)


def _is_empty(row: Sequence[Cell]) -> bool:
    return any(map(_is_missing, row)) and all(cell.value is None for cell in row)


def _reasons(rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Say each reason once, with the rows that it is of."""
    whose: dict[str, list[str]] = {}
    for row in rows:
        for cell in row:
            if cell.reason and row[0].text not in whose.setdefault(cell.reason, []):
                whose[cell.reason].append(row[0].text)
    for reason, names in whose.items():
        yield f"Not measured ({'; '.join(names)}): {reason.rstrip('.')}."


def clicks(count: int) -> str:
    """Say a number of clicks."""
    return f"{count} click" if count == 1 else f"{count} clicks"
