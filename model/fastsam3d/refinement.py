"""Looking at a found object again in finer cubes that overlap, to draw its border better."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .geometry import Patch
from .grid import FINEST_MM, Grid, triple
from .mosaic import Logits, View
from .sight import Click, Sight

TILES = 18
"""Finer cubes that an object may take."""
FINER = (0.5, 0.6, 0.7, 0.8)
"""Spacings to try, as parts of the present one, until the cubes are few enough."""
STRIDE = 0.75
"""Of a cube's side, how far the next one lies."""
BAND_CELLS = 2.5
"""How far the border may move, in cells of the coarser mask."""
AGREED = 0.8
"""Dice with the mask so far, below which a cube is not believed."""
SURE = 8.0
"""The logit that the mask so far is fed back with."""


def refine(
    sight: Sight,
    views: Sequence[View],
    clicks: Sequence[Click],
    previous_in: Callable[[Patch], Logits | None],
) -> tuple[View, ...]:
    """Decode the object again in finer cubes, from the mask so far.

    They see too little of the object to find it anew: what they show is taken near the mask's
    border alone, and from those alone that show much the same as the mask.

    Args:
        sight: the network in front of the volume.
        views: that show where the object is.
        clicks: all of them; a cube gets those that it holds.
        previous_in: gives the (m, m, m) logits of the mask so far in a patch, None for none.

    Returns:
        What the finer cubes show, elsewhere the mask as before, that with the newest click last,
        each as sure as those that are believed on average; nothing if none is, if they would be
        finer than the volume, or too many.
    """
    patches = finer_cubes(views, sight.grid)
    band = BAND_CELLS * max(view.patch.spacing_mm for view in views)
    drawn = [
        _redraw(sight, patch, previous, clicks, band / patch.spacing_mm)
        for patch in patches
        if (previous := previous_in(patch)) is not None
    ]
    sure = [view.confidence for view, believed in drawn if believed]
    finer = [view._replace(confidence=float(np.mean(sure))) for view, _ in drawn if sure]
    if clicks:
        finer.sort(key=lambda view: _away(view.patch, clicks[-1]), reverse=True)
    return tuple(finer)


def finer_cubes(views: Sequence[View], grid: Grid) -> list[Patch]:
    """Cover a mask with finer cubes; none if none is finer or they are too many."""
    points = np.concatenate([_inside_ras(view) for view in views])
    present, size = max(view.patch.spacing_mm for view in views), views[0].patch.size
    cell = size / views[0].logits.shape[0]
    finest = max(FINEST_MM, grid.voxel_mm() / cell)
    for part in FINER if len(points) else ():
        spacing_mm = max(part * present, finest)
        if spacing_mm > max(FINER) * present:
            break
        patches = tiles(points, spacing_mm, size)
        if len(patches) <= TILES:
            return patches
    return []


def tiles(points_ras: NDArray[np.float64], spacing_mm: float, size: int) -> list[Patch]:
    """Lay overlapping cubes over (N, 3) points in mm, those that hold any."""
    side = spacing_mm * size
    low, high = points_ras.min(0), points_ras.max(0)
    # The outer cubes reach beyond the points by an eighth of a side, so that no face cuts them.
    counts = np.maximum(np.ceil((high - low - STRIDE * side) / (STRIDE * side)), 0).astype(int) + 1
    first = (low + high) / 2 - (counts - 1) / 2 * STRIDE * side
    nearest = np.rint((points_ras - first) / (STRIDE * side)).astype(int)
    places = np.unique(np.clip(nearest, 0, counts - 1), axis=0)
    return [Patch(triple(first + place * STRIDE * side), spacing_mm, size) for place in places]


def _redraw(
    sight: Sight, patch: Patch, previous: Logits, clicks: Sequence[Click], band_cells: float
) -> tuple[View, bool]:
    """Decode a finer cube; return what to keep of it, and whether it was believed."""
    if not (previous > 0).any():
        return View(patch, previous, 0.0), False
    known = np.where(previous > 0, np.float32(SURE), np.float32(-SURE))
    view = sight.decode(patch, clicks, known)
    if _agreement(view.logits > 0, previous > 0) < AGREED:
        return view._replace(logits=previous), False
    return view._replace(logits=_near_border(view.logits, previous, band_cells)), True


def _agreement(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the Dice of two masks."""
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def _near_border(logits: Logits, previous: Logits, cells: float) -> Logits:
    """Take logits within so many cells of the previous mask's border, else the previous ones."""
    from scipy import ndimage

    inside = previous > 0
    if not inside.any() or inside.all():
        return previous
    depth = ndimage.distance_transform_edt(inside) + ndimage.distance_transform_edt(~inside)
    return np.where(depth <= cells, logits, previous)


def _away(patch: Patch, click: Click) -> float:
    """Measure how far from the middle of a cube a click lies, in mm along the farthest axis."""
    return float(np.abs(np.subtract(click.point_ras, patch.centre_ras)).max())


def _inside_ras(view: View) -> NDArray[np.float64]:
    cell = view.patch.size / view.logits.shape[0]
    return view.patch.to_ras((np.argwhere(view.logits > 0) + 0.5) * cell - 0.5)
