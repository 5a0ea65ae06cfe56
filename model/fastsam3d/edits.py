"""What did not come from the network, by hand or from elsewhere, and what a click does to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .geometry import Box, Matrix, Patch, Points, box_shape, ras_to_kji, spacing_of
from .grid import Grid
from .history import Mask, bounds
from .mosaic import Logits, View, cells_of
from .pieces import pieces_at
from .sight import Click
from .state import State

Voxel = NDArray[np.int_]

COARSE = 96
"""Samples a side that depths are measured with."""
ROUND = 1.5
"""A click that excludes reaches so many times as far as it lies from the mask's border."""
AS_FAR = 2.0
"""One that includes adds what lies up to so many times as far from the mask as itself."""


@dataclass(frozen=True)
class Foreign(State):
    """What is known where the mask came from elsewhere: a click changes it only round itself."""


@dataclass(frozen=True)
class Said:
    """What the newest click says.

    voxel_kji: (3,) where.
    positive: whether to include.
    included_kji: (N, 3), all clicks that include.
    spacing_kji_mm: (3,) of the voxels.
    start_kji: (3,) of the box that is looked at.
    """

    voxel_kji: Voxel
    positive: bool
    included_kji: Points
    spacing_kji_mm: Points
    start_kji: Voxel = field(default_factory=lambda: np.zeros(3, int))

    @classmethod
    def by(cls, click: Click, clicks: Sequence[Click], grid: Grid) -> "Said":
        """Return what a click says in a volume, after `clicks`."""
        spacing_kji_mm = spacing_of(grid.ijk_to_ras)[::-1]
        included = included_kji(clicks, grid.ijk_to_ras)
        return cls(grid.voxel_at(click.point_ras), click.positive, included, spacing_kji_mm)

    @property
    def voxel(self) -> Voxel:
        """Return where the click lies in the box."""
        return np.asarray(self.voxel_kji - self.start_kji)


def included_kji(clicks: Sequence[Click], ijk_to_ras: Matrix) -> Points:
    """Return the (N, 3) clicks that include, as indices."""
    included = [click.point_ras for click in clicks if click.positive]
    return ras_to_kji(np.reshape(included, (-1, 3)), ijk_to_ras)


def keep_edits(
    mask: Mask, by_hand: Mask, box: Box, values: Mask, said: Said | None, *, foreign: bool = False
) -> tuple[Mask, Mask]:
    """Keep what did not come from the network, save where a click says otherwise.

    Args:
        mask: (k, j, i) before.
        by_hand: of that shape; which of its voxels were edited.
        box: the part that is to change.
        values: what it is to become.
        said: the click, None for none. The disputed piece that it lies in is given up, so far as
            it is near: a bad answer of the network must not take the core of a mask away, nor
            add what was not clicked.
        foreign: whether the whole mask came from elsewhere, and only the click may change it.

    Returns:
        The voxels of the box, and which of them stay edited by hand.
    """
    edited, now = by_hand[box], mask[box]
    fixed = np.ones_like(edited) if foreign and said is not None else edited
    if not fixed.any():
        return values, edited
    given_up = np.zeros_like(edited)
    if said is not None:
        said = replace(said, start_kji=np.array([part.start for part in box]))
        disputed = fixed & (values != now) & (now != said.positive)
        given_up = _piece(disputed & _near(now, said), said.voxel)
    return np.where(fixed & ~given_up, now, values), edited & ~given_up


def as_logits(mask: Mask, ijk_to_ras: Matrix, patch: Patch, cells: int) -> Logits:
    """Bring a mask, (k, j, i), to (m, m, m) logits in a patch, to be fed back."""
    share = cells_of(patch, cells).sample(mask.view(np.uint8), ijk_to_ras, outside=0.0)
    return (16 * share - 8).astype(np.float32)


def agreed(
    views: Sequence[View], box: Box, values: Mask, kept: Mask, ijk_to_ras: Matrix
) -> tuple[View, ...]:
    """Return views that show the mask where it was kept against them.

    Args:
        views: of the object.
        box: a part of the volume.
        values: what they show there.
        kept: the mask there.
        ijk_to_ras: of the volume.
    """
    overruled = values != kept
    if not overruled.any():
        return tuple(views)
    shift = np.eye(4)
    shift[:3, 3] = [part.start for part in box][::-1]
    there = ijk_to_ras @ shift
    return tuple(
        view._replace(
            logits=np.where(
                as_logits(overruled, there, view.patch, view.logits.shape[0]) > 0,
                as_logits(kept, there, view.patch, view.logits.shape[0]),
                view.logits,
            )
        )
        for view in views
    )


def _near(mask: Mask, said: Said) -> Mask:
    """Mark the voxels of a mask's box that a click may speak for."""
    if not mask.any() or not _holds(mask, said.voxel):
        return np.ones_like(mask)
    return _beside(mask, said) if said.positive else _ball(mask, said)


def _beside(mask: Mask, said: Said) -> Mask:
    """Mark what is up to some times as far from a mask as the click."""
    step = -(-max(mask.shape) // COARSE)
    away = _depth(~mask, step, said.spacing_kji_mm)
    far = AS_FAR * max(away[tuple(said.voxel // step)], step * said.spacing_kji_mm.max())
    return np.asarray((away <= far)[np.ix_(*(np.arange(n) // step for n in mask.shape))])


def _ball(mask: Mask, said: Said) -> Mask:
    """Mark a ball round the click, by its depth in a mask, on its side of the mask's core."""
    mm, outer = said.spacing_kji_mm, bounds(mask)
    corner = np.array([part.start for part in outer])
    step = -(-max(box_shape(outer)) // COARSE)
    depth = _depth(np.pad(mask[outer], step), step, mm)
    deepest = np.unravel_index(depth.argmax(), depth.shape)
    core = (np.array([deepest]) - 1) * step + corner
    at = np.clip((said.voxel - corner) // step + 1, 0, np.subtract(depth.shape, 1))
    radius = ROUND * max(depth[tuple(at)], step * mm.min())
    low = np.clip(np.floor(said.voxel - radius / mm), 0, mask.shape).astype(int)
    high = np.clip(np.ceil(said.voxel + radius / mm) + 1, low, mask.shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    axes = np.ogrid[box]
    own = _away(axes, said.voxel.astype(float), mm)
    near = np.zeros_like(mask)
    near[box] = own <= radius**2
    for rival in np.concatenate([core, said.included_kji - said.start_kji]):
        near[box] &= own <= _away(axes, rival, mm)
    return near


def _depth(inside: Mask, step: int, spacing_mm: Points) -> Points:
    """Measure in mm how far every so-manieth voxel lies from what is not inside."""
    from scipy import ndimage

    return np.asarray(
        ndimage.distance_transform_edt(
            inside[::step, ::step, ::step], sampling=(step * spacing_mm).tolist()
        )
    )


def _holds(mask: Mask, voxel: Voxel) -> bool:
    return bool(((voxel >= 0) & (voxel < mask.shape)).all())


def _piece(disputed: Mask, voxel: Voxel) -> Mask:
    """Return the connected piece that holds a voxel; none if none does."""
    piece = pieces_at(disputed, voxel[None])
    return np.zeros_like(disputed) if piece is None else piece


def _away(axes: Sequence[NDArray[np.int_]], place: Points, spacing_mm: Points) -> Points:
    """Measure squared distances in mm from a place."""
    squares = ((mm * (axis - n)) ** 2 for axis, n, mm in zip(axes, place, spacing_mm, strict=True))
    return np.asarray(sum(squares))
