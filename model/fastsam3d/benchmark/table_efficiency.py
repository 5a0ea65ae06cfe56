"""Tables 1 and 3: what the systems are, and what they cost."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from . import paper_figures as paper
from .efficiency import PARTS, SLICES, Efficiency
from .grids import DASH, Cell, Grid, figure, missing, significant, texts, without_empty_rows
from .measurement import FEWEST_RUNS
from .paper_figures import TIMES
from .systems import SYSTEMS, System

OURS, PAPER = "measured", "paper"
BASE_2D, BASE_3D = "sam", "sam-med3d"
"""Whose times accelerations are against."""

_NONE_YET = "`fastsam3d benchmark efficiency` measures it"
_COSTS = tuple(f"{part.capitalize()}, {unit}" for part in PARTS for unit in ("ms", "GFLOPs", "GB"))
_TRAITS = (
    "medical", "volumetric", "efficient_image_encoder", "efficient_prompt_encoder",
    "efficient_mask_decoder",
)  # fmt: skip

Measured = Mapping[tuple[str, str], Efficiency]
"""By system and part, in one place."""


def traits_grid() -> Grid:
    """Show what each system declares, and whether Table 1 of the paper says the same."""
    rows = []
    for system in SYSTEMS.values():
        own = tuple(bool(getattr(system.traits, name)) for name in _TRAITS)
        printed = paper.TRAITS.get(system.key)
        said = "not in it" if printed is None else "the same" if printed == own else "differs"
        ticks = [Cell("✓" if trait else DASH.text, trait) for trait in own]
        rows.append((Cell(system.title), *ticks, Cell(said)))
    head = ("Method", *(name.replace("_", " ").capitalize() for name in _TRAITS), "Paper's Table 1")
    return Grid("table1", "Table 1: what the systems are", head, tuple(rows))


def by_place(records: Iterable[Efficiency]) -> dict[str, Measured]:
    """Part measurements by where they were made: the device, numbered if it is of several machines.

    One with a time counts before one without, then all slices before some, then the newest.
    """
    records = sorted(records, key=lambda r: (not r.skipped, r.scaled_from is None))
    machines: dict[str, list[str]] = {}
    for record in records:
        if record.machine not in machines.setdefault(record.device, []):
            machines[record.device].append(record.machine)
    places: dict[str, dict[tuple[str, str], Efficiency]] = {}
    for record in records:
        own = machines[record.device]
        number = f" {own.index(record.machine) + 1}" if len(own) > 1 else ""
        places.setdefault(record.device + number, {})[record.system, record.part] = record
    return dict(sorted(places.items()))


def title_of(system: str) -> str:
    """Return what tables call a system or a variant of it, such as "sam-med3d (padded windows)"."""
    key, space, variant = system.partition(" ")
    return SYSTEMS[key].title + space + variant if key in SYSTEMS else system


def efficiency_grids(records: Sequence[Efficiency]) -> Iterator[Grid]:
    """Show Table 3 of each device, and every measurement in detail."""
    for place, measured in by_place(records).items():
        yield _table3(measured, f"table3-{place.replace(' ', '-')}", f" on {place}")
    if not records:
        yield _table3({}, "table3", "")
    if records:
        yield _details(records)


def _ratio(measured: Measured, system: str, base: str) -> float | None:
    """Divide another system's time of encoder and decoder by this one's; None if one is missing."""
    own, other = _whole_ms(measured, system), _whole_ms(measured, base)
    return other / own if own and other else None


def _why_missing(measured: Measured, system: str, part: str) -> str:
    """Say why there is no measurement; empty if there is one."""
    found = _found(measured, system, part)
    return _NONE_YET if found is None else found.skipped


def _found(measured: Measured, system: str, part: str) -> Efficiency | None:
    """Find a measurement; where a variant has none, it is as its system."""
    return measured.get((system, part)) or measured.get((system.partition(" ")[0], part))


def _table3(measured: Measured, name: str, where: str) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    for system in SYSTEMS.values():
        rows.append(_own_row(measured, system, system.key))
        rows += [_own_row(measured, system, name) for name in _variants(measured, system)]
        if printed := paper.EFFICIENCY.get(system.key):
            rows.append(_paper_row(system, printed))
    found = Grid(
        name,
        f"Table 3: efficiency{where}",
        ("Method", "Figures", "Resolution", *_COSTS, "Acceleration to 2D", "Acceleration to 3D"),
        tuple(rows),
        tuple(_how_measured(measured.values())),
    )
    return without_empty_rows(found)


def _how_measured(records: Collection[Efficiency]) -> Iterator[str]:
    yield (
        f"Times of 2D systems are for all {SLICES} slices of a volume, their GFLOPs for one slice. "
        f"Accelerations are of encoder and decoder together. The paper's figures: {paper.GPU}."
    )
    scaled = sorted({r.scaled_from for r in records if r.scaled_from is not None})
    if scaled:
        counts = " or ".join(map(str, scaled))
        yield (
            f"2D systems were timed on {counts} of the slices, and their times scaled; "
            f"`--slices {SLICES}` times all."
        )
    for kind in dict.fromkeys(record.peak_kind for record in records if record.peak_kind):
        yield f"Memory here: {kind}."
    for machine in dict.fromkeys(record.machine for record in records if record.machine):
        yield f"Measured on: {machine}."


def _own_row(measured: Measured, system: System, name: str) -> tuple[Cell, ...]:
    """Show a system, or the part of a variant that differs from the system's."""
    varied = name != system.key
    costs = [
        cell
        for part in PARTS
        for cell in (
            (DASH,) * 3 if varied and (name, part) not in measured else _part(measured, name, part)
        )
    ]
    ratios = [_acceleration(measured, name, BASE_2D), DASH]
    if system.dimensions == 3:
        ratios[1] = _acceleration(measured, name, BASE_3D)
    return (*texts(title_of(name), OURS, _resolution(system)), *costs, *ratios)


def _variants(measured: Measured, system: System) -> list[str]:
    return list(dict.fromkeys(name for name, _ in measured if name.startswith(f"{system.key} ")))


def _part(measured: Measured, system: str, part: str) -> tuple[Cell, ...]:
    """Show time, GFLOPs and memory; what was counted is known even if the rest is not."""
    found = measured.get((system, part))
    why = _why_missing(measured, system, part)
    if found is None:
        return (missing(why),) * 3
    peak = found.peak_mb
    memory = missing("this device does not tell its memory")
    if peak is not None:
        memory = significant(peak / 1000)
    return (
        missing(why) if why else significant(found.ms_median),
        significant(found.gflops_published),
        missing(why) if why else memory,
    )


def _acceleration(measured: Measured, system: str, base: str) -> Cell:
    ratio = _ratio(measured, system, base)
    if ratio is None:
        return missing(f"acceleration needs the times of {SYSTEMS[base].title} and of the system")
    return figure(ratio, 2, TIMES)


def _paper_row(system: System, printed: paper.Efficiency) -> tuple[Cell, ...]:
    costs = [
        cell
        for part in (printed.encoder, printed.decoder)
        for cell in (figure(part.ms, 0), Cell(str(part.gflops), part.gflops), figure(part.gb, 2))
    ]
    ratios = [
        DASH if told is None else _with_own_sums(told, system.key, base)
        for told, base in ((printed.to_2d, BASE_2D), (printed.to_3d, BASE_3D))
    ]
    return (*texts(system.title, PAPER, _resolution(system)), *costs, *ratios)


def _with_own_sums(told: float, system: str, base: str) -> Cell:
    """Show an acceleration as printed, and by the table's own sums where these disagree."""
    own, other = (paper.EFFICIENCY[key] for key in (system, base))
    sums = (other.encoder.ms + other.decoder.ms) / (own.encoder.ms + own.decoder.ms)
    text = f"{told:.2f}{TIMES}"
    return Cell(text if abs(sums - told) < 0.01 else f"{text} (sums: {sums:.2f}{TIMES})", told)


def _details(records: Sequence[Efficiency]) -> Grid:
    head = (
        "Method", "Part", "Device", "Median, ms", "5th percentile, ms", "95th percentile, ms",
        "Runs", "Per slice, ms", "GFLOPs as in the paper", f"GFLOPs, 2 {TIMES} MAC", "Peak, MB",
        "Parameters, M", "Slices timed",
    )  # fmt: skip
    rows, title = tuple(map(_detail, records)), "Table 3: every measurement"
    note = f"Percentiles need {FEWEST_RUNS} runs."
    few = any(record.runs < FEWEST_RUNS for record in records if not record.skipped)
    return Grid("table3-details", title, head, rows, (note,) if few else ())


def _detail(record: Efficiency) -> tuple[Cell, ...]:
    counts = (significant(record.gflops_published, 4), significant(record.gflops_exact, 4))
    times: tuple[Cell, ...] = (missing(record.skipped),) * 5
    peak = missing(record.skipped)
    if not record.skipped:
        few = record.runs < FEWEST_RUNS
        spread = (None, None) if few else (record.ms_low, record.ms_high)
        times = (
            *map(significant, (record.ms_median, *spread)),
            figure(record.runs, 0),
            significant(record.per_slice_ms),
        )
        peak = significant(record.peak_mb)
    sliced = figure(record.scaled_from, 0)
    about = texts(title_of(record.system), record.part, record.device)
    return (*about, *times, *counts, peak, significant(record.parameters_m), sliced)


def _whole_ms(measured: Measured, system: str) -> float | None:
    if any(_why_missing(measured, system, part) for part in PARTS):
        return None
    found = [_found(measured, system, part) for part in PARTS]
    return sum(one.ms_median or 0.0 for one in found if one)


def _resolution(system: System) -> str:
    return f"{system.size}{'³' if system.dimensions == 3 else '²'}"
