"""The manifest: a CSV table of images and labels, one row an image, paths below its folder.

Columns: `case` and `image` or `label` are needed; `patient` (the case if empty), `modality`,
`labels_voxels` (such as `1:spleen=9668;2:kidney`: values, names if known, voxels if known) and
`split` are optional; others are ignored.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError


@dataclass(frozen=True)
class Label:
    """One value of a label map; `voxels` is None if the manifest does not say."""

    value: int
    name: str = ""
    voxels: int | None = None


@dataclass(frozen=True)
class Row:
    """One image, its label map, or both.

    `folder` is the first part of the path, the unit that a set's mean is taken over last. An
    empty `labels` says that every value of the label map but 0 is an object.
    """

    case: str
    patient: str
    folder: str
    image: Path | None
    label: Path | None
    modality: str = ""
    split: str = ""
    labels: tuple[Label, ...] = ()


def read_manifest(path: Path, *, split: str | None = None) -> list[Row]:
    """Read a manifest.

    Args:
        path: of the CSV file, or of the folder that holds a `manifest.csv`.
        split: keep only rows whose `split` is this.

    Raises:
        InputError: no such file, a column or a case is missing, a case comes twice, a path leads
            nowhere, or `labels_voxels` cannot be read.
    """
    path = path / "manifest.csv" if path.is_dir() else path
    rows = [_row(line, number, path) for number, line in _lines(path)]
    _check_unique((row.case for row in rows), path)
    kept = [row for row in rows if split is None or row.split == split]
    if not kept:
        chosen = "" if split is None else f" with split {split}"
        raise InputError(f"{path} holds no row{chosen}; check the file and the split's name.")
    return kept


def parse_labels(text: str) -> tuple[Label, ...]:
    """Read `value:name=voxels;…`; names and voxels may be left out.

    Raises:
        InputError: a value or a count is no whole number, or a value comes twice.
    """
    labels = tuple(_label(part) for part in text.split(";") if part.strip())
    if len({label.value for label in labels}) < len(labels):
        raise InputError(f"Got labels_voxels {text!r} with a value twice; name each value once.")
    return labels


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, restval="")
            columns = set(table.fieldnames or ())
            lines = [(table.line_num, line) for line in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"Cannot read {path} as a manifest ({error}); give a CSV file.") from error
    if "case" not in columns or not columns & {"image", "label"}:
        raise InputError(
            f"{path} has the columns {sorted(columns)}; expected at least case, and image or label."
        )
    return lines


def _row(line: dict[str, str], number: int, path: Path) -> Row:
    case, image, label = (_cell(line, name) for name in ("case", "image", "label"))
    if not case or not (image or label):
        raise InputError(f"Row {number} of {path} lacks a case or a path; fill in both.")
    return Row(
        case=case,
        patient=_cell(line, "patient") or case,
        folder=_folder(image or label),
        image=_existing(path, image),
        label=_existing(path, label),
        modality=_cell(line, "modality"),
        split=_cell(line, "split"),
        labels=parse_labels(_cell(line, "labels_voxels")),
    )


def _cell(line: dict[str, str], name: str) -> str:
    return (line.get(name) or "").strip()


def _folder(relative: str) -> str:
    path = Path(relative)
    return path.parent.name if path.is_absolute() else "/".join(path.parts[:-1][:1])


def _existing(manifest: Path, relative: str) -> Path | None:
    if not relative:
        return None
    found = manifest.parent / relative
    if not found.exists():
        raise InputError(f"{manifest} names {relative}, but {found} does not exist; mend the path.")
    return found


def _label(part: str) -> Label:
    value, _, rest = part.strip().partition(":")
    name, equals, voxels = rest.rpartition("=") if "=" in rest else (rest, "", "")
    try:
        return Label(int(value), name.strip(), int(voxels) if equals else None)
    except ValueError:
        raise InputError(
            f"Got {part!r} in labels_voxels; expected value:name=voxels, such as 1:spleen=9668."
        ) from None


def _check_unique(cases: Iterable[str], path: Path) -> None:
    seen: set[str] = set()
    for case in cases:
        if case in seen:
            raise InputError(f"{path} holds the case {case} twice; give each row its own name.")
        seen.add(case)
