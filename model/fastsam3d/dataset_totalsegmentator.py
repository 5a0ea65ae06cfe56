"""TotalSegmentator's datasets, version 1 and 2: a folder a scan, a binary file a structure."""

import csv
import re
from pathlib import Path

from .dataset_item import SPLITS, Channel, Dataset, Item, LeftOut, folders, volumes
from .errors import InputError

META = "meta.csv"

_SCAN = re.compile(r"s\d{4}")
_IMAGES = {"ct": "CT", "mri": "MRI"}
_MASKS = "segmentations"


def is_totalsegmentator(source: Path) -> bool:
    """Tell whether a folder holds scans as s0000/ct.nii.gz with s0000/segmentations."""
    return any(_SCAN.fullmatch(path.name) and _looks_right(path) for path in folders(source))


def read_totalsegmentator(source: Path, channel: str | None = None) -> Dataset:
    """List a dataset of TotalSegmentator.

    A structure's value is its place in the alphabet among all structures of the dataset. A scan
    that meta.csv puts in no split is in none: it may be one to test with.

    Raises:
        InputError: meta.csv cannot be used, or a channel is asked for.
    """
    if channel is not None:
        raise InputError(f"TotalSegmentator has one image a case; leave out channel {channel!r}.")
    scans = [path for path in folders(source) if _SCAN.fullmatch(path.name)]
    masks = {scan: volumes(scan / _MASKS) for scan in scans}
    structures = sorted({name for found in masks.values() for name in found})
    names = dict(enumerate(structures, 1))
    splits = _read_splits(source / META)
    items: list[Item] = []
    left_out: list[LeftOut] = []
    for scan in scans:
        images = {n: path for n, path in volumes(scan).items() if n in _IMAGES}
        if not images or not masks[scan]:
            lacking = "segmentations" if images else "ct.nii.gz"
            left_out.append(LeftOut(scan.name, f"no {lacking}"))
            continue
        name, image = next(iter(images.items()))
        taken = Channel(scan.name, image, _IMAGES[name])
        found = {v: masks[scan][n] for v, n in names.items() if n in masks[scan]}
        split = splits.get(scan.name, "")
        items.append(Item(scan.name, scan.name, split, (taken,), names, masks=found))
    return Dataset("totalsegmentator", "totalsegmentator", tuple(items), tuple(left_out))


def _looks_right(scan: Path) -> bool:
    return (scan / _MASKS).is_dir() or bool(volumes(scan).keys() & _IMAGES.keys())


def _read_splits(meta: Path) -> dict[str, str]:
    if not meta.is_file():
        return {}
    try:
        with meta.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file, delimiter=";"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"Cannot read {meta} ({error}); get it again.") from error
    if not lines or not {"image_id", "split"} <= lines[0].keys():
        raise InputError(
            f"{meta} lacks the columns image_id and split, parted by semicolons; get it again."
        )
    splits = {str(line["image_id"]).strip(): str(line["split"]).strip().lower() for line in lines}
    if wrong := sorted(set(splits.values()) - {*SPLITS, ""}):
        raise InputError(f"{meta} has the split {wrong[0]!r}; expected {', '.join(SPLITS)}.")
    return splits
