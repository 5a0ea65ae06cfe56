"""How well a mask agrees with the truth: Dice and the normalised surface Dice, in mm.

Surface Dice is that of Nikolov et al. 2021 (doi 10.2196/26151): the share of both surfaces' area
that lies within a tolerance of the other surface. A surface crosses every corner where the eight
voxels that meet are not all alike; its area there is that of the marching-cubes triangles.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clicks import Mask, Spacing, bounding_box

TOLERANCE_MM = 2.0
_CORNERS = np.indices((2, 2, 2)).reshape(3, 8).T
_WHOLE_CELL = 255


def dice(mask: Mask, truth: Mask) -> float:
    """Return twice the overlap over the sum of both volumes; 1 if both are empty."""
    total = np.count_nonzero(mask) + np.count_nonzero(truth)
    return 2 * np.count_nonzero(mask & truth) / total if total else 1.0


def surface_dice(
    mask: Mask, truth: Mask, spacing_kji_mm: Spacing, tolerance_mm: float = TOLERANCE_MM
) -> float:
    """Return the share of both surfaces within a tolerance of each other; 1 if both are empty."""
    return Truth(truth, spacing_kji_mm).surface_dice(mask, tolerance_mm)


class Truth:
    """A true mask, its box and its surface, worked out once for many masks."""

    def __init__(self, mask: Mask, spacing_kji_mm: Spacing) -> None:
        self.mask = mask
        self.spacing_kji_mm = spacing_kji_mm
        self.box = bounding_box(mask)
        self.voxels = int(np.count_nonzero(mask))
        self._points_mm, self._areas = surface(mask, spacing_kji_mm)
        self._tree = _tree(self._points_mm)

    def dice(self, mask: Mask) -> float:
        """Compare the volume of a mask of the same grid: `dice`, in the truth's box."""
        total = int(np.count_nonzero(mask)) + self.voxels
        if self.box is None or not total:
            return float(not total)
        overlap = np.count_nonzero(mask[self.box] & self.mask[self.box])
        return 2 * int(overlap) / total

    def surface_dice(self, mask: Mask, tolerance_mm: float = TOLERANCE_MM) -> float:
        """Compare the surface of a mask of the same grid: `surface_dice`."""
        points_mm, areas = surface(mask, self.spacing_kji_mm)
        total = float(areas.sum() + self._areas.sum())
        if not (areas.size and self._areas.size):
            return float(not total)
        reach = tolerance_mm * (1 + 1e-6) + 1e-9
        close = self._near(points_mm, reach)
        agreed = areas[close][_within(self._tree, points_mm[close], reach)].sum()
        back = _within(_tree(points_mm[close]), self._points_mm, reach)
        return float((agreed + self._areas[back].sum()) / total)

    def _near(self, points_mm: NDArray[np.float64], reach: float) -> Mask:
        low, high = self._points_mm.min(axis=0) - reach, self._points_mm.max(axis=0) + reach
        return np.asarray(((points_mm >= low) & (points_mm <= high)).all(axis=1))


def surface(mask: Mask, spacing_kji_mm: Spacing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """List the pieces of a mask's surface; the volume's edge closes it.

    Returns:
        (N, 3) points in mm, where eight voxels meet, and (N,) areas in mm².
    """
    box = bounding_box(mask)
    if box is None:
        return np.zeros((0, 3)), np.zeros(0)
    cells = _cells(np.pad(mask[box], 1).astype(np.uint8))
    places = np.argwhere((cells != 0) & (cells != _WHOLE_CELL))
    corner = [part.start - 0.5 for part in box]
    areas = _areas(spacing_kji_mm)[cells[tuple(places.T)]]
    return (places + corner) * np.asarray(spacing_kji_mm), areas


def _cells(padded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Code which of the eight voxels round each corner are set, one bit each."""
    k, j, i = (length - 1 for length in padded.shape)
    codes = np.zeros((k, j, i), np.uint8)
    for bit, (dk, dj, di) in enumerate(_CORNERS):
        codes |= padded[dk : dk + k, dj : dj + j, di : di + i] << np.uint8(bit)
    return codes


@lru_cache(maxsize=64)
def _areas(spacing_kji_mm: Spacing) -> NDArray[np.float64]:
    """Measure the surface in a cell for each of the 256 codes."""
    from skimage.measure import marching_cubes, mesh_surface_area

    areas = np.zeros(256)
    for code in range(1, _WHOLE_CELL):
        cell = (code >> np.arange(8) & 1).reshape(2, 2, 2).astype(np.float32)
        vertices, faces, _, _ = marching_cubes(cell, 0.5, spacing=spacing_kji_mm)
        areas[code] = mesh_surface_area(vertices, faces)
    return areas


def _tree(points_mm: NDArray[np.float64]) -> Any:
    from scipy.spatial import cKDTree

    return cKDTree(points_mm, balanced_tree=False, compact_nodes=False)


def _within(tree: Any, points_mm: NDArray[np.float64], reach: float) -> Mask:
    distances, _ = tree.query(points_mm, distance_upper_bound=reach)
    return np.asarray(np.isfinite(distances))
