"""The grid of a volume in the world: what lies in it, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .geometry import Box, Patch, kji_to_ras, meet, ras_to_kji, spacing_of
from .history import NOTHING, join

Point = tuple[float, float, float]
Space = Literal["ras", "ijk"]

FINEST_MM, COARSEST_MM = 0.25, 4.0
"""Spacings of a patch that the networks were trained on."""


@dataclass(frozen=True)
class Grid:
    """The grid of the volume that patches are cut from."""

    shape_kji: tuple[int, int, int]
    ijk_to_ras: NDArray[np.float64]

    @classmethod
    def of(cls, volume_kji: NDArray[Any], ijk_to_ras: NDArray[np.float64]) -> "Grid":
        """Return the grid of a volume.

        Raises:
            InputError: it is not 3D.
        """
        if volume_kji.ndim != 3:
            raise InputError(
                f"Got an array of shape {volume_kji.shape}; expected one 3D volume (k, j, i)."
            )
        depth, height, width = volume_kji.shape
        return cls((depth, height, width), ijk_to_ras)

    def check_mask(self, mask: NDArray[Any]) -> None:
        """Refuse a mask that is not this volume's.

        Raises:
            InputError: it has another shape, or is not of bool.
        """
        if mask.shape != self.shape_kji or mask.dtype != bool:
            raise InputError(
                f"Got a mask of shape {mask.shape} and type {mask.dtype}; expected bool of the "
                f"volume's shape {self.shape_kji}."
            )

    def reach(self, patches: Iterable[Patch]) -> Box:
        """Return the smallest box that holds all voxels that patches may touch."""
        boxes = (patch.box_in(self.shape_kji, self.ijk_to_ras) for patch in patches)
        return reduce(join, boxes, NOTHING)

    def holds(self, points_ras: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell for each of (N, 3) points in mm whether it lies in the volume."""
        kji = ras_to_kji(points_ras, self.ijk_to_ras)
        border = 0.5 + 1e-6
        return np.asarray(
            ((kji >= -border) & (kji <= np.subtract(self.shape_kji, 1) + border)).all(1)
        )

    def voxel_at(self, point_ras: Point) -> NDArray[np.int_]:
        """Return the (3,) indices (k, j, i) of the voxel that is nearest to a point."""
        kji = ras_to_kji(np.array([point_ras]), self.ijk_to_ras)[0]
        return np.asarray(np.clip(np.round(kji).astype(int), 0, np.subtract(self.shape_kji, 1)))

    def part(self, region: Box) -> Box:
        """Return a region with its ends spelt out, within the volume.

        Raises:
            InputError: it is not three slices of whole numbers without a step.
        """
        try:
            k, j, i = (
                slice(*part.indices(length)[:2])
                for part, length in zip(region, self.shape_kji, strict=True)
                if part.step in (None, 1)
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"Got the region {region!r}; expected three slices (k, j, i) of whole voxels, "
                "or None for the whole volume."
            ) from error
        return meet((k, j, i), (k, j, i))

    def corners_ras(self, box: Box) -> NDArray[np.float64]:
        """Return the (8, 3) corner voxels of a box in mm."""
        ends = [(part.start, max(part.stop - 1, part.start)) for part in box]
        corners = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(8, 3)
        return kji_to_ras(corners, self.ijk_to_ras)

    def box_of(self, patch: Patch, inside: NDArray[np.bool_]) -> Box:
        """Return the part of the volume that may hold the cells of a patch that are inside."""
        cells = np.argwhere(inside)
        if not len(cells):
            return slice(0, 0), slice(0, 0), slice(0, 0)
        cell = patch.size / inside.shape[0]
        # Between the centres of two cells, one inside, a voxel may be inside too.
        cube = ras_to_kji(patch.to_ras(cell * np.eye(4)[:, :3]), self.ijk_to_ras)
        margin = np.abs(cube[:3] - cube[3]).sum(0)
        reached = ras_to_kji(patch.to_ras((cells + 0.5) * cell - 0.5), self.ijk_to_ras)
        start = np.clip(np.floor(reached.min(0) - margin), 0, self.shape_kji).astype(int)
        stop = np.clip(np.ceil(reached.max(0) + margin) + 1, start, self.shape_kji).astype(int)
        k, j, i = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        return k, j, i

    def extent_mm(self) -> float:
        """Measure the longest side of the volume's bounding box along R, A and S."""
        k, j, i = (slice(0, length + 1) for length in self.shape_kji)
        return float(np.ptp(self.corners_ras((k, j, i)), axis=0).max())

    def voxel_mm(self) -> float:
        """Return the least distance between neighbouring voxels."""
        return float(spacing_of(self.ijk_to_ras).min())

    def limit(self, spacing_mm: float, size: int) -> float:
        """Bring a spacing between what the voxels can show and what holds the volume."""
        coarsest = min(COARSEST_MM, max(self.extent_mm() / size, FINEST_MM))
        finest = max(FINEST_MM, 0.25 * self.voxel_mm())
        return float(np.clip(spacing_mm, min(finest, coarsest), coarsest))

    def world(self, point: ArrayLike, space: Space) -> Point:
        """Return where in mm a point is that may be given in voxels.

        Raises:
            InputError: it is not three finite numbers inside the volume.
        """
        try:
            values = np.asarray(point, np.float64)
        except (TypeError, ValueError):
            values = np.full(1, np.nan)
        if values.shape != (3,) or not np.isfinite(values).all():
            raise InputError(f"Got the point {point!r}; give three finite numbers.")
        if space not in ("ras", "ijk"):
            raise InputError(f"Got the space {space!r}; expected ras or ijk.")
        if space == "ijk":
            values = kji_to_ras(values[None, ::-1], self.ijk_to_ras)[0]
        if not self.holds(values[None])[0]:
            i, j, k = ras_to_kji(values[None], self.ijk_to_ras)[0, ::-1]
            depth, height, width = self.shape_kji
            raise InputError(
                f"The point {values.round(2).tolist()} mm is voxel ({i:.1f}, {j:.1f}, {k:.1f}), "
                f"outside the volume of {width} x {height} x {depth}: choose one inside it."
            )
        return triple(values)


def triple(values: NDArray[np.float64]) -> Point:
    """Return three numbers of an array as a point."""
    right, anterior, superior = (float(value) for value in values)
    return right, anterior, superior
