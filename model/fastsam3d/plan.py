"""Which objects of a manifest are evaluated, and the images and true masks they come with."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import or_
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clicks import Mask, Spacing
from .errors import InputError
from .geometry import spacing_of
from .images import Volume, read_grid, read_labels, read_volume
from .manifest import Label, Object, Row, read_manifest
from .metrics import Truth
from .samegrid import grid_text, same_grid

SMALLEST_OBJECT = 200
"""In voxels; smaller objects are left out."""


@dataclass(frozen=True)
class Task:
    """One object to be evaluated: a label, or a group of them."""

    row: Row
    label: Object


@dataclass(frozen=True)
class Plan:
    """The objects of a manifest, image by image; what is left out of it, and why."""

    tasks: tuple[Task, ...]
    left_out: tuple[tuple[str, str], ...]


class Scan:
    """The image and the label map of a row, on one grid.

    Raises:
        InputError: one of them cannot be read, or their grids differ.
    """

    def __init__(self, row: Row) -> None:
        assert row.image is not None, "a plan holds no row without an image"
        self._image = read_volume(row.image)
        self._labels = _labels_of(row)
        self.case = row.case
        if not same_grid(self._labels, self._image):
            raise InputError(
                f"The label map of {row.case} ({grid_text(self._labels)}) is not on its image's "
                f"grid ({grid_text(self._image)}); resample the labels, by nearest neighbour."
            )

    @property
    def volume_kji(self) -> NDArray[Any]:
        """Return the image's array: the same object every time."""
        return self._image.array_kji

    @property
    def ijk_to_ras(self) -> NDArray[np.float64]:
        """Return the image's (4, 4) matrix."""
        return self._image.ijk_to_ras

    @cached_property
    def spacing_kji_mm(self) -> Spacing:
        """Return the voxels' extents."""
        i, j, k = (float(mm) for mm in spacing_of(self.ijk_to_ras))
        return k, j, i

    def truth(self, label: Object) -> Truth:
        """Cut out the true mask of an object.

        Raises:
            InputError: the label map holds none of its values.
        """
        truth = Truth(inside(self._labels.array_kji, label), self.spacing_kji_mm)
        if not truth.voxels:
            raise InputError(
                f"The label map of {self.case} has no voxel of {label.value}; "
                "correct its labels_voxels in the manifest."
            )
        return truth

    def shares_grid(self, other: Volume) -> bool:
        """Tell whether another volume lies on the image's grid."""
        return same_grid(other, self._image)


def inside(labels_kji: NDArray[Any], label: Object) -> Mask:
    """Tell which voxels of a label map belong to an object."""
    return reduce(or_, (labels_kji == value for value in label.values))


def plan(
    manifest: Path,
    *,
    limit: int | None = None,
    split: str | None = None,
    smallest_mm3: float | None = None,
) -> Plan:
    """List the objects of a manifest that count.

    Voxels are counted in the label map where the manifest does not give them.

    Args:
        manifest: the CSV file, or its folder.
        limit: at most so many objects: one of each folder's first image, then of its second;
            once each image has given one, a second of each.
        split: only rows of this split.
        smallest_mm3: of an object that counts; by default it has `SMALLEST_OBJECT` voxels.

    Raises:
        InputError: the manifest or a label map cannot be read, or no object is left.
    """
    if limit is not None and limit < 1:
        raise InputError(f"Got a limit of {limit} objects; give 1 or more, or none.")
    tasks: list[list[Task]] = []
    left_out: list[tuple[str, str]] = []
    for row in read_manifest(manifest, split=split):
        objects, notes = _objects(row, smallest_mm3)
        tasks.append([Task(row, one) for one in objects])
        left_out += [(row.case, note) for note in notes]
    chosen = _spread(tasks, limit)
    if not chosen:
        raise InputError(
            f"{manifest} holds no object of {_least(smallest_mm3)} or more; add labels."
        )
    return Plan(chosen, tuple(left_out))


def _objects(row: Row, smallest_mm3: float | None) -> tuple[list[Object], list[str]]:
    if row.image is None or row.label is None:
        return [], ["no image" if row.image is None else "no label map"]
    objects = row.objects
    if not objects or any(one.voxels is None for one in objects):
        objects = _counted(row)
    least = SMALLEST_OBJECT if smallest_mm3 is None else smallest_mm3 / _voxel_mm3(row)
    kept = [one for one in objects if (one.voxels or 0) >= least]
    small = [one for one in objects if one not in kept]
    below = f"below {_least(smallest_mm3)}"
    return kept, [f"{_named(one)}: {one.voxels} voxels, {below}" for one in small]


def _least(smallest_mm3: float | None) -> str:
    return f"{SMALLEST_OBJECT} voxels" if smallest_mm3 is None else f"{smallest_mm3:g} mm³"


def _voxel_mm3(row: Row) -> float:
    assert row.label is not None, "it has objects"
    return float(np.prod(spacing_of(read_grid(row.label).ijk_to_ras)))


def _counted(row: Row) -> tuple[Object, ...]:
    values, counts = np.unique(_labels_of(row).array_kji, return_counts=True)
    voxels = {int(value): int(n) for value, n in zip(values, counts, strict=True) if value}
    wanted = row.objects or tuple(Label(value) for value in voxels)
    return tuple(replace(x, voxels=sum(voxels.get(v, 0) for v in x.values)) for x in wanted)


def _spread(tasks: Sequence[Sequence[Task]], limit: int | None) -> tuple[Task, ...]:
    images: Counter[str] = Counter()
    turns: dict[Task, tuple[int, int]] = {}
    for group in filter(None, tasks):
        folder = group[0].row.folder
        turns |= {task: (turn, images[folder]) for turn, task in enumerate(group)}
        images[folder] += 1
    chosen = set(sorted(turns, key=turns.__getitem__)[:limit])
    return tuple(task for task in turns if task in chosen)


def _labels_of(row: Row) -> Volume:
    assert row.label is not None, "a plan holds no row without a label map"
    return read_labels(row.label)


def _named(label: Object) -> str:
    return f"label {label.value} ({label.name})" if label.name else f"label {label.value}"
