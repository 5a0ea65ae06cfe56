"""Where to look: the patch follows the object, so that it fills a good part of the cube."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .geometry import Patch
from .grid import Grid, triple
from .history import bounds
from .pieces import largest_piece, pieces_at

FILL = 0.35
"""Of the cube's side, the part that an object should take."""
SMALL, LARGE = 0.15, 0.85
"""Below and above, the cube is changed."""
CUT_CELLS = 3
"""Cells at a face that make a cut."""


def first_patch(point_ras: NDArray[np.float64], grid: Grid, spacing_mm: float, size: int) -> Patch:
    """Put a patch round the first click."""
    return Patch(triple(point_ras), grid.limit(spacing_mm, size), size)


def patch_round(points_ras: NDArray[np.float64], grid: Grid, size: int) -> Patch:
    """Put a patch round (N, 3) points in mm that it is to hold."""
    low, high = points_ras.min(0), points_ras.max(0)
    return Patch(
        triple((low + high) / 2), grid.limit(float((high - low).max()) / (FILL * size), size), size
    )


def patch_with(
    point_ras: NDArray[np.float64],
    points_ras: NDArray[np.float64],
    grid: Grid,
    spacing_mm: float,
    size: int,
) -> Patch:
    """Put a patch round a click and (N, 3) points; if it cannot hold the click, round that."""
    both = patch_round(np.concatenate([points_ras, point_ras[None]]), grid, size)
    if both.contains(point_ras[None])[0]:
        return both
    return first_patch(point_ras, grid, spacing_mm, size)


def next_patch(
    patch: Patch,
    logits: NDArray[np.float32],
    points: NDArray[np.float64],
    grid: Grid,
) -> Patch | None:
    """Find a better patch for what was found in this one; None if it is good enough.

    Args:
        patch: the cube the mask was found in.
        logits: (m, m, m) of the mask.
        points: (N, 3) patch voxels of the clicks that include.
        grid: the volume's grid.
    """
    cell = patch.size / logits.shape[0]
    inside = logits > 0
    if not inside.any():
        return _changed(patch, replace(patch, spacing_mm=patch.spacing_mm / 2), grid)
    part = clicked_part(inside, (points + 0.5) / cell)
    if part is None:
        part = largest_piece(inside)
    held = bounds(part)
    low = cell * np.array([axis.start for axis in held])
    high = cell * np.array([axis.stop for axis in held])
    fill = float((high - low).max()) / patch.size
    cut = is_cut(patch, part, grid)
    if not cut and SMALL <= fill <= LARGE:
        return None
    centre = patch.to_ras([(low + high) / 2 - 0.5])[0]
    factor = 1.7 if cut else float(np.clip(fill / FILL, 1 / 3, 1.7))
    return _changed(patch, Patch(triple(centre), patch.spacing_mm * factor, patch.size), grid)


def clicked_part(
    inside: NDArray[np.bool_], places: NDArray[np.float64]
) -> NDArray[np.bool_] | None:
    """Return the connected parts of a 3D mask that hold one of some places.

    Args:
        inside: the mask.
        places: (N, 3), counted from the corner of the first cell.

    Returns:
        A mask of that shape; None if no part holds a place.
    """
    return pieces_at(inside, np.floor(places).astype(int))


def is_cut(patch: Patch, inside: NDArray[np.bool_], grid: Grid) -> bool:
    """Tell whether an (m, m, m) mask goes on beyond the cube, within the volume."""
    return any(len(points) for points in beyond_faces(patch, inside, grid))


def beyond_faces(
    patch: Patch, inside: NDArray[np.bool_], grid: Grid
) -> Iterator[NDArray[np.float64]]:
    """Yield for each face of the cube where a mask would go on, within the volume.

    Args:
        patch: the cube.
        inside: (m, m, m), the mask in it.
        grid: the volume's grid.

    Yields:
        (N, 3) centres in mm of the cells beyond the face, none if they are too few to be a cut.
    """
    cells = inside.shape[0]
    cell = patch.size / cells
    for axis in range(3):
        for face, beyond in ((0, -1), (cells - 1, cells)):
            held = np.empty((0, 3))
            shown = inside.take(face, axis)
            if np.count_nonzero(shown) >= CUT_CELLS:
                there = np.argwhere(shown).astype(float)
                points = patch.to_ras((np.insert(there, axis, beyond, 1) + 0.5) * cell - 0.5)
                held = points[grid.holds(points)]
            yield held if len(held) >= CUT_CELLS else held[:0]


def _changed(patch: Patch, wanted: Patch, grid: Grid) -> Patch | None:
    spacing_mm = grid.limit(wanted.spacing_mm, patch.size)
    moved = np.abs(np.subtract(patch.centre_ras, wanted.centre_ras)).max()
    same_scale = abs(np.log(spacing_mm / patch.spacing_mm)) < 0.15
    if same_scale and moved < 0.1 * patch.size * spacing_mm:
        return None
    return replace(wanted, spacing_mm=spacing_mm)
