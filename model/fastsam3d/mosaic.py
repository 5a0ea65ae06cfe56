"""What several cubes show of one object, brought together so that no seam shows."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .geometry import Box, Matrix, Patch, box_shape, meet

Logits = NDArray[np.float32]

UNSEEN = 0.0
"""The logit of what no cube shows."""
FADE = 1 / 16
"""Weight below which what a cube shows is fed back as less certain: that of the cells that lie
within an eighth of its side from a face. A cut that is fed back sharp would be drawn again."""


class View(NamedTuple):
    """What was seen in a patch: (m, m, m) logits and the IoU that the network predicts."""

    patch: Patch
    logits: Logits
    confidence: float


def blend(
    views: Sequence[View],
    shape_kji: Iterable[int],
    ijk_to_ras: Matrix,
    within: Box,
    *,
    fade: float = 0.0,
) -> Logits:
    """Interpolate views at the voxel centres of a part of a volume.

    Where cubes overlap, each counts the less the nearer its faces are.

    Args:
        views: of one object.
        shape_kji: of the volume.
        ijk_to_ras: of the volume.
        within: the part of it.
        fade: weight below which logits go towards 0, in proportion.

    Returns:
        Logits of the shape of `within`, -inf where no cube is.
    """
    shape_kji = tuple(shape_kji)
    if (
        not fade
        and len(views) == 1
        and meet(within, views[0].patch.box_in(shape_kji, ijk_to_ras)) == within
    ):
        patch, logits, _ = views[0]
        return patch.paste(logits, shape_kji, ijk_to_ras, within=within)[1]
    total = np.zeros(box_shape(within), np.float32)
    weight = np.zeros_like(total)
    for view in views:
        window = window_of(view.logits.shape[0])
        box, shares = view.patch.paste(window, shape_kji, ijk_to_ras, within=within)
        if not shares.size:
            continue
        _, values = view.patch.paste(window * view.logits, shape_kji, ijk_to_ras, within=within)
        held = shares > 0
        part = tuple(
            slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, within, strict=True)
        )
        total[part] += np.where(held, values, 0)
        weight[part] += np.where(held, shares, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0, total / np.maximum(weight, fade), -np.inf).astype(np.float32)


def in_patch(views: Sequence[View], patch: Patch, cells: int) -> Logits:
    """Bring views to the (m, m, m) cells of a patch, to be fed back; 0 where they show nothing."""
    shape = (cells,) * 3
    whole = (slice(0, cells),) * 3
    logits = blend(views, shape, lattice(patch, cells), whole, fade=FADE)
    logits[np.isneginf(logits)] = UNSEEN
    return logits


def cells_of(patch: Patch, cells: int) -> Patch:
    """Return the same cube with `cells` voxels a side: the grid of a mask."""
    return Patch(patch.centre_ras, patch.spacing_mm * patch.size / cells, cells)


def lattice(patch: Patch, cells: int) -> Matrix:
    """Return the `ijk_to_ras` of a patch's cells, as if they were a volume."""
    coarse = cells_of(patch, cells)
    ijk_to_ras = np.eye(4)
    # An array in R, A, S order is (k, j, i): i steps to the superior, k to the right.
    ijk_to_ras[:3, :3] = coarse.spacing_mm * np.eye(3)[::-1]
    ijk_to_ras[:3, 3] = coarse.to_ras(np.zeros((1, 3)))[0]
    return ijk_to_ras


def resample_logits(logits: Logits, patch: Patch, other: Patch) -> Logits:
    """Bring a patch's (m, m, m) logits to the cells of another patch; 0 beyond it."""
    cells = logits.shape[0]
    return cells_of(other, cells).sample(logits, lattice(patch, cells), outside=UNSEEN)


@lru_cache(maxsize=4)
def window_of(cells: int) -> Logits:
    """Weigh (m, m, m) cells: 1 in the middle, towards 0 at the faces."""
    axis = np.arange(cells)
    tent = (np.minimum(axis, axis[::-1]) + 0.5) / (cells / 2)
    nearest = np.minimum(np.minimum(tent[:, None, None], tent[:, None]), tent)
    return np.asarray(nearest**2, np.float32)
