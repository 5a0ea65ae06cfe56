"""Patches to learn from: cut from real volumes, drawn from label maps, or drawn from nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .cube import SIZE, Cube
from .errors import InputError
from .examples import (
    Example,
    Separate,
    Supervoxels,
    make_example,
    separate,
    supervoxels,
)
from .manifest import Row, read_manifest
from .synthetic import GRID, Random, random_intensities, synthetic_patch

MOST_POINTS = 5000
"""Voxels of an object that its extent is measured on."""


@dataclass(frozen=True, eq=False)
class TrainingVolume:
    """A volume, its labels or both, on one grid.

    image: (k, j, i) of any type; labels: (k, j, i) whole numbers, 0 where nothing is labelled.
    ijk_to_ras: (4, 4) float64, on the CPU.
    folder: the collection it belongs to; each is drawn from by the root of its size.
    """

    image: Tensor | None
    labels: Tensor | None
    ijk_to_ras: Tensor
    folder: str

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        """Return the number of voxels along k, j, i."""
        values = self.image if self.image is not None else self.labels
        assert values is not None
        depth, height, width = values.shape
        return depth, height, width

    @cached_property
    def label_counts(self) -> tuple[Tensor, Tensor]:
        """Return the values above 0 of the label map and their voxels, on the CPU."""
        if self.labels is None:
            empty = torch.zeros(0, dtype=torch.long, device="cpu")
            return empty, empty
        values, counts = torch.unique(self.labels[self.labels > 0], return_counts=True)
        return values.cpu(), counts.cpu()

    @property
    def has_objects(self) -> bool:
        """Tell whether anything is labelled."""
        return len(self.label_counts[0]) > 0

    def to(self, device: torch.device) -> "TrainingVolume":
        """Bring image and labels to a device."""
        image, labels = (
            None if values is None else values.to(device) for values in (self.image, self.labels)
        )
        return replace(self, image=image, labels=labels)


def read_training_volumes(manifest: Path, *, split: str | None = None) -> list[TrainingVolume]:
    """Read every volume and label map that a manifest names.

    Raises:
        InputError: an unusable manifest or file, or labels that do not lie on their image's grid.
    """
    return [read_training_volume(row) for row in read_manifest(manifest, split=split)]


def read_training_volume(row: Row) -> TrainingVolume:
    """Read one row of a manifest.

    Raises:
        InputError: as `read_training_volumes`.
    """
    from .images import read_labels, read_volume  # volumes from elsewhere need no SimpleITK

    image = None if row.image is None else read_volume(row.image)
    labels = None if row.label is None else read_labels(row.label)
    grid = image or labels
    assert grid is not None
    if image and labels and image.array_kji.shape != labels.array_kji.shape:
        raise InputError(
            f"{labels.name} has {labels.array_kji.shape} voxels and {image.name} has "
            f"{image.array_kji.shape}; resample the labels to the image's grid."
        )
    return TrainingVolume(
        None if image is None else torch.from_numpy(image.array_kji.astype(np.float32)),
        None if labels is None else torch.from_numpy(labels.array_kji.astype(np.int16)),
        torch.from_numpy(grid.ijk_to_ras),
        row.folder,
    )


class Sources:
    """Draws examples from real volumes, label maps without images, and nothing.

    Args:
        volumes: to draw from.
        spacing_mm: of every patch, and then from labelled volumes alone if there are any, as the
            published networks learnt; None lets the object decide.
        separate: splits label maps.
        supervoxels: splits images without labels.
    """

    def __init__(
        self,
        volumes: Sequence[TrainingVolume],
        *,
        spacing_mm: float | None = None,
        separate: Separate = separate,
        supervoxels: Supervoxels = supervoxels,
    ) -> None:
        self.spacing_mm = spacing_mm
        self.labelled: dict[str, list[TrainingVolume]] = defaultdict(list)
        for volume in volumes:
            if volume.image is not None and volume.has_objects:
                self.labelled[volume.folder].append(volume)
        self.maps = [v for v in volumes if v.image is None and v.has_objects]
        self.images = [v for v in volumes if v.image is not None]
        self._separate = separate
        self._supervoxels = supervoxels

    def draw(self, random: Random) -> Example:
        """Draw one example with at least one target."""
        while True:
            example = self._draw(random)
            if example.targets:
                return example

    def _draw(self, random: Random) -> Example:
        pick = random.uniform(0, 1)
        if self.labelled and (pick < 0.38 or self.spacing_mm is not None):
            return self._labelled(random)
        if self.maps and pick < 0.52:
            return self._from_map(random)
        if self.images and pick < 0.70:
            return self._unlabelled(random)
        image, labels = synthetic_patch(random)
        return make_example(image, labels, split=True, separate=self._separate)

    def _labelled(self, random: Random) -> Example:
        folders = sorted(self.labelled)
        weights = torch.tensor([len(self.labelled[f]) ** 0.5 for f in folders], device="cpu")
        volume = _any_of(self.labelled[folders[_choose(weights, random)]], random)
        assert volume.image is not None
        assert volume.labels is not None
        cube = cube_round_an_object(volume, random, self.spacing_mm)
        image = cube.sample(volume.image, volume.ijk_to_ras, SIZE, nearest=False)
        labels = cube.sample(volume.labels, volume.ijk_to_ras, GRID, nearest=True)
        return make_example(image, labels, split=False, separate=self._separate)

    def _from_map(self, random: Random) -> Example:
        volume = _any_of(self.maps, random)
        assert volume.labels is not None
        cube = cube_round_an_object(volume, random, self.spacing_mm)
        fine = cube.sample(volume.labels, volume.ijk_to_ras, SIZE, nearest=True)
        tissues = torch.unique(fine.long(), return_inverse=True)[1]
        labels = cube.sample(volume.labels, volume.ijk_to_ras, GRID, nearest=True)
        image = random_intensities(tissues, random)
        return make_example(image, labels, split=False, separate=self._separate)

    def _unlabelled(self, random: Random) -> Example:
        volume = _any_of(self.images, random)
        assert volume.image is not None
        where = random.triple() * torch.tensor(volume.shape_kji[::-1], device="cpu")
        spacing_mm = self.spacing_mm or 0.5 * 6 ** random.uniform(0, 1)
        cube = Cube.random(_to_ras(where, volume.ijk_to_ras), spacing_mm, random)
        image = cube.sample(volume.image, volume.ijk_to_ras, SIZE, nearest=False)
        regions = self._supervoxels(image, random)
        return make_example(image, regions, split=True, separate=self._separate)


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
    """Choose a label, small ones nearly as often as large ones; return its voxels in mm."""
    assert volume.labels is not None
    values, counts = volume.label_counts
    value = int(values[_choose(counts.float() ** 0.25, random)])
    voxels_ijk = (volume.labels == value).nonzero().flip(1)
    return _to_ras(voxels_ijk[:: max(1, len(voxels_ijk) // MOST_POINTS)].cpu(), volume.ijk_to_ras)


def _any_of(volumes: list[TrainingVolume], random: Random) -> TrainingVolume:
    return volumes[random.integer(0, len(volumes) - 1)]


def _choose(weights: Tensor, random: Random) -> int:
    """Draw an index in proportion to (n,) weights."""
    place = int(torch.searchsorted(weights.cumsum(0), random.uniform(0, float(weights.sum()))))
    return min(place, len(weights) - 1)


def _to_ras(points_ijk: Tensor, ijk_to_ras: Tensor) -> Tensor:
    return points_ijk.double() @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3]
