"""What the `segment` command says of what it did: a table, or JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from .console import aside, said
from .segment import Found

HEADINGS = ("label", "object", "volume", "confidence", "uncertainty", "clicks", "")


def report(
    files: Mapping[str, Path | None],
    place: str,
    objects: Sequence[Found],
    notes: Sequence[str],
    seconds: float,
    *,
    as_json: bool,
) -> None:
    """Print a summary.

    Args:
        files: what was read and written, by what it is; `output` is the mask.
        place: the device that was used.
        objects: what was segmented.
        notes: what the user should know.
        seconds: it took.
        as_json: whether to print JSON.
    """
    if as_json:
        summary = {
            **{what: None if path is None else str(path) for what, path in files.items()},
            "device": place,
            "seconds": round(seconds, 2),
            "objects": [asdict(found) for found in objects],
            "notes": list(notes),
        }
        said.file.write(json.dumps(summary, indent=2) + "\n")
        return
    for note in notes:
        aside.print(note)
    said.print(_table(objects))
    said.print(f"{files['output']} ({seconds:.1f} s on {place})", soft_wrap=True)


def _table(objects: Sequence[Found]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("object", "") else "right")
    for found in objects:
        table.add_row(
            str(found.label), found.name, f"{found.volume_ml:.2f} mL", f"{found.confidence:.2f}",
            f"{found.uncertainty:.2f}", str(found.clicks), found.message,
        )  # fmt: skip
    return table
