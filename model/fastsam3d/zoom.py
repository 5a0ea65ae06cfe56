"""Where to look: the patch follows the object, so that it fills a good part of the cube."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .geometry import Box, Patch, kji_to_ras, ras_to_kji, spacing_of
from .history import bounds

FILL = 0.35
"""Of the cube's side, the part that an object should take."""
SMALL, LARGE = 0.15, 0.85
"""Below and above, the cube is changed."""
WHOLE = 1.0
"""A patch is at most so many times as long as the volume."""
FINEST_MM, COARSEST_MM = 0.25, 4.0


@dataclass(frozen=True)
class Grid:
    """The grid of the volume that patches are cut from."""

    shape_kji: tuple[int, int, int]
    ijk_to_ras: NDArray[np.float64]

    def holds(self, points_ras: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell for each of (N, 3) points in mm whether it lies in the volume."""
        kji = ras_to_kji(points_ras, self.ijk_to_ras)
        border = 0.5 + 1e-6
        return np.asarray(
            ((kji >= -border) & (kji <= np.subtract(self.shape_kji, 1) + border)).all(1)
        )

    def corners_ras(self, box: Box) -> NDArray[np.float64]:
        """Return the (8, 3) corner voxels of a box in mm."""
        ends = [(part.start, max(part.stop - 1, part.start)) for part in box]
        corners = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(8, 3)
        return kji_to_ras(corners, self.ijk_to_ras)

    def box_of(self, patch: Patch, inside: NDArray[np.bool_]) -> Box:
        """Return the part of the volume that may hold the cells of a patch that are inside."""
        if not inside.any():
            return slice(0, 0), slice(0, 0), slice(0, 0)
        cell = patch.size / inside.shape[0]
        ends = [((part.start - 1) * cell, (part.stop + 1) * cell) for part in bounds(inside)]
        corners = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(8, 3) - 0.5
        reached = ras_to_kji(patch.to_ras(corners), self.ijk_to_ras)
        start = np.clip(np.floor(reached.min(0)), 0, self.shape_kji).astype(int)
        stop = np.clip(np.ceil(reached.max(0)) + 1, start, self.shape_kji).astype(int)
        k, j, i = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        return k, j, i

    def extent_mm(self) -> float:
        """Measure the longest side of the volume's bounding box along R, A and S."""
        k, j, i = (slice(0, length + 1) for length in self.shape_kji)
        return float(np.ptp(self.corners_ras((k, j, i)), axis=0).max())

    def limit(self, spacing_mm: float, size: int) -> float:
        """Bring a spacing between what the voxels can show and what holds the volume."""
        coarsest = min(COARSEST_MM, max(WHOLE * self.extent_mm() / size, FINEST_MM))
        finest = max(FINEST_MM, 0.25 * float(spacing_of(self.ijk_to_ras).min()))
        return float(np.clip(spacing_mm, min(finest, coarsest), coarsest))


def first_patch(point_ras: NDArray[np.float64], grid: Grid, spacing_mm: float, size: int) -> Patch:
    """Put a patch round the first click."""
    return Patch(_triple(point_ras), grid.limit(spacing_mm, size), size)


def patch_round(points_ras: NDArray[np.float64], grid: Grid, size: int) -> Patch:
    """Put a patch round (N, 3) points in mm that it is to hold."""
    low, high = points_ras.min(0), points_ras.max(0)
    return Patch(
        _triple((low + high) / 2), grid.limit(float((high - low).max()) / (FILL * size), size), size
    )


def next_patch(
    patch: Patch,
    logits: NDArray[np.float32],
    points: NDArray[np.float64],
    grid: Grid,
    *,
    closer: bool = True,
) -> Patch | None:
    """Find a better patch for what was found in this one; None if it is good enough.

    Args:
        patch: the cube the mask was found in.
        logits: (m, m, m) of the mask.
        points: (N, 3) patch voxels of the clicks that include.
        grid: the volume's grid.
        closer: whether the patch may become finer.
    """
    from scipy import ndimage

    cell = patch.size / logits.shape[0]
    inside = logits > 0
    if not inside.any():
        if not closer:
            return None
        return _changed(patch, replace(patch, spacing_mm=patch.spacing_mm / 2), grid)
    parts, _ = ndimage.label(inside)
    seeds = np.floor((points + 0.5) / cell).astype(int)
    seeds = seeds[((seeds >= 0) & (seeds < logits.shape[0])).all(1)]
    kept = np.unique(parts[tuple(seeds.T)])
    kept = kept[kept > 0]
    if kept.size == 0:
        kept = np.array([np.bincount(parts[inside]).argmax()])
    cells = np.argwhere(np.isin(parts, kept))
    low, high = cells.min(0) * cell, (cells.max(0) + 1) * cell
    fill = float((high - low).max()) / patch.size
    cut = _goes_on(patch, cells, cell, grid)
    if not cut and (SMALL if closer else 0) <= fill <= LARGE:
        return None
    centre = patch.to_ras([(low + high) / 2 - 0.5])[0]
    factor = 1.7 if cut else float(np.clip(fill / FILL, 1 / 3, 1.7))
    return _changed(patch, Patch(_triple(centre), patch.spacing_mm * factor, patch.size), grid)


def is_cut(patch: Patch, logits: NDArray[np.float32], grid: Grid) -> bool:
    """Tell whether a mask goes on beyond the cube, within the volume."""
    return _goes_on(patch, np.argwhere(logits > 0), patch.size / logits.shape[0], grid)


def _goes_on(patch: Patch, cells: NDArray[np.int_], cell: float, grid: Grid) -> bool:
    last = patch.size / cell - 1
    for axis in range(3):
        for face, step in ((0, -1), (last, 1)):
            there = cells[cells[:, axis] == face].astype(float)
            there[:, axis] += step
            beyond = patch.to_ras((there + 0.5) * cell - 0.5)
            if len(there) and grid.holds(beyond).sum() > 2:
                return True
    return False


def _changed(patch: Patch, wanted: Patch, grid: Grid) -> Patch | None:
    spacing_mm = grid.limit(wanted.spacing_mm, patch.size)
    moved = np.abs(np.subtract(patch.centre_ras, wanted.centre_ras)).max()
    same_scale = abs(np.log(spacing_mm / patch.spacing_mm)) < 0.15
    if same_scale and moved < 0.1 * patch.size * spacing_mm:
        return None
    return replace(wanted, spacing_mm=spacing_mm)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    right, anterior, superior = (float(value) for value in values)
    return right, anterior, superior
