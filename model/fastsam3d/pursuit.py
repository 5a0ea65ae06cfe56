"""Following an object from cube to cube, where it is longer than one can be."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .geometry import Patch
from .grid import Grid, triple
from .mosaic import Logits, View, in_patch
from .sight import Click, Sight
from .zoom import CUT_CELLS, beyond_faces, clicked_part, is_cut

CUBES = 8
"""Cubes that one click may look into."""


def look_round(
    sight: Sight,
    patch: Patch,
    previous: Logits | None,
    known: Sequence[View],
    clicks: Sequence[Click],
) -> tuple[View, ...]:
    """Answer the newest click: in a patch, and in those beside it that show the object.

    Args:
        sight: the network in front of the volume.
        patch: the cube to answer in.
        previous: (m, m, m) logits of the mask so far in that patch, None if there is none.
        known: what was seen of the object before.
        clicks: all of them, the newest last.

    Returns:
        Everything seen of the object, that patch or what took its place last.
    """
    view = sight.look(patch, clicks, previous)
    others = [other for other in known if other.patch != patch]
    newest = np.array([clicks[-1].point_ras])
    changed, kept = [view], []
    for other in others:
        if other.patch.contains(newest, other.patch.size / 8 * other.patch.spacing_mm)[0]:
            changed.append(sight.decode(other.patch, clicks, other.logits))
        else:
            kept.append(other)
    first, *more = pursue(sight, [*changed, *_told(sight, kept, changed, clicks)], clicks)
    return (*more, first)


def _told(
    sight: Sight, kept: Sequence[View], changed: Sequence[View], clicks: Sequence[Click]
) -> list[View]:
    """Look again into the cubes that a changed mask beside them goes on into."""
    beyond = [
        points
        for view in changed
        for points in beyond_faces(view.patch, _clicked_in(view, clicks), sight.grid)
        if len(points)
    ]
    return [
        look_on(sight, view.patch, [*changed, *kept], clicks)
        if any(view.patch.contains(points).sum() >= CUT_CELLS for points in beyond)
        else view
        for view in kept
    ]


def pursue(sight: Sight, views: Sequence[View], clicks: Sequence[Click]) -> tuple[View, ...]:
    """Look on beyond the faces that cut the mask, cube by cube.

    Args:
        sight: the network in front of the volume.
        views: of the object so far.
        clicks: all of them; a cube gets those that it holds.

    Returns:
        `views`, and those that were added: at most 7.
    """
    found = tuple(views)
    for _ in range(CUBES - 1):
        patch = next_cube(found, clicks, sight.grid)
        if patch is None:
            break
        found = (*found, look_on(sight, patch, found, clicks))
    return found


def next_cube(views: Sequence[View], clicks: Sequence[Click], grid: Grid) -> Patch | None:
    """Put a cube over the largest cut that no other shows; None if nothing is cut."""
    cuts = [
        (len(open_points), view, open_points)
        for view in views
        if is_cut(view.patch, view.logits > 0, grid)
        for points in beyond_faces(view.patch, _clicked_in(view, clicks), grid)
        if len(open_points := _unseen(points, view, views)) >= CUT_CELLS
    ]
    if not cuts:
        return None
    _, view, points = max(cuts, key=lambda cut: cut[0])
    return Patch(triple(points.mean(0)), view.patch.spacing_mm, view.patch.size)


def goes_on(views: Sequence[View], clicks: Sequence[Click], grid: Grid) -> bool:
    """Tell whether a cut is left."""
    return next_cube(views, clicks, grid) is not None


def look_on(sight: Sight, patch: Patch, views: Sequence[View], clicks: Sequence[Click]) -> View:
    """Decode a further cube, and keep of it what goes on from the mask so far."""
    previous = in_patch(views, patch, sight.model.mask_size)
    view = sight.decode(patch, prompts(patch, clicks, previous), previous)
    return view._replace(logits=_joined(view.logits, previous > 0))


def prompts(patch: Patch, clicks: Sequence[Click], previous: Logits) -> Sequence[Click]:
    """Return clicks of which one that includes lies in the patch: if need be, one of our own.

    That one lies as deep as can be in the mask so far.
    """
    from scipy import ndimage

    if patch.contains(_included(clicks)).any() or not (previous > 0).any():
        return clicks
    depth = ndimage.distance_transform_edt(np.pad(previous > 0, 1))[1:-1, 1:-1, 1:-1]
    deepest = np.array(np.unravel_index(depth.argmax(), depth.shape))
    cell = patch.size / previous.shape[0]
    point = patch.to_ras([(deepest + 0.5) * cell - 0.5])[0]
    return (*clicks, Click(triple(point), positive=True))


def _clicked_in(view: View, clicks: Sequence[Click]) -> NDArray[np.bool_]:
    """Return the parts of a mask that were clicked, all of it where none was."""
    points = view.patch.to_patch(_included(clicks))
    part = clicked_part(view.logits, (points + 0.5) * view.logits.shape[0] / view.patch.size)
    return view.logits > 0 if part is None else part


def _included(clicks: Sequence[Click]) -> NDArray[np.float64]:
    """Return the (N, 3) points in mm that include."""
    return np.array([click.point_ras for click in clicks if click.positive]).reshape(-1, 3)


def _unseen(points: NDArray[np.float64], view: View, views: Sequence[View]) -> NDArray[np.float64]:
    for other in views:
        if other is not view and len(points):
            points = points[~other.patch.contains(points)]
    return points


def _joined(logits: Logits, known: NDArray[np.bool_]) -> Logits:
    """Keep the parts of a mask that touch what is known of it."""
    from scipy import ndimage

    parts, _ = ndimage.label(logits > 0)
    kept = np.unique(parts[known])
    return np.where((parts > 0) & ~np.isin(parts, kept), np.minimum(logits, -logits), logits)
