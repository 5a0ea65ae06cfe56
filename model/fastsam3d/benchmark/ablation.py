"""What sparse and flash attention are worth (Table 4): one row a measurement, kept as it comes.

First the four forms of each geometry, number of tokens and precision; then sparse attention's
segment length w and dilation r are swept.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

from ..errors import InputError
from .efficiency import Efficiency, filled
from .forms import ENCODER, GEOMETRIES, SPARSE, USUAL, Sizes, sizes_of
from .measurement import Request
from .rows import measure_missing, rows_of
from .table_ablation import FORMS, Form
from .watch import watched

SEGMENTS = (16, 32, 64, 128, 256, 512)
DILATIONS = tuple(range(1, 9))

_COMMON = (
    "ms_median", "ms_low", "ms_high", "runs", "gflops_published", "gflops_exact", "peak_mb",
    "peak_kind", "skipped", "given_up_s",
)  # fmt: skip
"""Fields that a row shares with one of `benchmark efficiency`."""

Key = tuple[str, str, int, str, int | None, int | None, str]


@dataclass(frozen=True)
class Row(Form):
    """A measurement; device: with "-bfloat16" behind it, if it was computed in that.

    Attributes:
        runs: how many were timed.
        peak_kind: what `peak_mb` is the peak of.
        given_up_s: the limit, if it took longer.
    """

    runs: int = 0
    peak_kind: str = ""
    given_up_s: float | None = None

    @property
    def key(self) -> Key:
        """Name what was measured, and where."""
        sizes = self.segment, self.dilation
        return self.form, self.geometry, self.tokens, self.device, *sizes, self.machine


@dataclass(frozen=True)
class Sweep:
    """What `benchmark ablation` is asked for.

    Attributes:
        output: the file of rows, JSON lines; a row that is there is not measured again, unless it
            has no time, and may have one by a higher limit.
        geometries: of `forms.GEOMETRIES`.
        tokens: a side of the cube; 8 are a patch of 128³ voxels, 16 one of 256³. Where sparse
            attention's segments do not fit, as `fits` tells, the dense forms alone are measured.
        segments: lengths w to sweep.
        dilations: r to sweep; those count whose product with w divides the tokens.
        device: of `inputs.pick_device`.
        limit_s: after which a measurement is given up.
        runs: how many to time of each.
        seconds: of a measurement after which no further run begins.
    """

    output: Path
    geometries: tuple[str, ...] = tuple(GEOMETRIES)
    tokens: tuple[int, ...] = (8, 16)
    segments: tuple[int, ...] = SEGMENTS
    dilations: tuple[int, ...] = DILATIONS
    device: str = "auto"
    limit_s: float = 120.0
    runs: int = 20
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if unknown := [name for name in self.geometries if name not in GEOMETRIES]:
            raise InputError(f"Got geometry {unknown[0]!r}; expected {' or '.join(GEOMETRIES)}.")
        if low := [n for n in (*self.tokens, *self.segments, *self.dilations) if n < 1]:
            raise InputError(f"Got {low[0]} for tokens, w or r; give 1 or more.")
        if self.limit_s <= 0:
            raise InputError(f"Got a limit of {self.limit_s:g} seconds; give more than 0.")


def measure_all(
    asked: Sweep, on_row: Callable[[Row], None], on_begin: Callable[[Row], None] = lambda row: None
) -> list[Row]:
    """Measure each form in a process of its own.

    Args:
        asked: what to measure.
        on_row: is told each row, also those of an earlier call.
        on_begin: is told each row that is about to be measured.

    Raises:
        InputError: there is no such device, or the file holds something else.
    """
    from ..inputs import pick_device
    from .machine import machine

    rows = planned(asked, str(pick_device(asked.device)), machine())
    fill = partial(measured, limit_s=asked.limit_s)
    return measure_missing(
        asked.output, read_rows(asked.output), rows, fill, asked.limit_s, on_row, on_begin
    )


def fits(tokens: int) -> bool:
    """Tell whether the segments of the published code fit into a cube of so many tokens a side."""
    return any(sizes_of(tokens, USUAL[:1], USUAL[1:]))


def measured(blank: Row, request: Request, limit_s: float) -> Row:
    """Fill a row with what a measurement gives."""
    outcome = watched(request, limit_s)
    cost = filled(Efficiency(blank.geometry, "encoder", blank.device), outcome, request.passes)
    return replace(blank, **{name: getattr(cost, name) for name in _COMMON})


def planned(asked: Sweep, device: str, machine: str) -> Iterator[tuple[Row, Request]]:
    """Yield each row to be filled, what matters most first, and what is to be measured for it."""
    done: set[Key] = set()
    for form, geometry, tokens, sizes, bfloat16 in _settings(asked, _precisions(device)):
        segment, dilation = sizes or (None, None)
        arguments = {
            "geometry": geometry, "tokens": tokens, "form": form, "segment": segment,
            "dilation": dilation,
        }  # fmt: skip
        request = Request(
            arguments, device, ENCODER, runs=asked.runs, seconds=asked.seconds, bfloat16=bfloat16
        )
        place = f"{device}-bfloat16" if bfloat16 else device
        row = Row(form, geometry, tokens, place, segment, dilation, machine=machine)
        if row.key not in done:
            done.add(row.key)
            yield row, request


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a file, the newest of each; none if there is no file.

    Raises:
        InputError: the file holds something else.
    """
    return rows_of(path, _parsed, "ablation")


def verdicts(rows: Sequence[Row]) -> list[str]:
    """Say of each geometry, number of tokens and device whether sparse attention pays there."""
    usual = [row for row in rows if (row.segment, row.dilation) in ((None, None), USUAL)]
    timed = [row for row in usual if not row.skipped]
    dense = {_setting(row): row for row in timed if row.form == "flash"}
    return [
        f"{row.geometry}, {row.tokens}³ tokens, {row.device}: {_compared(row, other)}."
        for row in timed
        if row.form == "sparse+flash" and (other := dense.get(_setting(row)))
    ]


def _setting(row: Row) -> tuple[str, int, str, str]:
    return row.geometry, row.tokens, row.device, row.machine


def _compared(sparse: Row, dense: Row) -> str:
    low, high = ((row.ms_low or 0.0, row.ms_high or 0.0) for row in (sparse, dense))
    share = (sparse.ms_median or 0.0) / (dense.ms_median or 1.0)
    ranges = "" if low[1] < high[0] or high[1] < low[0] else ", which is within their spread"
    return f"sparse and flash takes {share:.2f} of the time of flash alone{ranges}"


def _settings(
    asked: Sweep, precisions: Sequence[bool]
) -> Iterator[tuple[str, str, int, Sizes | None, bool]]:
    """Yield form, geometry, tokens, w and r of a sparse form, and whether to use bfloat16."""
    for tokens, geometry, bfloat16 in product(asked.tokens, asked.geometries, precisions):
        for form in FORMS:
            if form not in SPARSE or fits(tokens):
                yield form, geometry, tokens, USUAL if form in SPARSE else None, bfloat16
    for form, tokens, geometry in product(reversed(SPARSE), asked.tokens, asked.geometries):
        for sizes in sizes_of(tokens, asked.segments, asked.dilations):
            yield form, geometry, tokens, sizes, precisions[-1]


def _precisions(device: str) -> tuple[bool, ...]:
    """Return whether to use bfloat16: on CUDA also so, since flash attention takes no float32."""
    return (False, True) if device.startswith("cuda") else (False,)


def _parsed(line: bytes) -> Row:
    row = Row(**json.loads(line))
    FORMS[row.form]
    return row
