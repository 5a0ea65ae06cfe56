"""What `benchmark speed` says: a line a part, as it is measured."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from rich.table import Table

from ..console import said
from ..whole import write_text
from .machine import machine
from .speed import Speed

COLUMNS = ("precision", "ms", "plain", "gain", "limit", "off")

NOTE = (
    "In ms, medians. plain: the same weights in float32, attention written out, layers one by one; "
    "limit: the arithmetic or the weights' bytes at this device's measured best; off: from plain's "
    "output, relative."
)


def show(found: Iterable[Speed]) -> list[Speed]:
    """Print a table of what is measured; return it."""
    kept = list(found)
    table = Table()
    table.add_column("", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for network, own in groupby(kept, key=lambda speed: speed.network):
        table.add_section()
        table.add_row(network)
        for speed in own:
            table.add_row(f"  {speed.part}", *cells(speed))
    said.print(machine(), soft_wrap=True)
    said.print(table)
    said.print(NOTE + _weights(kept), soft_wrap=True)
    return kept


def cells(speed: Speed) -> tuple[str, ...]:
    """Write the figures of a part in the order of `COLUMNS`."""
    return (
        speed.precision,
        number(speed.ms),
        number(speed.plain_ms),
        "" if speed.gain is None else f"{speed.gain:.1f} x",
        number(speed.limit_ms),
        "" if speed.error is None else f"{100 * speed.error:.2g} %",
    )


def number(value: float | None) -> str:
    """Write a number with three digits; nothing for None."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def write_json(path: Path, speeds: Iterable[Speed]) -> None:
    """Write what was measured, with the machine.

    Raises:
        InputError: the file cannot be written.
    """
    rows = [asdict(speed) | {"gain": speed.gain} for speed in speeds]
    write_text(path, json.dumps({"machine": machine(), "speeds": rows}, indent=1) + "\n")


def _weights(speeds: Iterable[Speed]) -> str:
    drawn = sorted({speed.network for speed in speeds if speed.weights == "random"})
    return f" Random weights, which are as fast: {', '.join(drawn)}." if drawn else ""
