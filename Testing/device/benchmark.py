"""Measure Tables 3 and 4 on a GPU: python benchmark.py OUT --seconds 480.

Each measurement has a process of its own, and its row is kept as it comes. After `--seconds` no
other begins; the same command, or one with --resume, goes on. See README.md.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fastsam3d.benchmark import ablation, efficiency
from fastsam3d.benchmark.ablation import DILATIONS, SEGMENTS, Row, Sweep
from fastsam3d.benchmark.efficiency import Efficiency, Efforts
from fastsam3d.benchmark.forms import GEOMETRIES
from fastsam3d.benchmark.plots import efficiency_pictures
from fastsam3d.benchmark.plots_sweep import sweep_pictures
from fastsam3d.benchmark.systems import SYSTEMS
from fastsam3d.console import aside
from fastsam3d.limit import Limit, OutOfTime
from fastsam3d.lines import whole_lines
from fastsam3d.whole import write_text

EFFICIENCY, ABLATION = "efficiency.jsonl", "ablation.jsonl"
PARTS = ("efficiency", "ablation")


def main(arguments: list[str] | None = None) -> int:
    """Go on for --seconds, then draw what there is."""
    options = _parse(arguments)
    limit = Limit(options.seconds)
    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    if options.resume not in (None, folder):
        _take_over(options.resume, folder)
    try:
        _measure(options, partial(_told, limit))
        aside.print("Next: nothing is left; `fastsam3d benchmark report` on it writes the tables.")
    except OutOfTime:
        aside.print("Next: the same command again, on this folder or with --resume.")
    _draw(folder)
    return 0


def _take_over(source: Path, folder: Path) -> None:
    """Put an earlier run's rows, which may be read-only, before those that a folder has."""
    for name in (EFFICIENCY, ABLATION):
        rows = dict.fromkeys([*whole_lines(source / name), *whole_lines(folder / name)])
        if rows:
            write_text(folder / name, b"".join(row + b"\n" for row in rows).decode())


def _measure(options: argparse.Namespace, on_row: Callable[[Efficiency | Row], None]) -> None:
    """Measure what is missing.

    Raises:
        OutOfTime: by `on_row`.
    """
    common = {
        "device": options.device,
        "limit_s": options.limit_seconds,
        "runs": options.runs,
        "seconds": options.run_seconds,
    }
    folder: Path = options.output
    if "efficiency" in options.part:
        systems, slices = tuple(options.system), options.slices
        efforts = Efforts(folder / EFFICIENCY, systems, slices=slices, **common)
        efficiency.measure_all(efforts, on_row)
    if "ablation" in options.part:
        sizes = (options.geometry, options.tokens, options.segments, options.dilations)
        ablation.measure_all(Sweep(folder / ABLATION, *map(tuple, sizes), **common), on_row)


def _told(limit: Limit, row: Efficiency | Row) -> None:
    """Say what a row holds, and stop when time is up."""
    about = (
        f"{row.system}, {row.part}"
        if isinstance(row, Efficiency)
        else f"{row.geometry}, {row.tokens}³ tokens, {row.attention}"
    )
    said = row.skipped or f"{row.ms_median:.3g} ms"
    aside.print(f"{about}, {row.device}: {said}", soft_wrap=True)
    if limit.is_up:
        raise OutOfTime


def _draw(folder: Path) -> None:
    rows = ablation.read_rows(folder / ABLATION)
    if costs := efficiency.read_rows(folder / EFFICIENCY):
        efficiency_pictures(folder, costs)
    sweep_pictures(folder, rows)
    for verdict in ablation.verdicts(rows):
        aside.print(verdict, soft_wrap=True)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("output", type=Path)
    add("--seconds", type=float, required=True, help="after which no measurement begins")
    add("--resume", type=Path, help="a folder that an earlier run wrote, if not OUT")
    add("--device", default="auto")
    add("--part", nargs="+", default=PARTS, choices=PARTS)
    add("--limit-seconds", type=float, default=60.0, help="of a measurement, which is given up")
    add("--runs", type=int, default=50, help="of a measurement, at most")
    add("--run-seconds", type=float, default=3.0, help="after which no run begins")
    add("--system", nargs="+", default=tuple(SYSTEMS))
    add("--slices", type=int, help="of 2D systems, 4 on a CPU; times are scaled")
    add("--geometry", nargs="+", default=tuple(GEOMETRIES))
    add("--tokens", nargs="+", type=int, default=(8, 16), help="a side")
    add("--segments", nargs="*", type=int, default=SEGMENTS, help="w; none: no sweep")
    add("--dilations", nargs="*", type=int, default=DILATIONS, help="r")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
