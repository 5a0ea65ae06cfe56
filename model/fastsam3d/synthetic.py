"""Volumes that never were: random anatomy with random intensities, to learn from without patients.

The idea is that of SynthSeg (Billot et al. 2023) and of SynthFM-3D: a network that has seen every
contrast, resolution and artefact on random shapes meets a real scan as one more of them.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

GRID = 64
"""Labels are drawn on this grid; images have twice as many voxels along each axis."""


@dataclass(frozen=True)
class Random:
    """A seeded source of random numbers: tensors on one device, single numbers on the host.

    On the CPU both come from one generator; elsewhere a number does not wait for the device.
    """

    generator: torch.Generator
    host: torch.Generator
    device: torch.device

    @classmethod
    def seeded(cls, *numbers: int, device: str | torch.device = "cpu") -> "Random":
        """Make one from one or several numbers, such as a seed and a step; order matters."""
        words = np.random.SeedSequence(numbers).generate_state(2, np.uint64) >> 1
        where = torch.device(device)
        host = torch.Generator("cpu").manual_seed(int(words[0]))
        if where.type == "cpu":
            return cls(host, host, where)
        return cls(torch.Generator(where).manual_seed(int(words[1])), host, where)

    def uniform(self, low: float, high: float) -> float:
        """Draw a number."""
        return low + (high - low) * float(torch.rand(1, generator=self.host, device="cpu"))

    def integer(self, low: int, high: int) -> int:
        """Draw a whole number, both ends included."""
        drawn = torch.randint(low, high + 1, (1,), generator=self.host, device="cpu")
        return int(drawn)

    def chance(self, probability: float) -> bool:
        """Toss a coin."""
        return self.uniform(0, 1) < probability

    def triple(self) -> Tensor:
        """Draw three uniform numbers in [0, 1) on the host."""
        return torch.rand(3, generator=self.host, device="cpu")

    def order(self) -> list[int]:
        """Draw an order of three axes."""
        axes: list[int] = torch.randperm(3, generator=self.host, device="cpu").tolist()
        return axes

    def rand(self, *shape: int) -> Tensor:
        """Draw uniform numbers in [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.device)

    def randn(self, *shape: int) -> Tensor:
        """Draw normal numbers."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def field(self, channels: int, resolution: int, size: int = GRID) -> Tensor:
        """Draw smooth fields, (channels, size, size, size), with `resolution` knots a side."""
        knots = self.randn(1, channels, resolution, resolution, resolution)
        return F.interpolate(knots, size=(size,) * 3, mode="trilinear", align_corners=True)[0]


def synthetic_patch(random: Random) -> tuple[Tensor, Tensor]:
    """Draw one patch and the label map it was drawn from.

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

    Labels on a finer grid, (128, 128, 128), are taken as they are. Values should be few and small:
    each up to the largest gets an intensity.

    Returns:
        (128, 128, 128) float32, in arbitrary units.
    """
    fine = labels.long()
    if fine.shape[0] == GRID:
        fine = fine.repeat_interleave(2, 0).repeat_interleave(2, 1).repeat_interleave(2, 2)
    size, count = fine.shape[0], int(fine.max()) + 1
    image = _palette(count, random)[fine]
    amplitude = (random.rand(count) ** 2 * 0.25)[fine]
    image = image + amplitude * random.field(1, random.integer(12, 40), size)[0]
    if random.chance(0.8):
        image = F.avg_pool3d(image[None], 3, 1, 1, count_include_pad=False)[0]
    image = _lower_resolution(image, random)
    image = image + random.uniform(0, 0.4) * random.field(1, 4, size)[0]
    noise: Tensor = random.uniform(0, 1) ** 2 * 0.15 * random.randn(size, size, size)
    return image + noise


def _palette(count: int, random: Random) -> Tensor:
    """Draw a mean for each label; at times several share one, as organs in a scan do."""
    means = random.rand(count)
    if random.chance(0.4):
        levels = random.integer(3, 6)
        means = (means * levels).floor() / levels + 0.06 * random.randn(count)
    means[0] = random.uniform(-0.3, 0.1) if random.chance(0.8) else random.uniform(0, 1)
    return means


def _mosaic(random: Random) -> Tensor:
    """Let smooth fields compete for each cell."""
    knots = (3, 4, 6, 8, 12)[random.integer(0, 4)]
    fields = random.field(random.integer(3, 14), knots) + 0.25 * random.field(1, 16)
    return torch.argmax(fields, 0)


def _cells(random: Random) -> Tensor:
    """Return the coordinates of the grid's cells, (3, 64, 64, 64)."""
    axis = torch.arange(GRID, device=random.device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))


def _rotation(random: Random) -> Tensor:
    rotation: Tensor = torch.linalg.qr(random.randn(3, 3))[0]
    return rotation


def _blob(random: Random, smallest: float, largest: float) -> Tensor:
    """Draw the level set of a deformed ellipsoid: below 1 inside it; radii in cells."""
    centre = (0.1 + 0.8 * random.rand(3)) * GRID
    size = smallest * (largest / smallest) ** random.uniform(0, 1)
    radii = size * (0.5 + random.rand(3))
    offset = (_cells(random) - centre[:, None, None, None]).flatten(1)
    local = (_rotation(random) @ offset) / radii[:, None]
    distance = torch.linalg.vector_norm(local, dim=0).view(GRID, GRID, GRID)
    level: Tensor = distance + 0.25 * random.field(1, random.integer(4, 10))[0]
    return level


def _add_blob(labels: Tensor, label: int, random: Random) -> int:
    level = _blob(random, 2.5, 20)
    labels[level < 1] = label
    if not random.chance(0.3):
        return label + 1
    labels[level < random.uniform(0.5, 0.85)] = label + 1
    return label + 2


def _add_tube(labels: Tensor, label: int, random: Random) -> int:
    """Lay a vessel along a random walk."""
    walk = torch.cumsum(random.randn(1, 3, 5), 2) * 12 + GRID * random.rand(1, 3, 1)
    knots = walk.clamp(-8, GRID + 8)
    path = F.interpolate(knots, size=48, mode="linear", align_corners=True)[0].T
    coarse = _cells(random)[:, ::2, ::2, ::2].flatten(1).T
    nearest = torch.cdist(coarse, path).amin(1).view(1, 1, GRID // 2, GRID // 2, GRID // 2)
    distance = F.interpolate(nearest, size=(GRID,) * 3, mode="trilinear")[0, 0]
    labels[distance < random.uniform(1.2, 5)] = label
    return label + 1


def _body(random: Random) -> Tensor:
    centre = GRID * (0.3 + 0.4 * random.rand(3))
    radii = GRID * (0.35 + 0.5 * random.rand(3))
    offset = (_cells(random) - centre[:, None, None, None]) / radii[:, None, None, None]
    level: Tensor = torch.linalg.vector_norm(offset, dim=0) + 0.08 * random.field(1, 6)[0]
    return level < 1


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
