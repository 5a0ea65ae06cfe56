"""What masking made of a segment, for each state of its timeline, so that undo can restore it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .labelmap import shifted, voxel
from .scene import gridOf
from .timeline import Box, Mask, Painted, Start, Timeline, joined


@dataclass(frozen=True)
class Record:
    """How a segment differs from what was predicted, and what it has from others.

    Attributes:
        difference: from the predicted mask to the segment's; None for none.
        taken: ids of other segments, and the voxels that they lost to this one.
    """

    difference: Painted | None = None
    taken: Mapping[str, Start] = field(default_factory=dict)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Return where the segment differs, as no box or one."""
        return () if self.difference is None else (self.difference.box,)

    def on(self, predicted: Mask) -> Mask:
        """Return the segment's (k, j, i) mask where one was predicted; to be read only."""
        return predicted if self.difference is None else self.difference.on(predicted)

    def predicted(self, held: Mask) -> Mask:
        """Return the (k, j, i) mask that was predicted where the segment holds one."""
        if self.difference is None:
            return held
        box, added, removed = self.difference.box, self.difference.added, self.difference.removed
        return Painted(box, removed, added).on(held)

    def changes(self, to: "Record", shape: tuple[int, ...]) -> Iterator[tuple[str, Mask, Mask]]:
        """Yield what other segments get and lose on the way to another record.

        Args:
            to: the other one.
            shape: of the volume, (k, j, i).

        Yields:
            The id of a segment, and two (k, j, i) masks: what it gets, and what it loses.
        """
        for segmentId in {**self.taken, **to.taken}:
            here, there = self.takenFrom(segmentId, shape), to.takenFrom(segmentId, shape)
            yield segmentId, here & ~there, there & ~here

    def takenFrom(self, segmentId: str, shape: tuple[int, ...]) -> Mask:
        """Return the (k, j, i) mask of what a segment lost to this one."""
        nothing = np.zeros(shape, bool)
        return self.taken[segmentId].on(nothing) if segmentId in self.taken else nothing


class Ledger:
    """The records of one segment, by the number of steps that were done before."""

    def __init__(self, volumeNode: Any) -> None:
        self._grid = _gridStamp(volumeNode)
        self._records: dict[int, Record] = {}

    def fits(self, volumeNode: Any) -> bool:
        """Tell whether the boxes count on a volume's grid."""
        return self._grid == _gridStamp(volumeNode)

    def at(self, count: int) -> Record:
        """Return the record after some steps."""
        return self._records.get(count, Record())

    def put(self, timeline: Timeline, record: Record) -> None:
        """Keep the record of a timeline's present state; drop later ones where there are none."""
        count = len(timeline.past)
        if not timeline.future:
            self._records = {n: each for n, each in self._records.items() if n < count}
        self._records[count] = record


class Ledgers:
    """The ledgers of segments, by the ids of their segmentation and their own."""

    def __init__(self) -> None:
        self._ledgers: dict[tuple[str, str], Ledger] = {}

    def of(self, key: tuple[str, str]) -> Ledger:
        """Return the ledger that was opened for a segment."""
        return self._ledgers[key]

    def open(self, key: tuple[str, str], volumeNode: Any) -> Ledger:
        """Return a segment's ledger; an empty one if it has none on the grid of a volume."""
        ledger = self._ledgers.get(key)
        if ledger is None or not ledger.fits(volumeNode):
            ledger = self._ledgers[key] = Ledger(volumeNode)
        return ledger

    def forget(self, key: tuple[str, str] | None = None) -> None:
        """Drop the ledger of one segment, or all."""
        if key is None:
            self._ledgers.clear()
        else:
            self._ledgers.pop(key, None)


def difference(before: Mask, after: Mask, boxes: tuple[Box, ...]) -> Painted | None:
    """Tell how two (k, j, i) masks differ, which they do in some boxes at most."""
    whole = joined(boxes)
    if whole[0] == slice(0, 0):
        return None
    found = Painted.between(before[whole], after[whole])
    if found.box[0] == slice(0, 0):
        return None
    starts = voxel(part.start for part in whole)
    return Painted(shifted(found.box, starts, -1), found.added, found.removed)


def _gridStamp(volumeNode: Any) -> tuple[Any, ...]:
    grid = gridOf(volumeNode)
    return grid.shapeKji, grid.ijkToRas.tobytes()
