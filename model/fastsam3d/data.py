"""Patches to learn from: cut from real volumes, drawn from label maps, or drawn from nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .cube import SIZE, Cube
from .errors import InputError
from .examples import (
    Example,
    Intensities,
    Separate,
    Supervoxels,
    make_example,
    separate,
    supervoxels,
)
from .manifest import Row
from .overlap import Values, grouped_example, inside
from .synthetic import GRID, Random, random_intensities, synthetic_patch

_MOST_DRAWS = 500

MOST_POINTS = 5000
"""Voxels of an object that its extent is measured on."""


@dataclass(frozen=True, eq=False)
class TrainingVolume:
    """A volume, its labels or both, on one grid.

    image: (k, j, i) of any type; labels: (k, j, i) integers, 0 where nothing is labelled.
    ijk_to_ras: (4, 4) float64, on the CPU.
    folder: the collection it belongs to; each is drawn from by the root of its size.
    groups: the objects, which may overlap; if there are none, each value above 0 is one.
    is_ct: whether the image is in Hounsfield units.
    """

    image: Tensor | None
    labels: Tensor | None
    ijk_to_ras: Tensor
    folder: str
    groups: tuple[Values, ...] = ()
    is_ct: bool = False

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        """Return the number of voxels along k, j, i."""
        values = self.image if self.image is not None else self.labels
        assert values is not None
        depth, height, width = values.shape
        return depth, height, width

    @property
    def has_image(self) -> bool:
        """Tell whether it is more than a label map."""
        return self.image is not None

    @cached_property
    def voxels(self) -> dict[int, int]:
        """Return how many voxels each value of the label map has, but 0; ascending."""
        if self.labels is None:
            return {}
        counts = torch.bincount(self.labels.flatten()).tolist()
        return {value: count for value, count in enumerate(counts) if value and count}

    @cached_property
    def objects(self) -> dict[Values, int]:
        """Return the values of each object in the label map, and its voxels."""
        groups = self.groups or [(value,) for value in self.voxels]
        sums = {group: sum(self.voxels.get(value, 0) for value in group) for group in groups}
        return {group: total for group, total in sums.items() if total}

    @property
    def has_objects(self) -> bool:
        """Tell whether anything in it is an object."""
        return bool(self.objects)

    def load(self) -> "TrainingVolume":
        """Return itself: it is in memory."""
        return self

    def to(self, device: torch.device) -> "TrainingVolume":
        """Bring image and labels to a device."""
        image, labels = (
            None if values is None else values.to(device) for values in (self.image, self.labels)
        )
        return replace(self, image=image, labels=labels)


class Drawable(Protocol):
    """A volume to draw from, which may have to be read first."""

    @property
    def folder(self) -> str:
        """Return the collection it belongs to."""

    @property
    def has_image(self) -> bool:
        """Tell whether it is more than a label map."""

    @property
    def has_objects(self) -> bool:
        """Tell whether anything in it is an object."""

    def load(self) -> TrainingVolume:
        """Bring its voxels to memory."""


def read_training_volume(row: Row) -> TrainingVolume:
    """Read one row of a manifest, in as few bits as hold every value.

    Raises:
        InputError: an unusable file, labels that do not lie on their image's grid, or a label map
            that can be none, or is not what the row says.
    """
    from .images import read_labels, read_volume  # volumes from elsewhere need no SimpleITK
    from .samegrid import check_on_grid
    from .truthcheck import check_range, check_voxels

    image = None if row.image is None else read_volume(row.image)
    labels = None if row.label is None else read_labels(row.label)
    if labels is not None:
        check_range(row.case, int(labels.array_kji.min()), int(labels.array_kji.max()))
    if labels is not None and image is not None:
        check_on_grid(labels, image)
    grid = image or labels
    assert grid is not None
    volume = TrainingVolume(
        None if image is None else _compact(image.array_kji),
        None if labels is None else _compact(labels.array_kji),
        torch.from_numpy(grid.ijk_to_ras),
        row.folder,
        tuple(group.values for group in row.groups),
        row.is_ct,
    )
    if labels is not None:
        check_voxels(row, volume.voxels)
    return volume


def _compact(array: NDArray[Any]) -> Tensor:
    """Keep integers as bytes or 16 bits if their whole range fits, as `Cube.sample` wants it."""
    if array.dtype.kind in "iu":
        low, high = int(array.min()), int(array.max())
        for kind in (np.uint8, np.int16, np.int32):
            ends = np.iinfo(kind)
            if ends.min <= low and high <= ends.max and high - low <= ends.max:
                return torch.from_numpy(array.astype(kind))
    return torch.from_numpy(array.astype(np.float32))


class Sources:
    """Draws examples from real volumes, label maps without images, and nothing.

    Args:
        volumes: to draw from.
        spacing_mm: of every patch, and then from labelled volumes alone if there are any, as the
            published networks learnt, and with intensities; None lets the object decide.
        separate: splits label maps.
        supervoxels: splits images without labels.
    """

    def __init__(
        self,
        volumes: Sequence[Drawable],
        *,
        spacing_mm: float | None = None,
        separate: Separate = separate,
        supervoxels: Supervoxels = supervoxels,
    ) -> None:
        self.spacing_mm = spacing_mm
        self.labelled: dict[str, list[Drawable]] = defaultdict(list)
        for volume in volumes:
            if volume.has_image and volume.has_objects:
                self.labelled[volume.folder].append(volume)
        self.maps = [v for v in volumes if not v.has_image and v.has_objects]
        self.images = [v for v in volumes if v.has_image]
        self._separate = separate
        self._supervoxels = supervoxels

    def draw(self, random: Random) -> Example:
        """Draw one example with at least one target.

        Raises:
            InputError: none was found in many patches.
        """
        for _ in range(_MOST_DRAWS):
            example = self._draw(random)
            if example.targets:
                return example
        raise InputError(
            f"{_MOST_DRAWS} patches in a row held no object to learn from; label objects that are "
            "not far smaller than a patch."
        )

    def _draw(self, random: Random) -> Example:
        pick = random.uniform(0, 1)
        if self.labelled and (pick < 0.38 or self.spacing_mm is not None):
            return self._labelled(random)
        if self.maps and pick < 0.52:
            return self._from_map(random)
        if self.images and pick < 0.70:
            return self._unlabelled(random)
        image, labels = synthetic_patch(random)
        drawn = make_example(image, labels, split=True, separate=self._separate)
        return self._with_intensities(drawn, image)

    def _labelled(self, random: Random) -> Example:
        folders = sorted(self.labelled)
        weights = torch.tensor([len(self.labelled[f]) ** 0.5 for f in folders], device="cpu")
        volume = _any_of(self.labelled[folders[_choose(weights, random)]], random)
        assert volume.image is not None
        assert volume.labels is not None
        cube = cube_round_an_object(volume, random, self.spacing_mm)
        image = cube.sample(volume.image, volume.ijk_to_ras, SIZE, nearest=False)
        labels = cube.sample(volume.labels, volume.ijk_to_ras, GRID, nearest=True)
        drawn = grouped_example(image, labels, volume.groups, self._separate)
        return self._with_intensities(drawn, image, is_ct=volume.is_ct)

    def _from_map(self, random: Random) -> Example:
        volume = _any_of(self.maps, random)
        assert volume.labels is not None
        cube = cube_round_an_object(volume, random, self.spacing_mm)
        fine = cube.sample(volume.labels, volume.ijk_to_ras, SIZE, nearest=True)
        tissues = torch.unique(fine.long(), return_inverse=True)[1]
        labels = cube.sample(volume.labels, volume.ijk_to_ras, GRID, nearest=True)
        image = random_intensities(tissues, random)
        drawn = grouped_example(image, labels, volume.groups, self._separate)
        return self._with_intensities(drawn, image)

    def _unlabelled(self, random: Random) -> Example:
        volume = _any_of(self.images, random)
        assert volume.image is not None
        where = random.triple() * torch.tensor(volume.shape_kji[::-1], device="cpu")
        spacing_mm = self.spacing_mm or 0.5 * 6 ** random.uniform(0, 1)
        cube = Cube.random(_to_ras(where, volume.ijk_to_ras), spacing_mm, random)
        image = cube.sample(volume.image, volume.ijk_to_ras, SIZE, nearest=False)
        regions = self._supervoxels(image, random)
        drawn = make_example(image, regions, split=True, separate=self._separate)
        return self._with_intensities(drawn, image, is_ct=volume.is_ct)

    def _with_intensities(self, drawn: Example, image: Tensor, *, is_ct: bool = False) -> Example:
        if self.spacing_mm is None:
            return drawn
        return replace(drawn, intensities=Intensities.of(image, is_ct=is_ct))


def cube_round_an_object(
    volume: TrainingVolume, random: Random, spacing_mm: float | None = None
) -> Cube:
    """Choose an object and a cube that it fills to 0.25 to 0.85, at times less or more.

    Or, with a spacing, a cube of that.
    """
    points_ras = _points_of_an_object(volume, random)
    low, high = points_ras.amin(0), points_ras.amax(0)
    fill = random.uniform(0.25, 0.85)
    if random.chance(0.25):
        fill = 0.08 * 17 ** random.uniform(0, 1)
    if spacing_mm is None:
        spacing_mm = min(max(float((high - low).max()) / (fill * SIZE), 0.25), 4.0)
    anchor = (low + high) / 2
    if random.chance(0.4):
        anchor = points_ras[random.integer(0, len(points_ras) - 1)]
    shift = (random.triple() - 0.5) * 0.35 * SIZE * spacing_mm
    return Cube.random(anchor + shift, spacing_mm, random)


def _points_of_an_object(volume: TrainingVolume, random: Random) -> Tensor:
    """Choose an object, small ones nearly as often as large ones; return its voxels in mm."""
    assert volume.labels is not None
    voxels = torch.tensor(list(volume.objects.values()), device="cpu").float()
    values = list(volume.objects)[_choose(voxels**0.25, random)]
    held = [value for value in values if value in volume.voxels]  # a byte wraps what it cannot hold
    voxels_ijk = inside(volume.labels, held).nonzero().flip(1)
    return _to_ras(voxels_ijk[:: max(1, len(voxels_ijk) // MOST_POINTS)].cpu(), volume.ijk_to_ras)


def _any_of(volumes: Sequence[Drawable], random: Random) -> TrainingVolume:
    return volumes[random.integer(0, len(volumes) - 1)].load()


def _choose(weights: Tensor, random: Random) -> int:
    """Draw an index in proportion to (n,) weights."""
    place = int(torch.searchsorted(weights.cumsum(0), random.uniform(0, float(weights.sum()))))
    return min(place, len(weights) - 1)


def _to_ras(points_ijk: Tensor, ijk_to_ras: Tensor) -> Tensor:
    return points_ijk.double() @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3]
