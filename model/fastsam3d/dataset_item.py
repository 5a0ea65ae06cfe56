"""A public dataset as it was downloaded: what belongs together, before any voxel is read."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import InputError
from .manifest import Object

SPLITS = ("train", "val", "test")

VOLUME_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


@dataclass(frozen=True)
class Channel:
    """One image of an item; it becomes one row of the manifest."""

    case: str
    image: Path
    modality: str


@dataclass(frozen=True)
class Item:
    """The images of one examination, on one grid, and the labels that they share.

    label: the label map, or None where `masks` has a binary file for each value.
    names: of the label map's values; a value without a name is no object.
    groups: for the manifest's column of that name, of values with a name.
    """

    name: str
    patient: str
    split: str
    channels: tuple[Channel, ...]
    names: Mapping[int, str]
    label: Path | None = None
    masks: Mapping[int, Path] = field(default_factory=dict)
    groups: tuple[Object, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """An image, label or structure that is not taken, and why."""

    case: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """A dataset in one of the layouts; `name` becomes the folder of its files.

    notes: for the report.
    warnings: for the report and the console.
    """

    name: str
    layout: str
    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def shown(names: Iterable[str], few: int) -> str:
    """List names, the first ones of many."""
    listed = list(names)
    more = f" and {len(listed) - few} more" if len(listed) > few else ""
    return ", ".join(listed[:few]) + more


def stem(file_name: str) -> str:
    """Return a file's name without the suffix of a volume, and without folders."""
    name = file_name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    for suffix in VOLUME_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def volumes(folder: Path) -> dict[str, Path]:
    """List the volumes right in a folder by their stem; none if there is no such folder.

    Files that begin with a dot are no volumes: archives made on macOS hold such shadows.

    Raises:
        InputError: a stem comes twice.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or not path.name.lower().endswith(VOLUME_SUFFIXES):
            continue
        if stem(path.name) in found:
            raise InputError(
                f"{folder} holds {path.name} and {found[stem(path.name)].name}; remove one of them."
            )
        found[stem(path.name)] = path
    return found


def folders(folder: Path) -> list[Path]:
    """List the folders right in a folder, in the order of their names."""
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"Cannot read {path} as JSON ({error}); mend it or get it again."
        ) from error
