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
    if known and not (view.logits > 0).any():
        view = view._replace(confidence=known[-1].confidence)
    others = [other for other in known if other.patch != patch]
    newest = np.array([clicks[-1].point_ras])
    changed, kept = [view], []
    for other in others:
        if other.patch.contains(newest, other.patch.size / 8 * other.patch.spacing_mm)[0]:
            changed.append(sight.decode(other.patch, clicks, other.logits))
        else:
            kept.append(other)
    if not clicks[-1].positive:
        kept = _cut_off(known, changed, kept, clicks, sight.grid)
    first, *more = pursue(sight, [*changed, *_told(sight, known, changed, kept, clicks)], clicks)
    return (*more, first)


def _told(
    sight: Sight,
    known: Sequence[View],
    changed: Sequence[View],
    kept: Sequence[View],
    clicks: Sequence[Click],
) -> list[View]:
    """Look again into the cubes that a changed mask beside them goes on into, or did before."""
    patches = [view.patch for view in changed]
    beyond = [
        points
        for view in (*changed, *(old for old in known if old.patch in patches))
        for points in beyond_faces(view.patch, _clicked_in(view, clicks), sight.grid)
    ]
    return [
        look_on(sight, view.patch, [*changed, *kept], clicks) or view
        if any(view.patch.contains(points).sum() >= CUT_CELLS for points in beyond)
        else view
        for view in kept
    ]


def _cut_off(
    known: Sequence[View],
    changed: Sequence[View],
    kept: Sequence[View],
    clicks: Sequence[Click],
    grid: Grid,
) -> list[View]:
    """Empty the kept cubes that hung together with the clicked ones, and do so no more."""
    asked = {view.patch for view in changed}
    now = [*changed, *kept]
    after = _hanging(now, asked, clicks, grid)
    lost = _hanging(known, asked, clicks, grid) - after
    stay = [view for view in now if view.patch not in lost]
    return [_emptied(view, stay) if view.patch in lost else view for view in kept]


def _hanging(
    views: Sequence[View], asked: set[Patch], clicks: Sequence[Click], grid: Grid
) -> set[Patch]:
    """Return the cubes asked, those that hold an include, and all that their mask goes on into."""
    included = _included(clicks)
    front = [view for view in views if view.patch in asked or view.patch.contains(included).any()]
    found = {view.patch for view in front}
    while front:
        points = np.concatenate(
            [part for view in front for part in beyond_faces(view.patch, view.logits > 0, grid)]
        )
        for view in views:
            points = points[~view.patch.contains(points) | _shown(view, points)]
        front = [
            view
            for view in views
            if view.patch not in found and view.patch.contains(points).sum() >= CUT_CELLS
        ]
        found |= {view.patch for view in front}
    return found


def _shown(view: View, points_ras: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell for each of (N, 3) points in mm whether the nearest cell of a cube is in the mask."""
    size = view.logits.shape[0]
    cells = np.floor((view.patch.to_patch(points_ras) + 0.5) * size / view.patch.size)
    return np.asarray(view.logits[tuple(cells.clip(0, size - 1).astype(int).T)] > 0)


def _emptied(view: View, others: Sequence[View]) -> View:
    """Leave of a mask what other cubes show of it."""
    shown = in_patch(others, view.patch, view.logits.shape[0])
    return view._replace(logits=np.where(shown > 0, shown, -np.abs(view.logits)))


def pursue(sight: Sight, views: Sequence[View], clicks: Sequence[Click]) -> tuple[View, ...]:
    """Look on beyond the faces that cut the mask, cube by cube.

    Args:
        sight: the network in front of the volume.
        views: of the object so far.
        clicks: all of them; a cube gets those that it holds.

    Returns:
        `views`, and those that were added: at most 7, none that the mask does not reach into.
    """
    found = tuple(views)
    tried: list[Patch] = []
    for _ in range(CUBES - 1):
        patch = next_cube(found, clicks, sight.grid, tried)
        if patch is None:
            break
        tried.append(patch)
        view = look_on(sight, patch, found, clicks)
        found = found if view is None else (*found, view)
    return found


def next_cube(
    views: Sequence[View], clicks: Sequence[Click], grid: Grid, tried: Sequence[Patch] = ()
) -> Patch | None:
    """Put a cube over the largest cut that no other shows, nor was tried; None if none is."""
    cuts = [
        (len(open_points), view, open_points)
        for view in views
        if is_cut(view.patch, view.logits > 0, grid)
        for points in beyond_faces(view.patch, _clicked_in(view, clicks), grid)
        if len(open_points := _unseen(points, view, views, tried)) >= CUT_CELLS
    ]
    if not cuts:
        return None
    _, view, points = max(cuts, key=lambda cut: cut[0])
    return Patch(triple(points.mean(0)), view.patch.spacing_mm, view.patch.size)


def goes_on(views: Sequence[View], clicks: Sequence[Click], grid: Grid) -> bool:
    """Tell whether a cut is left."""
    return next_cube(views, clicks, grid) is not None


def look_on(
    sight: Sight, patch: Patch, views: Sequence[View], clicks: Sequence[Click]
) -> View | None:
    """Decode a further cube, and keep of it what goes on from the mask so far; None for none."""
    previous = in_patch(views, patch, sight.model.mask_size)
    if not (previous > 0).any():
        return None
    view = sight.decode(patch, clicks, previous)
    return view._replace(logits=_joined(view.logits, previous > 0))


def _clicked_in(view: View, clicks: Sequence[Click]) -> NDArray[np.bool_]:
    """Return the parts of a mask that were clicked, all of it where none was."""
    points = view.patch.to_patch(_included(clicks))
    part = clicked_part(view.logits, (points + 0.5) * view.logits.shape[0] / view.patch.size)
    return view.logits > 0 if part is None else part


def _included(clicks: Sequence[Click]) -> NDArray[np.float64]:
    """Return the (N, 3) points in mm that include."""
    return np.array([click.point_ras for click in clicks if click.positive]).reshape(-1, 3)


def _unseen(
    points: NDArray[np.float64], view: View, views: Sequence[View], tried: Sequence[Patch]
) -> NDArray[np.float64]:
    for patch in (*(other.patch for other in views if other is not view), *tried):
        if len(points):
            points = points[~patch.contains(points)]
    return points


def _joined(logits: Logits, known: NDArray[np.bool_]) -> Logits:
    """Keep the parts of a mask that touch what is known of it."""
    from scipy import ndimage

    parts, _ = ndimage.label(logits > 0)
    kept = np.unique(parts[known])
    return np.where((parts > 0) & ~np.isin(parts, kept), np.minimum(logits, -logits), logits)
