"""Patches to learn from: cut from real volumes, drawn from label maps, or drawn from nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from .images import read_volume
from .manifest import read_manifest
from .synthetic import GRID, Random, random_intensities, synthetic_patch

SIZE = 2 * GRID
SMALLEST_TARGET = 48
"""In cells of the 64³ label grid."""


@dataclass(frozen=True)
class Example:
    """One patch and the objects in it.

    image: (128, 128, 128) uint8, the 0.5th to the 99.5th percentile of the patch.
    objects: (64, 64, 64) uint8, 0 where nothing is to be segmented.
    targets: groups of values of `objects`; each group is one object.
    """

    image: Tensor
    objects: Tensor
    targets: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class TrainingVolume:
    """A volume, its labels or both, on one grid."""

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


@dataclass(frozen=True)
class Cube:
    """A cube in the world: `axes` are its array axes as columns, in RAS."""

    centre_ras: Tensor
    axes: Tensor
    spacing_mm: float

    @classmethod
    def random(cls, centre_ras: Tensor, spacing_mm: float, random: Random) -> "Cube":
        """Turn it by up to some 20 degrees, half of the time."""
        skew = torch.zeros(3, 3)
        if random.chance(0.5):
            angles = 0.35 * (2 * random.rand(3).cpu() - 1)
            skew[0, 1], skew[0, 2], skew[1, 2] = angles.tolist()
        return cls(centre_ras, torch.linalg.matrix_exp(skew - skew.T), spacing_mm)

    def sample(self, values: Tensor, ijk_to_ras: Tensor, size: int, *, nearest: bool) -> Tensor:
        """Resample a (k, j, i) volume to (size, size, size) float32; its minimum lies outside."""
        scale = SIZE / size * self.spacing_mm
        ras_to_ijk = torch.linalg.inv(ijk_to_ras.double())
        step = ras_to_ijk[:3, :3] @ (self.axes.double() * scale)
        start = ras_to_ijk[:3, :3] @ self.centre_ras.double() + ras_to_ijk[:3, 3]
        start = start - step.sum(1) * (size - 1) / 2
        if not nearest:
            values, start, step = _averaged(values, start, step)
        width_ijk = torch.tensor(values.shape[::-1], dtype=torch.float64)
        start, step = (2 * start + 1) / width_ijk - 1, 2 * step / width_ijk[:, None]
        n = torch.arange(size, dtype=torch.float64)
        lines = [(n[:, None] * step[:, axis]).to(values.device, torch.float32) for axis in range(3)]
        grid = lines[0][:, None, None] + lines[1][:, None] + lines[2]
        grid += start.to(grid)
        low = values.amin()
        mode = "nearest" if nearest else "bilinear"
        sampled = F.grid_sample(
            (values - low).float()[None, None], grid[None], mode, "zeros", False
        )
        return sampled[0, 0] + low


def _averaged(values: Tensor, start: Tensor, step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Average voxels that are finer than the cube's, so that none is stepped over."""
    factor = step.norm(dim=1).div(1.3).floor().clamp(1, 8).long().tolist()
    factor = [min(f, n) for f, n in zip(factor, values.shape[::-1], strict=True)]
    if factor == [1, 1, 1]:
        return values, start, step
    pooled = F.avg_pool3d(values.float()[None, None], factor[::-1], factor[::-1], ceil_mode=True)
    scale = torch.tensor(factor, dtype=torch.float64)
    return pooled[0, 0], (start + 0.5) / scale - 0.5, step / scale[:, None]


def read_training_volumes(manifest: Path) -> list[TrainingVolume]:
    """Read every volume and label map that a manifest names."""
    return [
        _read(None if not row.image else row.image, None if not row.label else row.label)
        for row in read_manifest(manifest)
    ]


def _read(image_path: Path | None, label_path: Path | None) -> TrainingVolume:
    image = read_volume(image_path) if image_path else None
    label = read_volume(label_path) if label_path else None
    grid = image or label
    assert grid is not None
    return TrainingVolume(
        None if image is None else torch.from_numpy(image.array_kji.astype(np.float32)),
        None if label is None else torch.from_numpy(label.array_kji.astype(np.int16)),
        torch.from_numpy(grid.ijk_to_ras),
        (image_path or label_path or Path()).parent.name,
    )


class Sources:
    """Draws examples from real volumes, label maps without images, and nothing."""

    def __init__(self, volumes: Sequence[TrainingVolume], random: Random):
        self.random = random
        self.labelled: dict[str, list[TrainingVolume]] = defaultdict(list)
        for volume in volumes:
            if volume.image is not None and volume.labels is not None:
                self.labelled[volume.folder].append(volume)
        self.maps = [v for v in volumes if v.image is None]
        self.images = [v for v in volumes if v.image is not None]

    def draw(self) -> Example:
        """Draw one example with at least one target."""
        while True:
            pick = self.random.uniform(0, 1)
            if self.labelled and pick < 0.38:
                example = self._labelled()
            elif self.maps and pick < 0.52:
                example = self._from_map()
            elif self.images and pick < 0.70:
                example = self._supervoxels()
            else:
                example = self._synthetic()
            if example.targets:
                return example

    def _labelled(self) -> Example:
        folders = sorted(self.labelled)
        weights = torch.tensor([len(self.labelled[f]) ** 0.5 for f in folders])
        folder = folders[_choose(weights, self.random)]
        volume = self.labelled[folder][self.random.integer(0, len(self.labelled[folder]) - 1)]
        assert volume.image is not None
        assert volume.labels is not None
        cube = self._cube_round_an_object(volume)
        image = cube.sample(volume.image, volume.ijk_to_ras, SIZE, nearest=False)
        labels = cube.sample(volume.labels, volume.ijk_to_ras, GRID, nearest=True)
        return _example(image, labels, split=False)

    def _from_map(self) -> Example:
        volume = self.maps[self.random.integer(0, len(self.maps) - 1)]
        assert volume.labels is not None
        cube = self._cube_round_an_object(volume)
        fine = cube.sample(volume.labels, volume.ijk_to_ras, SIZE, nearest=True)
        values, fine = fine.long().unique(return_inverse=True)
        labels = cube.sample(volume.labels, volume.ijk_to_ras, GRID, nearest=True)
        return _example(random_intensities(fine, self.random), labels, split=False)

    def _supervoxels(self) -> Example:
        volume = self.images[self.random.integer(0, len(self.images) - 1)]
        assert volume.image is not None
        where = self.random.rand(3).cpu() * torch.tensor(volume.shape_kji[::-1])
        spacing = 0.5 * 6 ** self.random.uniform(0, 1)
        cube = Cube.random(_to_ras(where, volume.ijk_to_ras), spacing, self.random)
        image = cube.sample(volume.image, volume.ijk_to_ras, SIZE, nearest=False)
        return _example(image, supervoxels(image, self.random), split=True)

    def _synthetic(self) -> Example:
        image, labels = synthetic_patch(self.random)
        return _example(image, labels, split=True)

    def _cube_round_an_object(self, volume: TrainingVolume) -> Cube:
        """Choose an object and a cube that it fills to 0.25 to 0.85, at times less or more."""
        assert volume.labels is not None
        values, counts = volume.labels[volume.labels > 0].unique(return_counts=True)
        value = values[_choose(counts.float() ** 0.25, self.random)]
        voxels = (volume.labels == value).nonzero().flip(1).double()
        voxels = voxels[:: max(1, len(voxels) // 5000)]
        points = _to_ras(voxels, volume.ijk_to_ras)
        low, high = points.amin(0), points.amax(0)
        fill = self.random.uniform(0.25, 0.85)
        if self.random.chance(0.25):
            fill = 0.08 * 17 ** self.random.uniform(0, 1)
        spacing = float((high - low).max()) / (fill * SIZE)
        spacing = min(max(spacing, 0.25), 4.0)
        anchor = (low + high) / 2
        if self.random.chance(0.4):
            anchor = points[self.random.integer(0, len(points) - 1)]
        shift = (self.random.rand(3).cpu() - 0.5) * 0.35 * SIZE * spacing
        return Cube.random(anchor + shift, spacing, self.random)


def supervoxels(image: Tensor, random: Random) -> Tensor:
    """Split a patch into regions of like intensity: (64, 64, 64), 1 to a few bands."""
    coarse = F.avg_pool3d(image[None, None], 2)[0, 0].cpu().numpy()
    smooth = ndimage.gaussian_filter(coarse, random.uniform(0.6, 1.6))
    quantiles = np.sort(random.rand(random.integer(2, 6)).cpu().numpy())
    bands = np.digitize(smooth, np.quantile(smooth, quantiles))
    return torch.from_numpy(ndimage.median_filter(bands, 3) + 1)


def to_uint8(image: Tensor) -> Tensor:
    """Map the 0.5th to 99.5th percentile of a patch to 0 to 255."""
    low, high = torch.quantile(
        image.flatten()[::37].float(), torch.tensor([0.005, 0.995], device=image.device)
    )
    return ((image - low) / (high - low).clamp(min=1e-6) * 255).round().clamp(0, 255).byte()


def _example(image: Tensor, labels: Tensor, *, split: bool) -> Example:
    """Turn labels into targets; `split` makes each connected part an object of its own."""
    numpy_labels = labels.cpu().numpy().astype(np.int32)
    objects = np.zeros(numpy_labels.shape, np.uint8)
    targets: list[tuple[int, ...]] = []
    for value in np.unique(numpy_labels[numpy_labels > 0]):
        parts, count = ndimage.label(numpy_labels == value)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
        kept = [n + 1 for n in np.argsort(-sizes)[:12] if sizes[n] >= SMALLEST_TARGET]
        group = []
        for part in kept:
            if len(targets) + len(group) >= 250 or sizes[part - 1] > 0.5 * numpy_labels.size:
                continue
            number = 1 + sum(map(len, targets)) + len(group)
            if number > 255:
                break
            objects[parts == part] = number
            group.append(number)
        targets += [(n,) for n in group] if split else [tuple(group)] if group else []
    return Example(to_uint8(image), torch.from_numpy(objects), tuple(targets))


def _choose(weights: Tensor, random: Random) -> int:
    return int(torch.searchsorted(weights.cumsum(0), random.uniform(0, float(weights.sum()))))


def _to_ras(points_ijk: Tensor, ijk_to_ras: Tensor) -> Tensor:
    return points_ijk.double() @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3]
