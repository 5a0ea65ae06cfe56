"""The manifest: a CSV table of images and labels, one row an image, paths below its folder.

Columns: `case` and `image` or `label` are needed; `patient` (the case if empty), `modality`,
`labels_voxels` (such as `1:spleen=9668;2:kidney`: values, names if known, voxels if known),
`groups` and `split` are optional; others are ignored.

The objects of a row are its labels, each value by itself. Where `groups` is filled in, such as
`1+2+4:whole tumour;1+4:tumour core;4:enhancing tumour`, they are the groups alone: each has its
values and a name, groups may overlap, and a value that is to stay an object is a group of its own.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError

TRAINING = "train"
"""The split that is learnt from unless another is asked for."""


@dataclass(frozen=True)
class Label:
    """One value of a label map; `voxels` is None if the manifest does not say."""

    value: int
    name: str = ""
    voxels: int | None = None

    @property
    def values(self) -> tuple[int, ...]:
        """Return its value alone."""
        return (self.value,)


@dataclass(frozen=True)
class Group:
    """Two or more values of a label map, ascending, that are one object; `voxels` as a label's."""

    values: tuple[int, ...]
    name: str
    voxels: int | None = None

    @property
    def value(self) -> str:
        """Write its values as the manifest does, such as 1+2+4."""
        return "+".join(map(str, self.values))


Object = Label | Group
"""What is segmented as one; its `value` is its own in a row."""


@dataclass(frozen=True)
class Row:
    """One image, its label map, or both.

    `folder` is the first part of the path, the unit that a set's mean is taken over last. With
    neither `labels` nor `groups`, every value of the label map but 0 is an object.
    """

    case: str
    patient: str
    folder: str
    image: Path | None
    label: Path | None
    modality: str = ""
    split: str = ""
    labels: tuple[Label, ...] = ()
    groups: tuple[Object, ...] = ()

    @property
    def is_ct(self) -> bool:
        """Tell whether its image is called a CT."""
        return self.modality.upper().startswith("CT")

    @property
    def objects(self) -> tuple[Object, ...]:
        """Return the groups if there are any, else the labels."""
        return self.groups or self.labels


def read_manifest(path: Path, *, split: str | None = None) -> list[Row]:
    """Read a manifest.

    Args:
        path: of the CSV file, or of the folder that holds a `manifest.csv`.
        split: keep only rows whose `split` is this.

    Raises:
        InputError: no such file, a column or a case is missing, a case comes twice, a path leads
            nowhere, or `labels_voxels` or `groups` cannot be read.
    """
    path = path / "manifest.csv" if path.is_dir() else path
    rows = [_row(line, number, path) for number, line in _lines(path)]
    _check_unique((row.case for row in rows), path)
    kept = [row for row in rows if split is None or row.split == split]
    if not kept:
        chosen = "" if split is None else f" with split {split}"
        raise InputError(f"{path} holds no row{chosen}; check the file and the split's name.")
    return kept


def split_to_learn_from(path: Path, split: str | None) -> str | None:
    """Return the split asked for; else the one for training, where a manifest names it.

    So nothing is learnt from rows that are there to be measured with, unless asked for.

    Raises:
        InputError: as `read_manifest`.
    """
    if split is None and any(row.split == TRAINING for row in read_manifest(path)):
        return TRAINING
    return split


def parse_labels(text: str) -> tuple[Label, ...]:
    """Read `value:name=voxels;…`; names and voxels may be left out.

    Raises:
        InputError: a value or a count is no whole number, or a value comes twice.
    """
    labels = tuple(_label(part) for part in text.split(";") if part.strip())
    if len({label.value for label in labels}) < len(labels):
        raise InputError(f"Got labels_voxels {text!r} with a value twice; name each value once.")
    return labels


def parse_groups(text: str, labels: Sequence[Label] = ()) -> tuple[Object, ...]:
    """Read `values:name;…`, the values joined by +; a group of one value is a label.

    Args:
        text: such as `1+2+4:whole tumour;4:enhancing tumour`.
        labels: the values that there are, and their voxels; any if this is empty.

    Raises:
        InputError: it cannot be read, names a value that there is not, or has a name or the same
            values twice.
    """
    groups = tuple(_group(part, labels) for part in text.split(";") if part.strip())
    for what in ("name", "value"):
        if len({getattr(group, what) for group in groups}) < len(groups):
            raise InputError(
                f"Got groups {text!r} with a {what} twice; give each group its own name and values."
            )
    return groups


def labels_text(labels: Iterable[Label]) -> str:
    """Write labels as `parse_labels` reads them."""
    return ";".join(
        f"{label.value}:{_plain(label.name)}" + ("" if label.voxels is None else f"={label.voxels}")
        for label in labels
    )


def groups_text(groups: Iterable[Object]) -> str:
    """Write groups as `parse_groups` reads them."""
    return ";".join(f"{group.value}:{_plain(group.name)}" for group in groups)


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, restval="")
            columns = set(table.fieldnames or ())
            lines = [(table.line_num, line) for line in table]
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; check the path of the manifest.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(f"Cannot read {path} as a manifest ({why}); give a CSV file.") from error
    if "case" not in columns or not columns & {"image", "label"}:
        raise InputError(
            f"{path} has the columns {sorted(columns)}; expected at least case, and image or label."
        )
    return lines


def _row(line: dict[str, str], number: int, path: Path) -> Row:
    case, image, label = (_cell(line, name) for name in ("case", "image", "label"))
    if not case or not (image or label):
        raise InputError(f"Row {number} of {path} lacks a case or a path; fill in both.")
    labels = parse_labels(_cell(line, "labels_voxels"))
    return Row(
        case=case,
        patient=_cell(line, "patient") or case,
        folder=_folder(image or label),
        image=_existing(path, image),
        label=_existing(path, label),
        modality=_cell(line, "modality"),
        split=_cell(line, "split"),
        labels=labels,
        groups=parse_groups(_cell(line, "groups"), labels),
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


def _group(part: str, labels: Sequence[Label]) -> Object:
    text, _, name = (half.strip() for half in part.partition(":"))
    try:
        values = sorted(int(value) for value in text.split("+"))
    except ValueError:
        values = [0]
    if values[0] < 1 or len(set(values)) < len(values) or not name or "=" in name:
        raise InputError(
            f"Got {part!r} in groups; expected values:name, such as 1+2+4:whole tumour."
        )
    voxels = {label.value: label.voxels for label in labels}
    for value in values if labels else ():
        if value not in voxels:
            raise InputError(
                f"Got {part!r} in groups, and no {value} in labels_voxels; add it there, or leave "
                "labels_voxels empty."
            )
    counts = [n for value in values if (n := voxels.get(value)) is not None]
    total = sum(counts) if len(counts) == len(values) else None
    return Label(values[0], name, total) if len(values) == 1 else Group(tuple(values), name, total)


def _plain(name: str) -> str:
    return " ".join(name.replace(";", ",").split())


def _check_unique(cases: Iterable[str], path: Path) -> None:
    seen: set[str] = set()
    for case in cases:
        if case in seen:
            raise InputError(f"{path} holds the case {case} twice; give each row its own name.")
        seen.add(case)
