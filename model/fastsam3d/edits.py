"""Voxels that were changed by hand, and what a later click does to them."""

import numpy as np
from numpy.typing import NDArray

from .geometry import Box
from .history import Mask


def keep_edits(
    mask: Mask, by_hand: Mask, box: Box, values: Mask, voxel_kji: NDArray[np.int_] | None
) -> tuple[Mask, Mask]:
    """Keep what was edited by hand, save where a click says otherwise.

    Args:
        mask: (k, j, i) before.
        by_hand: of that shape; which of its voxels were edited.
        box: the part that is to change.
        values: what it is to become.
        voxel_kji: (3,) the click, None for none: the disputed piece that it lies in is given up.

    Returns:
        The voxels of the box, and which of them stay edited by hand.
    """
    edited = by_hand[box]
    if not edited.any():
        return values, edited
    kept = edited
    if voxel_kji is not None:
        kept = edited & ~_piece(edited & (values != mask[box]), box, voxel_kji)
    return np.where(kept, mask[box], values), kept


def _piece(disputed: Mask, box: Box, voxel_kji: NDArray[np.int_]) -> Mask:
    """Return the connected piece that holds a voxel of the volume; none if none does."""
    from scipy import ndimage

    pieces, _ = ndimage.label(disputed)
    index = tuple(voxel_kji - [part.start for part in box])
    inside = all(0 <= n < length for n, length in zip(index, pieces.shape, strict=True))
    return np.asarray((pieces > 0) & (pieces == (pieces[index] if inside else -1)))
