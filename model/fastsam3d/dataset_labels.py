"""The labels of one item of a dataset, as one label map; what cannot be right is refused."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .dataset_item import Item
from .dataset_resample import counts_of
from .errors import InputError
from .images import Volume, read_labels
from .samegrid import check_on_grid

SMALLEST_MM3 = 10
"""Smaller classes are dropped, as in the published protocol."""


def read_item_labels(item: Item, image: Volume) -> tuple[Volume, list[str]]:
    """Read an item's labels.

    Args:
        item: whose labels they are.
        image: one of its images; masks have to lie on its grid. Whether a label map does is for the
            caller to see, image by image.

    Returns:
        A label map of uint16, and what the user should know of it.

    Raises:
        InputError: a label map that cannot be read, or whose values are no labels.
    """
    if item.label is not None:
        return _read_map(item.label)
    return _fused(item, image)


def without_small(
    labels: Volume, names: Mapping[int, str]
) -> tuple[NDArray[np.uint16], dict[int, int], list[str]]:
    """Drop values without a name, and those of less than `SMALLEST_MM3`.

    Returns:
        The label map, its values' voxels, and what was dropped.
    """
    array = labels.array_kji
    counts = counts_of(array)
    kept: dict[int, int] = {}
    notes: list[str] = []
    for value, voxels in counts.items():
        mm3 = voxels * labels.voxel_ml * 1000
        if value not in names:
            notes.append(f"value {value} ({voxels} voxels) has no name in the dataset: dropped")
        elif mm3 < SMALLEST_MM3:
            notes.append(f"{names[value]}: {mm3:.1f} mm³, below {SMALLEST_MM3} mm³: dropped")
        else:
            kept[value] = voxels
    if len(kept) < len(counts):
        array = np.where(np.isin(array, list(kept)), array, 0).astype(np.uint16)
    return array, kept, notes


def _read_map(path: Path) -> tuple[Volume, list[str]]:
    labels = read_labels(path)
    low, high = int(labels.array_kji.min()), int(labels.array_kji.max())
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise InputError(f"{path.name} holds values from {low} to {high}; expected labels from 0")
    array = labels.array_kji.astype(np.uint16)
    return Volume(array, labels.ijk_to_ras, labels.name), list(labels.notes)


def _fused(item: Item, image: Volume) -> tuple[Volume, list[str]]:
    """Lay binary masks over one another, the smallest on top."""
    parts: list[tuple[int, tuple[slice, ...], NDArray[np.bool_]]] = []
    notes: list[str] = []
    for value, path in item.masks.items():
        try:
            mask, _ = _read_map(path)
            check_on_grid(mask, image)
        except InputError as error:
            notes.append(f"{item.names[value]}: not taken: {str(error).rstrip('.')}")
            continue
        inside = mask.array_kji > 0
        for box in ndimage.find_objects(inside.view(np.uint8), 1):
            parts.append((value, box, inside[box].copy()))
    fused = np.zeros(image.array_kji.shape, np.uint16)
    covered = 0
    for value, box, part in sorted(parts, key=lambda each: -int(each[2].sum())):
        covered += int((fused[box][part] > 0).sum())
        fused[box][part] = value
    if covered:
        notes.append(f"{covered} voxels lie in two structures; the smaller one has them")
    return Volume(fused, image.ijk_to_ras, f"{item.name}'s masks"), notes
