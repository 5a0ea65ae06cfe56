"""Following an object from cube to cube, where it is longer than one can be."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .geometry import Patch, Points
from .grid import Grid, triple
from .mosaic import Logits, View, in_patch
from .pieces import pieces_meeting
from .sight import Click, Sight
from .zoom import CUT_CELLS, beyond_faces, clicked_part, is_cut

CUBES = 8
"""Cubes that one click may look into."""


@dataclass
class Cuts:
    """Where views of an object go on beyond their cubes; each view is asked once.

    Attributes:
        clicks: all of them, the newest last.
        grid: of the volume.
    """

    clicks: Sequence[Click]
    grid: Grid
    _known: dict[int, tuple[View, list[Points]]] = field(default_factory=dict, init=False)

    def of(self, view: View) -> list[Points]:
        """Return, face by face, (N, 3) points in mm of the parts that were clicked."""
        if id(view) not in self._known:  # the view stays with it, so that no other gets its id
            self._known[id(view)] = view, self._found(view)
        return self._known[id(view)][1]

    def _found(self, view: View) -> list[Points]:
        if not is_cut(view.patch, view.logits > 0, self.grid):
            return []
        faces = beyond_faces(view.patch, _clicked_in(view, self.clicks), self.grid)
        return [points for points in faces if len(points)]


def look_round(
    sight: Sight,
    patch: Patch,
    previous: Logits | None,
    known: Sequence[View],
    cuts: Cuts,
) -> tuple[View, ...]:
    """Answer the newest click: in a patch, and in those beside it that show the object.

    Args:
        sight: the network in front of the volume.
        patch: the cube to answer in.
        previous: (m, m, m) logits of the mask so far in that patch, None if there is none.
        known: what was seen of the object before.
        cuts: of the clicks.

    Returns:
        Everything seen of the object, that patch or what took its place last.
    """
    clicks = cuts.clicks
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
    first, *more = pursue(sight, [*changed, *_told(sight, known, changed, kept, cuts)], cuts)
    return (*more, first)


def _told(
    sight: Sight,
    known: Sequence[View],
    changed: Sequence[View],
    kept: Sequence[View],
    cuts: Cuts,
) -> list[View]:
    """Look again into the cubes that a changed mask beside them goes on into, or did before."""
    if not kept:
        return []
    patches = [view.patch for view in changed]
    asked = (*changed, *(old for old in known if old.patch in patches))
    beyond = [points for view in asked for points in cuts.of(view)]
    return [
        look_on(sight, view.patch, [*changed, *kept], cuts.clicks) or view
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


def pursue(sight: Sight, views: Sequence[View], cuts: Cuts) -> tuple[View, ...]:
    """Look on beyond the faces that cut the mask, cube by cube.

    Args:
        sight: the network in front of the volume.
        views: of the object so far.
        cuts: of the clicks; a cube gets those that it holds.

    Returns:
        `views`, and those that were added: at most 7, none that the mask does not reach into.
    """
    found = tuple(views)
    tried: list[Patch] = []
    for _ in range(CUBES - 1):
        patch = next_cube(found, cuts, tried)
        if patch is None:
            break
        tried.append(patch)
        view = look_on(sight, patch, found, cuts.clicks)
        found = found if view is None else (*found, view)
    return found


def next_cube(views: Sequence[View], cuts: Cuts, tried: Sequence[Patch] = ()) -> Patch | None:
    """Put a cube over the largest cut that no other shows, nor was tried; None if none is."""
    still_open = [
        (len(open_points), view, open_points)
        for view in views
        for points in cuts.of(view)
        if len(open_points := _unseen(points, view, views, tried)) >= CUT_CELLS
    ]
    if not still_open:
        return None
    _, view, points = max(still_open, key=lambda cut: cut[0])
    return Patch(triple(points.mean(0)), view.patch.spacing_mm, view.patch.size)


def goes_on(views: Sequence[View], cuts: Cuts) -> bool:
    """Tell whether a cut is left."""
    return next_cube(views, cuts) is not None


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
    inside, points = view.logits > 0, view.patch.to_patch(_included(clicks))
    part = clicked_part(inside, (points + 0.5) * view.logits.shape[0] / view.patch.size)
    return inside if part is None else part


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
    inside = logits > 0
    apart = inside & ~pieces_meeting(inside, known)
    return np.where(apart, np.minimum(logits, -logits), logits)
