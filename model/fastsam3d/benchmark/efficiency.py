"""What the systems cost (Table 3): one row a measurement, kept in a file as it comes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .forms import ENCODER, PUBLISHED, TRAINED_TOKENS
from .measurement import SYSTEM_PART, Outcome, Request
from .rows import measure_missing, rows_of
from .systems import SYSTEMS, find
from .watch import watched

PARTS = ("encoder", "decoder")

SLICES = 128
"""Slices of a volume: a 2D system reads them one by one, where a 3D one reads its patch."""

SLICES_ON_CPU = 4
"""How many of them are timed on a CPU, if nothing else is asked: all would take hours."""

PADDED = " (padded windows)"
"""Ends the name of SAM-Med3D with its attention computed as in the published code."""

SPARSE_FLASH = " (sparse, flash)"
"""Ends the name of FastSAM3D in the form of the paper's row: the last of Table 4."""

Made = tuple[str, dict[str, Any]]
"""A maker, and its arguments beside a device."""

_VARIANTS: dict[str, tuple[str, Made]] = {
    "sam-med3d": (
        PADDED,
        (SYSTEM_PART, {"system": "sam-med3d", "part": "encoder", "padded": True}),
    ),
    "fastsam3d": (
        SPARSE_FLASH,
        (ENCODER, {"geometry": PUBLISHED, "tokens": TRAINED_TOKENS, "form": "sparse+flash"}),
    ),
}
"""By system: an encoder that is timed too, what ends its name, and how it is made."""

Key = tuple[str, str, str, int | None, str]


@dataclass(frozen=True)
class Efficiency:
    """What one part of one system costs on one device; None where it was not found out.

    Attributes:
        system: its key, which `PADDED` or `SPARSE_FLASH` may follow.
        part: "encoder" or "decoder", see `parts.Part`.
        device: "cpu", "cuda" or "mps".
        ms_median: of the runs; of 2D systems for all 128 slices.
        ms_low: the 5th percentile of the runs.
        ms_high: the 95th.
        runs: how many were timed.
        per_slice_ms: of 2D systems, the median.
        gflops_published: as the paper counts, of one slice or patch.
        gflops_exact: all multiplications and additions of the published code, of the same; of
            SAM-Med2D, as in the paper, without its adapters.
        peak_mb: with the weights of the whole network; `peak_kind` says of what.
        parameters_m: of the part, in millions; the decoder's include the prompt encoder's.
        scaled_from: how many slices were timed, if not all.
        skipped: why there is no time; empty if there is.
        peak_kind: what `peak_mb` is the peak of.
        machine: what it was measured on, with versions.
        given_up_s: the limit, if it took longer.
    """

    system: str
    part: str
    device: str
    ms_median: float | None = None
    ms_low: float | None = None
    ms_high: float | None = None
    runs: int = 0
    per_slice_ms: float | None = None
    gflops_published: float | None = None
    gflops_exact: float | None = None
    peak_mb: float | None = None
    parameters_m: float | None = None
    scaled_from: int | None = None
    skipped: str = ""
    peak_kind: str = ""
    machine: str = ""
    given_up_s: float | None = None

    @property
    def key(self) -> Key:
        """Name what was measured, and where."""
        return self.system, self.part, self.device, self.scaled_from, self.machine


@dataclass(frozen=True)
class Efforts:
    """What `benchmark efficiency` is asked for.

    Attributes:
        output: the file of rows, JSON lines; a row that is there is not measured again, unless it
            has no time. One that took too long is measured again with a higher limit alone.
        systems: their keys.
        device: of `inputs.pick_device`.
        slices: how many of the 128 a 2D system is timed on; the times are scaled. None: all on a
            GPU, 4 on a CPU.
        limit_s: after which a measurement is given up.
        runs: how many to time of each.
        seconds: of a measurement after which no further run begins, once there are three.
        variants: whether to time SAM-Med3D's encoder as the published code computes it, and
            FastSAM3D's with sparse and flash attention, too.
    """

    output: Path
    systems: tuple[str, ...] = tuple(SYSTEMS)
    device: str = "auto"
    slices: int | None = None
    limit_s: float = 60.0
    runs: int = 20
    seconds: float = 10.0
    variants: bool = True

    def __post_init__(self) -> None:
        if self.slices is not None and not 1 <= self.slices <= SLICES:
            raise InputError(f"Got {self.slices} slices; expected 1 to {SLICES}.")
        if self.limit_s <= 0:
            raise InputError(f"Got a limit of {self.limit_s:g} seconds; give more than 0.")
        for system in self.systems:
            find(system)

    def slices_on(self, device: str) -> int:
        """Return how many slices a 2D system is timed on."""
        return self.slices or (SLICES_ON_CPU if device.startswith("cpu") else SLICES)


def measure_all(
    asked: Efforts,
    on_row: Callable[[Efficiency], None],
    on_begin: Callable[[Efficiency], None] = lambda row: None,
) -> list[Efficiency]:
    """Measure each part of each system in a process of its own.

    Args:
        asked: what to measure.
        on_row: is told each row, also those of an earlier call.
        on_begin: is told each row that is about to be measured.

    Raises:
        InputError: there is no such device, or the file holds something else.
    """
    from ..inputs import pick_device
    from .machine import machine

    def measured(blank: Efficiency, request: Request) -> Efficiency:
        return filled(blank, watched(request, asked.limit_s), request.passes)

    rows = planned(asked, str(pick_device(asked.device)), machine())
    return measure_missing(
        asked.output, read_rows(asked.output), rows, measured, asked.limit_s, on_row, on_begin
    )


def planned(asked: Efforts, device: str, machine: str) -> Iterator[tuple[Efficiency, Request]]:
    """Yield each row to be filled, and what is to be measured for it."""
    for system in map(find, asked.systems):
        planar = system.dimensions == 2
        passes = asked.slices_on(device) if planar else 1
        scaled = passes if planar and passes < SLICES else None
        for name, part, (maker, arguments) in _parts(system.key, variants=asked.variants):
            yield (
                Efficiency(name, part, device, scaled_from=scaled, machine=machine),
                Request(
                    arguments, device, maker, passes=passes, runs=asked.runs, seconds=asked.seconds
                ),
            )


def filled(blank: Efficiency, outcome: Outcome, passes: int) -> Efficiency:
    """Fill a row with what a measurement gave.

    Args:
        blank: what was measured.
        outcome: what came of it.
        passes: of a run; of a 2D system, whose row says if these were not all slices.
    """
    row = replace(blank, skipped=outcome.skipped, given_up_s=outcome.given_up_s)
    if counted := outcome.counted:
        row = replace(
            row,
            parameters_m=counted.parameters / 1e6,
            gflops_published=counted.published / 1e9,
            gflops_exact=counted.exact / 1e9,
        )
    if timed := outcome.timed:
        in_slices = passes > 1 or row.scaled_from is not None
        factor = SLICES / passes if in_slices else 1.0
        low, middle, high = (factor * at for at in np.percentile(timed.ms, (5, 50, 95)).tolist())
        row = replace(
            row,
            ms_median=middle,
            ms_low=low,
            ms_high=high,
            runs=len(timed.ms),
            per_slice_ms=middle / SLICES if in_slices else None,
            peak_mb=timed.peak_mb,
            peak_kind=timed.peak_kind,
        )
    return row


def read_rows(path: Path) -> list[Efficiency]:
    """Read the rows of a file, the newest of each; none if there is no file.

    Raises:
        InputError: the file holds something else.
    """
    return rows_of(path, lambda line: Efficiency(**json.loads(line)), "efficiency")


def _parts(system: str, *, variants: bool) -> Iterator[tuple[str, str, Made]]:
    """Yield the name of each row of a system, the part that it is of, and how that is made."""
    for part in PARTS:
        yield system, part, (SYSTEM_PART, {"system": system, "part": part, "padded": False})
    if variants and system in _VARIANTS:
        ending, made = _VARIANTS[system]
        yield system + ending, "encoder", made
