"""Volumes that never were: random anatomy with random intensities, to learn from without patients.

The idea is that of SynthSeg (Billot et al. 2023) and of SynthFM-3D: a network that has seen every contrast,
resolution and artefact on random shapes meets a real scan as one more of them.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GRID = 64
"""Labels are drawn on this grid; images have twice as many voxels along each axis."""


@dataclass(frozen=True)
class Random:
    """A seeded source of random numbers on one device."""

    generator: torch.Generator
    device: torch.device

    @classmethod
    def seeded(cls, seed: int, device: str = "cpu") -> "Random":
        """Make one from a seed."""
        return cls(torch.Generator(device).manual_seed(seed), torch.device(device))

    def uniform(self, low: float, high: float) -> float:
        """Draw a number."""
        return low + (high - low) * float(self.rand(1))

    def integer(self, low: int, high: int) -> int:
        """Draw a whole number, both ends included."""
        return int(torch.randint(low, high + 1, (1,), generator=self.generator, device=self.device))

    def chance(self, probability: float) -> bool:
        """Toss a coin."""
        return float(self.rand(1)) < probability

    def rand(self, *shape: int) -> Tensor:
        """Draw uniform numbers in [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.device)

    def randn(self, *shape: int) -> Tensor:
        """Draw normal numbers."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def field(self, channels: int, resolution: int, size: int = GRID) -> Tensor:
        """Draw smooth random fields, (channels, size, size, size), with `resolution` knots a side."""
        knots = self.randn(1, channels, resolution, resolution, resolution)
        return F.interpolate(knots, size=(size,) * 3, mode="trilinear", align_corners=True)[0]


def synthetic_patch(random: Random) -> tuple[Tensor, Tensor]:
    """Draw one patch.

    Returns:
        image: (128, 128, 128) float32, in arbitrary units.
        labels: (64, 64, 64) uint8; 0 is what surrounds the body.
    """
    labels = random_labels(random)
    return random_intensities(labels, random), labels


def random_labels(random: Random) -> Tensor:
    """Draw a label map: a tissue mosaic in a body, with organs, lesions and vessels in it."""
    labels = 1 + _mosaic(random)
    next_label = int(labels.max()) + 1
    for _ in range(random.integer(0, 8)):
        next_label = _add_blob(labels, next_label, random)
    for _ in range(random.integer(0, 3)):
        next_label = _add_tube(labels, next_label, random)
    if random.chance(0.5):
        labels[~_body(random)] = 0
    return labels.to(torch.uint8)


def random_intensities(labels: Tensor, random: Random) -> Tensor:
    """Give a (64, 64, 64) label map a random contrast, texture, resolution and noise at 128³.

    Labels on a finer grid, (128, 128, 128), are taken as they are.
    """
    fine = labels.long()
    if fine.shape[0] == GRID:
        fine = fine.repeat_interleave(2, 0).repeat_interleave(2, 1).repeat_interleave(2, 2)
    image = _palette(int(fine.max()) + 1, random)[fine]
    size = fine.shape[0]
    amplitude = (random.rand(int(fine.max()) + 1) ** 2 * 0.25)[fine]
    image = image + amplitude * random.field(1, random.integer(12, 40), size)[0]
    if random.chance(0.8):
        image = F.avg_pool3d(image[None], 3, 1, 1, count_include_pad=False)[0]
    image = _lower_resolution(image, random)
    image = image + random.uniform(0, 0.4) * random.field(1, 4, size)[0]
    return image + random.uniform(0, 1) ** 2 * 0.15 * random.randn(size, size, size)


def _palette(count: int, random: Random) -> Tensor:
    means = random.rand(count)
    if random.chance(0.4):
        levels = random.integer(3, 6)
        means = (means * levels).floor() / levels + 0.06 * random.randn(count)
    means[0] = random.uniform(-0.3, 0.1) if random.chance(0.8) else random.uniform(0, 1)
    return means


def _mosaic(random: Random) -> Tensor:
    knots = (3, 4, 6, 8, 12)[random.integer(0, 4)]
    fields = random.field(random.integer(3, 14), knots) + 0.25 * random.field(1, 16)
    return fields.argmax(0)


def _distances(random: Random) -> Tensor:
    axis = torch.arange(GRID, device=random.device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))


def _rotation(random: Random) -> Tensor:
    return torch.linalg.qr(random.randn(3, 3))[0]


def _blob(random: Random, smallest: float, largest: float) -> Tensor:
    centre = (0.1 + 0.8 * random.rand(3)) * GRID
    size = smallest * (largest / smallest) ** random.uniform(0, 1)
    radii = size * (0.5 + random.rand(3))
    offset = (_distances(random) - centre[:, None, None, None]).flatten(1)
    local = (_rotation(random) @ offset) / radii[:, None]
    return (
        local.norm(dim=0).view(GRID, GRID, GRID) + 0.25 * random.field(1, random.integer(4, 10))[0]
    )


def _add_blob(labels: Tensor, label: int, random: Random) -> int:
    level = _blob(random, 2.5, 20)
    labels[level < 1] = label
    if not random.chance(0.3):
        return label + 1
    labels[level < random.uniform(0.5, 0.85)] = label + 1
    return label + 2


def _add_tube(labels: Tensor, label: int, random: Random) -> int:
    knots = (torch.cumsum(random.randn(1, 3, 5), 2) * 12 + GRID * random.rand(1, 3, 1)).clamp(
        -8, GRID + 8
    )
    path = F.interpolate(knots, size=48, mode="linear", align_corners=True)[0].T
    coarse = _distances(random)[:, ::2, ::2, ::2].flatten(1).T
    nearest = torch.cdist(coarse, path).amin(1).view(1, 1, GRID // 2, GRID // 2, GRID // 2)
    distance = F.interpolate(nearest, size=(GRID,) * 3, mode="trilinear")[0, 0]
    labels[distance < random.uniform(1.2, 5)] = label
    return label + 1


def _body(random: Random) -> Tensor:
    centre = GRID * (0.3 + 0.4 * random.rand(3))
    radii = GRID * (0.35 + 0.5 * random.rand(3))
    offset = (_distances(random) - centre[:, None, None, None]) / radii[:, None, None, None]
    return offset.norm(dim=0) + 0.08 * random.field(1, 6)[0] < 1


def _lower_resolution(image: Tensor, random: Random) -> Tensor:
    """Average thick slices along one axis, as a scan with large spacing has them."""
    if random.chance(0.55):
        return image
    factor = [1, 1, 1]
    factor[random.integer(0, 2)] = math.ceil(random.uniform(1.5, 8))
    if random.chance(0.3):
        factor = [max(2, f) for f in factor]
    coarse = F.avg_pool3d(image[None, None], factor, factor, ceil_mode=True)
    fine = F.interpolate(coarse, scale_factor=[float(f) for f in factor], mode="trilinear")[0, 0]
    size = image.shape[0]
    return fine[:size, :size, :size]
