"""A table for programs: one value a cell, bounds and counts by themselves, words in one column."""

import csv
import io
from collections.abc import Callable, Sequence

from .grids import DASH, Cell, Grid, Value

_BESIDE: dict[str, Callable[[Cell], Value]] = {
    "low": lambda cell: cell.interval[0] if cell.interval else None,
    "high": lambda cell: cell.interval[1] if cell.interval else None,
    "of": lambda cell: cell.of,
}
"""What may stand beside a value, in a column called after it."""

_NOTE = "Note"


def as_csv(grid: Grid) -> str:
    """Render the figures themselves; where one is missing there is none, and a last column why."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    beside = [
        [kind for kind, get in _BESIDE.items() if any(get(row[n]) is not None for row in grid.rows)]
        for n in range(len(grid.head))
    ]
    head = [
        title
        for name, kinds in zip(grid.head, beside, strict=True)
        for title in (name, *(f"{name}, {kind}" for kind in kinds))
    ]
    table.writerow([*head, _NOTE])
    for row in grid.rows:
        values = [
            value
            for cell, kinds in zip(row, beside, strict=True)
            for value in (_value(cell), *(_BESIDE[kind](cell) for kind in kinds))
        ]
        table.writerow([*values, _note(grid.head, row)])
    return text.getvalue()


def as_record(grid: Grid) -> dict[str, object]:
    """Return what JSON holds of a grid."""
    return {
        "title": grid.title,
        "rows": [
            {name: _described(cell) for name, cell in zip(grid.head, row, strict=True)}
            for row in grid.rows
        ],
        "notes": list(grid.remarks),
    }


def _value(cell: Cell) -> Value:
    if cell.reason or cell == DASH:
        return None
    return cell.text if cell.value is None else cell.value


def _note(head: Sequence[str], row: Sequence[Cell]) -> str:
    """Say what is marked or missing in a row, each with the columns that it is of."""
    said: dict[str, list[str]] = {}
    for name, cell in zip(head, row, strict=True):
        words = f"{cell.text}: {cell.reason}" if cell.reason else cell.mark
        if words:
            said.setdefault(words, []).append(name)
    return ". ".join(f"{words} ({'; '.join(names)})" for words, names in said.items())


def _described(cell: Cell) -> object:
    """Return a figure alone, or with what is known of it."""
    beside = {kind: get(cell) for kind, get in _BESIDE.items()}
    about = {**beside, "mark": cell.mark, "missing": cell.reason}
    known = {name: each for name, each in about.items() if each not in (None, "")}
    return {"value": _value(cell), **known} if known else _value(cell)
