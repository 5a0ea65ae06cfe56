"""Rows of a table in a file, JSON lines: each is kept as it comes, no time measured twice."""

import json
from collections.abc import Callable, Hashable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from ..errors import InputError
from ..lines import add_line, drop_cut_line, whole_lines
from ..whole import write_text
from .measurement import Request


class Measured(Protocol):
    """A dataclass of one measurement.

    Attributes:
        skipped: why there is no time; empty if there is.
        given_up_s: the limit, if it took longer.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def skipped(self) -> str: ...  # noqa: D102

    @property
    def given_up_s(self) -> float | None: ...  # noqa: D102

    @property
    def key(self) -> Hashable:
        """Name what was measured, and where."""
        ...


R = TypeVar("R", bound=Measured)


def measure_missing(
    path: Path,
    there: Iterable[R],
    planned: Iterable[tuple[R, Request]],
    measured: Callable[[R, Request], R],
    limit_s: float,
    on_row: Callable[[R], None],
    on_begin: Callable[[R], None],
) -> list[R]:
    """Measure the rows that have no time yet; those that took too long only by a higher limit.

    Args:
        path: the file.
        there: its rows.
        planned: each row to be filled, and what is to be measured for it.
        measured: measures and fills one.
        limit_s: after which it gives up.
        on_row: is told each row, also those that were there.
        on_begin: is told each row that is about to be measured.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    drop_cut_line(path)
    known = {row.key: row for row in there}
    rows = []
    for blank, request in planned:
        row = known.get(blank.key)
        if row is None or not _is_settled(row, limit_s):
            on_begin(blank)
            row = measured(blank, request)
            keep(path, known, row)
        on_row(row)
        rows.append(row)
    return rows


def rows_of(path: Path, parsed: Callable[[bytes], R], command: str) -> list[R]:
    """Read the rows of a file, the newest of each; none if there is no file.

    Args:
        path: the file.
        parsed: makes a row of a line.
        command: whose rows they are, in messages.

    Raises:
        InputError: the file holds something else.
    """
    rows: dict[Hashable, R] = {}
    for number, line in enumerate(whole_lines(path), 1):
        try:
            row = parsed(line)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"Line {number} of {path} is no row of `benchmark {command}`; choose another file."
            ) from error
        rows[row.key] = row
    return list(rows.values())


def keep(path: Path, known: dict[Hashable, R], row: R) -> None:
    """Add a row to a file and to those that are known of it; or replace it in both."""
    replaces = row.key in known
    known[row.key] = row
    if not replaces:
        add_line(path, asdict(row))
        return
    write_text(path, "".join(json.dumps(asdict(each)) + "\n" for each in known.values()))


def _is_settled(row: Measured, limit_s: float) -> bool:
    """Tell whether a row has a time, or would take too long again."""
    return not row.skipped or (row.given_up_s is not None and limit_s <= row.given_up_s)
