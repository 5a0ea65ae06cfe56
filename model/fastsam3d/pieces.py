"""The pieces of a mask that were clicked, found by its rows: a tenth of labelling its voxels."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .geometry import Box, Points

Mask = NDArray[np.bool_]
Numbers = NDArray[np.intp]


class Runs(NamedTuple):
    """Unbroken rows of true voxels along i, in their order.

    padded: the mask, with a false voxel after each row and a false row after each slice.
    starts: (N,) indices into it, flat.
    stops: (N,) of the voxels after the last.
    """

    padded: Mask
    starts: Numbers
    stops: Numbers

    @classmethod
    def of(cls, mask: Mask) -> "Runs":
        """Return the runs of a mask, (k, j, i)."""
        depth, height, width = mask.shape
        padded = np.zeros((depth, height + 1, width + 1), bool)
        padded[:, :height, :width] = mask
        flat = padded.reshape(-1)
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        if flat[0]:
            edges = np.concatenate([[0], edges])
        return cls(padded, edges[::2], edges[1::2])

    def holding(self, places: Numbers) -> Numbers:
        """Return which runs hold some true voxels, indices as `starts`."""
        return np.searchsorted(self.starts, places, side="right") - 1

    def nearest(self, voxel_kji: Numbers) -> int:
        """Return the run that is nearest to a voxel, in voxels."""
        k, j, first = np.unravel_index(self.starts, self.padded.shape)
        last = first + self.stops - self.starts - 1
        i = np.clip(voxel_kji[2], first, last)
        away = (np.stack([k, j, i], axis=1) - voxel_kji) ** 2
        return int(away.sum(1).argmin())

    def pieces(self) -> Numbers:
        """Return for each run the first one of its piece; pieces hang together by faces."""
        _, height, width = self.padded.shape
        root = np.arange(len(self.starts))
        links = np.concatenate([self._links(width), self._links(height * width)], axis=1)
        while (links := links[:, root[links[0]] != root[links[1]]]).size:
            one, other = root[links]
            np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
            while ((further := root[root]) != root).any():
                root = further
        return root

    def whole(self, some: Numbers) -> Mask:
        """Return the pieces that some runs are of."""
        pieces = self.pieces()
        kept = np.zeros(len(pieces), bool)
        kept[pieces[some]] = True
        return self.without(~kept[pieces])

    def without(self, dropped: Mask) -> Mask:
        """Return the mask without (N,) of the runs."""
        kept = self.padded
        if dropped.any():
            voxels, _ = _spread(self.starts[dropped], self.stops[dropped])
            kept = kept.copy()
            kept.reshape(-1)[voxels] = False
        return kept[:, :-1, :-1]

    def _links(self, step: int) -> Numbers:
        """Return the (2, M) runs of which the second lies `step` voxels on along the first."""
        first = np.searchsorted(self.stops, self.starts + step, side="right")
        after = np.searchsorted(self.starts, self.stops + step, side="left")
        there, whose = _spread(first, after)
        return np.stack([whose, there])


def row_ends(mask: Mask) -> Mask:
    """Mark the voxels at the ends of a mask's rows: together they reach as far as all of it."""
    ends = mask.copy()
    ends[..., 1:-1] &= ~(mask[..., :-2] & mask[..., 2:])
    return ends


def pieces_at(mask: Mask, voxels_kji: Numbers) -> Mask | None:
    """Return the pieces of a mask that hold one of some voxels; None if none does.

    Args:
        mask: (k, j, i).
        voxels_kji: (N, 3) of them, or beyond.
    """
    met = voxels_kji[_held(mask, voxels_kji)]
    if not len(met):
        return None
    runs = Runs.of(mask)
    places = np.ravel_multi_index(tuple(met.T), runs.padded.shape)
    return runs.whole(runs.holding(places))


def pieces_meeting(mask: Mask, other: Mask) -> Mask:
    """Return the pieces of a mask that share a voxel with another one of its shape."""
    runs = Runs.of(mask)
    return runs.whole(runs.holding(Runs.of(mask & other).starts))


def largest_piece(mask: Mask) -> Mask:
    """Return the piece of most voxels; of several the first."""
    runs = Runs.of(mask)
    sizes = np.bincount(runs.pieces(), weights=runs.stops - runs.starts)
    return runs.whole(np.atleast_1d(sizes.argmax()))


def _held(mask: Mask, voxels_kji: Numbers) -> Mask:
    """Tell which of (N, 3) voxels are true in a mask."""
    held = np.asarray(((voxels_kji >= 0) & (voxels_kji < mask.shape)).all(1))
    held[held] = mask[tuple(voxels_kji[held].T)]
    return held


def _spread(starts: Numbers, stops: Numbers) -> tuple[Numbers, Numbers]:
    """Count from starts to stops, one after the other; return numbers, and of which each is."""
    lengths = np.maximum(stops - starts, 0)
    whose = np.repeat(np.arange(len(lengths)), lengths)
    return np.arange(len(whose)) + (starts + lengths - np.cumsum(lengths))[whose], whose


def clicked_pieces(mask: Mask, included_kji: Points, firm: Mask | None = None) -> Mask:
    """Return a mask without the pieces that hold no included point.

    A point beside all pieces speaks for the nearest: small ones are not met to the voxel.

    Args:
        mask: (k, j, i).
        included_kji: (N, 3) points, as indices into it or beyond.
        firm: voxels that stay whatever is done; the pieces that touch them are kept, too.

    Returns:
        A mask of that shape, the same where no piece holds a point.
    """
    voxels = np.floor(included_kji + 0.5).astype(int)
    whole = mask if firm is None else mask | firm
    met = _held(whole, voxels)
    if not met.any():
        return mask
    runs = Runs.of(whole)
    pieces = runs.pieces()
    kept = np.zeros(len(pieces), bool)
    places = np.ravel_multi_index(tuple(voxels[met].T), runs.padded.shape)
    kept[pieces[runs.holding(places)]] = True
    for voxel in voxels[~met]:
        kept[pieces[runs.nearest(voxel)]] = True
    if firm is not None:
        kept[pieces[runs.holding(Runs.of(firm).starts)]] = True
    dropped = ~kept[pieces]
    return runs.without(dropped) & mask if dropped.any() else mask


def holding(inside: Mask, shown: Mask, box: Box, mask: Mask, fixed: Mask) -> Mask | None:
    """Mark what stays as it is in a mask, and where an answer goes on into it; None if nowhere.

    Args:
        inside: the answer in a box of the volume.
        shown: of that shape; where it says anything.
        box: where that is.
        mask: (k, j, i) of the volume, before.
        fixed: of that shape; voxels that the answer does not change.
    """
    is_fixed, is_unseen = fixed[box].any(), not shown.all()
    touching = [each for each in _touching(inside, box, mask) if each[1].any()]
    if not (is_fixed or is_unseen or touching):
        return None
    firm = np.zeros(inside.shape, bool)
    if is_fixed:
        firm |= mask[box] & fixed[box]
    if is_unseen:
        firm |= mask[box] & ~shown
    for face, there in touching:
        firm[face] |= there
    return firm


def _touching(answer: Mask, box: Box, mask: Mask) -> Iterator[tuple[tuple[slice, ...], Mask]]:
    """Yield the faces of a box, and where the answer meets there what the mask holds beyond."""
    for axis, part in enumerate(box):
        for beyond, face in ((part.start - 1, slice(0, 1)), (part.stop, slice(-1, None))):
            if 0 <= beyond < mask.shape[axis]:
                inner = tuple(face if n == axis else slice(None) for n in range(3))
                outer = (*box[:axis], slice(beyond, beyond + 1), *box[axis + 1 :])
                yield inner, answer[inner] & mask[outer]
