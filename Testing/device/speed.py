"""Measure speed on a GPU: python speed.py OUT. See README.md.

First each part of each network beside its plain form, what is asked of it and the card's own limit;
then a sweep over precisions, numbers of clicks and sizes of patches, replayed from CUDA graphs and
launched one kernel after the other.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from fastsam3d.benchmark.machine import machine
from fastsam3d.benchmark.speed import (
    DECODE,
    ENCODE,
    MASK,
    NETWORKS,
    Clicks,
    Pace,
    Speed,
    actions,
    speeds,
)
from fastsam3d.benchmark.speed_table import show, write_json
from fastsam3d.config import PRESETS, CompactConfig
from fastsam3d.console import said
from fastsam3d.errors import InputError
from fastsam3d.fastest import candidates
from fastsam3d.inputs import pick_device
from fastsam3d.loading import build
from fastsam3d.precision import Precision, cast
from fastsam3d.whole import write_text

ASKED = {("fastsam3d", ENCODE): 0.4, ("fastsam3d", MASK): 0.25, ("sam-med3d", ENCODE): 1.0}
"""Of a present data-centre GPU, ms."""
LEAST_GAIN = 5.0
"""How many times as fast as the plain form those parts are to be."""

COUNTS = (1, 2, 4, 8, 16, 32, 64)
SIZES = (128, 256)


@dataclass(frozen=True)
class Swept:
    """One way to compute one part: ms, the median."""

    network: str
    part: str
    precision: Precision
    replayed: bool
    clicks: int
    patch_size: int
    ms: float


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write `speed.json` and `sweep.json`."""
    options = _parse(arguments)
    try:
        pick_device(options.device)
    except InputError as error:
        said.print(str(error), soft_wrap=True)
        return 2
    pace, folder = Pace(options.runs, options.seconds), Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    found = show(speeds(options.network, options.device, pace))
    write_json(folder / "speed.json", found)
    for speed in found if pick_device(options.device).type == "cuda" else ():
        said.print(verdict(speed), soft_wrap=True)
    rows = []
    for row in swept(options.network, options.device, pace, options.counts, options.sizes):
        rows.append(asdict(row))
        said.print(line_of(row), soft_wrap=True)
        written = {"machine": machine(), "rows": rows}
        write_text(folder / "sweep.json", json.dumps(written, indent=1) + "\n")
    return 0


def verdict(speed: Speed) -> str:
    """Say whether a part is as fast as asked."""
    name = f"{speed.network}: {speed.part}"
    asked = ASKED.get((speed.network, speed.part))
    if asked is None or speed.gain is None:
        return f"{name}: nothing is asked"
    fast, gained = speed.ms <= asked, speed.gain >= LEAST_GAIN
    return (
        f"{name}: {speed.ms:.3g} ms, {'met' if fast else 'MISSED'}: {asked:g} ms; "
        f"{speed.gain:.1f} times as fast as plain, {'met' if gained else 'MISSED'}: {LEAST_GAIN:g}"
    )


def swept(
    networks: Sequence[str], device: str, pace: Pace, counts: Sequence[int], sizes: Sequence[int]
) -> Iterator[Swept]:
    """Measure each way to compute; numbers of clicks at the usual patch alone.

    The teacher's windows are larger than the grid of no patch but the usual one.
    """
    where = pick_device(device)
    precisions: tuple[Precision, ...] = ("float32", *candidates(where))
    for name in networks:
        for size in sizes if name != "sam-med3d" else (128,):
            for precision in precisions:
                yield from _ways(name, size, precision, where, pace, counts if size == 128 else ())


def _ways(
    name: str,
    size: int,
    precision: Precision,
    device: torch.device,
    pace: Pace,
    counts: Sequence[int],
) -> Iterator[Swept]:
    torch.manual_seed(0)
    config = PRESETS[name]
    if isinstance(config, CompactConfig):
        config = replace(config, patch_size=size, mask_size=size // 2)
    else:
        config = replace(config, patch_size=size)
    network = build(config).to(device).eval().requires_grad_(requires_grad=False)
    network.to(memory_format=torch.channels_last_3d)
    cast(network, precision)
    for replayed in (True, False) if device.type == "cuda" else (False,):
        alone = actions(network, replayed=replayed)
        for part in (ENCODE, MASK):
            ms = pace.ms(alone[part], device)
            yield Swept(name, part, precision, replayed, 3, size, ms)
        for count in counts:
            decode = actions(network, clicks=clicks(count, size), replayed=replayed)[DECODE]
            ms = pace.ms(decode, device)
            yield Swept(name, DECODE, precision, replayed, count, size, ms)


def clicks(count: int, size: int) -> Clicks:
    """Draw so many clicks, in turn to include and to exclude."""
    random = torch.Generator().manual_seed(count)
    places = (size * torch.rand(count, 3, generator=random)).tolist()
    return [tuple(place) for place in places], [1 - n % 2 for n in range(count)]


def line_of(row: Swept) -> str:
    """Write a row as a line."""
    how = "replayed" if row.replayed else "launched"
    where = f"{row.patch_size}³, {row.clicks} clicks"
    return f"{row.network}: {row.part}, {where}, {row.precision}, {how}: {row.ms:.3g} ms"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("output", type=Path)
    add("--device", default="cuda")
    add("--network", nargs="+", default=NETWORKS, choices=NETWORKS)
    add("--runs", type=int, default=100, help="of each, of which the median is taken")
    add("--seconds", type=float, default=2.0, help="after which no further run begins")
    add("--counts", nargs="*", type=int, default=COUNTS, help="of clicks, in the sweep")
    add("--sizes", nargs="*", type=int, default=SIZES, help="of patches, in the sweep")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
