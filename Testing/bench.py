"""Speed and memory on this computer, each fast form beside the plain one in the same run."""

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

import bench_growth_patch
import bench_growth_session
import bench_networks
import bench_session
from bench_growth import Panel
from bench_growth_picture import draw
from bench_networks import DEFAULT, STUDENT, TEACHER
from bench_timing import Row, apart
from fastsam3d.benchmark.speed import Pace
from fastsam3d.hardware import processor
from harness import packages

MEMORY_LIMIT_MB = 1500


class Part(StrEnum):
    """A part of the benchmark."""

    SLICER = "slicer"  # before the main thread has used torch, which in Slicer it does not
    NETWORKS = "networks"
    SESSION = "session"
    MEMORY = "memory"
    GROWTH = "growth"


def main(
    part: Annotated[list[Part] | None, typer.Option(help="Only this; may be given again.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of which the median is taken.")] = 5,
    threads: Annotated[int, typer.Option(help="For torch.")] = os.cpu_count() or 1,
    padded: Annotated[bool, typer.Option(help="Also the teacher's padded windows: 2 GB.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write a file.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw the growth.")] = None,
) -> None:
    """Measure speed and memory on this computer."""
    torch.set_num_threads(threads)
    console = Console()
    machine = describe(threads)
    for name, value in machine.items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    found: dict[str, Any] = {"machine": machine}
    sections: dict[Part, Callable[[], Any]] = {
        Part.NETWORKS: lambda: timed(networks(repeats, padded=padded), console),
        Part.SESSION: lambda: timed(bench_session.rows(), console),
        Part.MEMORY: lambda: peaks(console),
        Part.SLICER: lambda: clicked(console),
        Part.GROWTH: lambda: grown(console, picture, machine),
    }
    for wanted in part or Part:
        found[wanted.value] = sections[wanted]()
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + "\n")


def networks(repeats: int, *, padded: bool) -> Iterator[Row]:
    """Time the networks, the teacher's plain form only where that is wanted."""
    pace = Pace(runs=4 * repeats)
    yield from bench_networks.rows((STUDENT, DEFAULT), pace)
    yield from bench_networks.rows((TEACHER,), pace, plain=padded)


def describe(threads: int) -> dict[str, str]:
    """Say what was measured on, and with which weights."""
    _, trained = apart(bench_networks.default_network)
    return {
        "machine": f"{platform.platform(terse=True)}, {processor()}, {os.cpu_count()} CPUs",
        "torch": f"{torch.__version__}, {threads} threads",
        "weights of fastsam3d-default": "its own"
        if trained
        else "missing: random ones, and a ball in the place of each answer",
        "weights of the published networks": "random",
    }


def timed(rows: Iterable[Row], console: Console) -> list[dict[str, Any]]:
    """Show rows and, below them, what there is to say of them."""
    kept = list(rows)
    table = aligned("", "ms", "plain", "gain", "limit", "outcome")
    for row in kept:
        gain = "" if row.gain is None else f"{number(row.gain)} x"
        figures = number(row.ours), number(row.plain), gain
        table.add_row(row.what, *figures, limit_of(row), verdict(met=row.met))
    console.print(table)
    for row in kept:
        if row.note:
            console.print(f"{row.what}; {row.note}", highlight=False, soft_wrap=True)
    return [asdict(row) | {"met": row.met} for row in kept]


def aligned(name: str, *figures: str) -> Table:
    """Begin a table of a column of names and columns of figures."""
    table = Table()
    table.add_column(name, no_wrap=True)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def limit_of(row: Row) -> str:
    """Write what is asked of a row."""
    if row.limit is not None:
        return f"{row.limit:.0f} ms"
    return "" if row.least_gain is None else f"{row.least_gain:.0f} x"


def verdict(*, met: bool | None) -> str:
    """Write whether a limit is kept."""
    return {None: "", True: "met", False: "missed"}[met]


def number(value: float | None) -> str:
    """Write a number with two or three digits, nothing for None."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def peaks(console: Console) -> dict[str, float]:
    """Show the memory of a session."""
    found = bench_session.memory()
    table = aligned("peak in a fresh process, 512 x 512 x 200 int16", "MB", "limit", "outcome")
    for name, megabytes in found.items():
        met = verdict(met=megabytes <= MEMORY_LIMIT_MB)
        table.add_row(name, f"{megabytes:.0f}", f"{MEMORY_LIMIT_MB} MB", met)
    console.print(table)
    return found


def clicked(console: Console) -> list[dict[str, Any]]:
    """Show the time from a click to the pixel, where views can be drawn."""
    if packages.needed():
        console.print(f"click to pixel: NOT RUN, needs: {packages.apt_line()}", soft_wrap=True)
        return []
    import bench_slicer

    return timed(bench_slicer.rows(), console)


def grown(console: Console, picture: Path | None, machine: dict[str, str]) -> list[dict[str, Any]]:
    """Show how time and memory grow, and draw it."""
    kept = []
    for panel in growing(console):
        kept.append(panel)
        table = aligned(f"{panel.title}: {panel.along}", *panel.names)
        for curve in panel.curves:
            values = (number(value) for _, value in curve.points)
            table.add_row(f"{curve.what}, {curve.unit}", *values)
        console.print(table)
        for curve in panel.curves:
            console.print(curve.verdict, highlight=False, soft_wrap=True)
    if picture is not None:
        draw(kept, f"{machine['machine']}; torch {machine['torch']}.").savefig(picture)
    return [asdict(panel) for panel in kept]


def growing(console: Console) -> Iterator[Panel]:
    """Measure growth; with the segments only where views can be drawn."""
    segments = _beside_segments(console)  # first, as all of Slicer: see `Part`
    yield bench_growth_session.volumes()
    yield bench_growth_session.clicks()
    yield from segments
    yield bench_growth_patch.patches()


def _beside_segments(console: Console) -> list[Panel]:
    if packages.needed():
        console.print(f"segments: NOT RUN, needs: {packages.apt_line()}", soft_wrap=True)
        return []
    import bench_growth_slicer

    return [bench_growth_slicer.segments()]


if __name__ == "__main__":
    typer.run(main)
