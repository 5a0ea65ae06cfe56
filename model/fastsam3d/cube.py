"""A cube in the world at any angle, cut from a volume where the volume lies: on a CPU or a GPU."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .synthetic import GRID, Random

SIZE = 2 * GRID
"""Voxels along a side; spacings are of this grid, whatever grid is sampled."""

LARGEST_TURN = 0.35
"""In radians, about each axis."""


@dataclass(frozen=True)
class Cube:
    """A cube in the world. Its tensors lie on the CPU, in float64, wherever the volume is.

    centre_ras: (3,) in mm.
    axes: (3, 3), the directions of the array axes as columns, in RAS.
    spacing_mm: between the voxels of a side of `SIZE`.
    """

    centre_ras: Tensor
    axes: Tensor
    spacing_mm: float

    @classmethod
    def random(cls, centre_ras: Tensor, spacing_mm: float, random: Random) -> "Cube":
        """Turn it by up to some 20 degrees about each axis, half of the time."""
        skew = torch.zeros(3, 3, device="cpu")
        if random.chance(0.5):
            angles = LARGEST_TURN * (2 * random.triple() - 1)
            skew[0, 1], skew[0, 2], skew[1, 2] = angles.tolist()
        return cls(centre_ras, torch.linalg.matrix_exp(skew - skew.T), spacing_mm)

    def sample(self, values: Tensor, ijk_to_ras: Tensor, size: int, *, nearest: bool) -> Tensor:
        """Resample a volume to the cube.

        Args:
            values: (k, j, i) of any type whose range does not overflow it.
            ijk_to_ras: (4, 4), on the CPU.
            size: cells along a side; they divide the cube evenly.
            nearest: take the nearest voxel, for labels, instead of interpolating.

        Returns:
            (size, size, size) float32 on the volume's device; the volume's minimum lies outside.
        """
        start, step = self._lattice(ijk_to_ras, size)
        if not nearest:
            values, start, step = _averaged(values, start, step)
        grid = _grid(start, step, size, values)
        low = values.amin()
        mode = "nearest" if nearest else "bilinear"
        sampled = F.grid_sample(
            (values - low).float()[None, None], grid[None], mode, "zeros", align_corners=False
        )
        return sampled[0, 0] + low

    def _lattice(self, ijk_to_ras: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Return the first cell's place, (3,), and the steps along the axes, (3, 3), in voxels."""
        ras_to_ijk = torch.linalg.inv(ijk_to_ras.double())
        step = ras_to_ijk[:3, :3] @ (self.axes.double() * (SIZE / size * self.spacing_mm))
        middle = ras_to_ijk[:3, :3] @ self.centre_ras.double() + ras_to_ijk[:3, 3]
        return middle - step.sum(1) * (size - 1) / 2, step


def _averaged(values: Tensor, start: Tensor, step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Average voxels that are finer than the cube's, so that none is stepped over."""
    factors = step.norm(dim=1).div(1.3).floor().clamp(1, 8).long().tolist()
    factors = [min(f, n) for f, n in zip(factors, values.shape[::-1], strict=True)]
    if factors == [1, 1, 1]:
        return values, start, step
    kernel = factors[::-1]
    pooled = F.avg_pool3d(values.float()[None, None], kernel, kernel, ceil_mode=True)
    scale = torch.tensor(factors, dtype=torch.float64, device="cpu")
    return pooled[0, 0], (start + 0.5) / scale - 0.5, step / scale[:, None]


def _grid(start: Tensor, step: Tensor, size: int, values: Tensor) -> Tensor:
    """Return the (size, size, size, 3) places in -1 to 1 that `grid_sample` wants."""
    width_ijk = torch.tensor(values.shape[::-1], dtype=torch.float64, device="cpu")
    start, step = (2 * start + 1) / width_ijk - 1, 2 * step / width_ijk[:, None]
    n = torch.arange(size, dtype=torch.float64, device="cpu")
    lines = [(n[:, None] * step[:, axis]).to(values.device, torch.float32) for axis in range(3)]
    grid = lines[0][:, None, None] + lines[1][:, None] + lines[2]
    return grid + start.to(grid)
