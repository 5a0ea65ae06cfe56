"""The segment that is being edited: what was last written into it, and what others did since."""

from typing import Any

import numpy as np

from . import masking, segments
from .record import Record, difference
from .scene import gridOf
from .timeline import Box, Mask, Painted, Start, boundsOf, joined


class Editing:
    """Writes masks into one segment and notices when anybody else does.

    Attributes:
        volumeNode: whose grid masks are on.
        segmentationNode: fit for the volume.
        segmentId: the segment.
        record: how the segment differs from what was predicted.
        refusal: what held the last write back altogether, for the user; "" if nothing did.
        voxels: how many the segment holds.
    """

    def __init__(
        self,
        volumeNode: Any,
        segmentationNode: Any,
        segmentId: str,
        over: "Editing | None" = None,
    ) -> None:
        """Begin with what the segment holds.

        Args:
            volumeNode: see the attributes.
            segmentationNode: likewise.
            segmentId: likewise.
            over: one that is used no more. Its memory is: new memory costs 10 ms in a first click.
        """
        self.volumeNode = volumeNode
        self.segmentationNode = segmentationNode
        self.segmentId = segmentId
        self.record = Record()
        self.refusal = ""
        self._hold(None if over is None else over._emptied())

    @property
    def held(self) -> Mask:
        """Return the (k, j, i) mask as this last saw or wrote it; to be read only."""
        return self._held

    @property
    def isTouched(self) -> bool:
        """Tell whether anybody else wrote into the segment since."""
        return self._stamp != self._stampNow()

    def isOf(self, volumeNode: Any, segmentationNode: Any, segmentId: str) -> bool:
        """Tell whether this is about these nodes and this segment."""
        return (
            self.volumeNode is volumeNode
            and self.segmentationNode is segmentationNode
            and self.segmentId == segmentId
        )

    def takePainted(self) -> Painted | None:
        """Return what others changed since the last write, once; None if nothing."""
        if not self.isTouched:
            return None
        before = self._held
        self._hold()
        if self.isAt(before):
            return None
        painted = Painted.between(before, self._held)
        if boxes := self.record.boxes:
            predicted = painted.on(self.record.predicted(before))
            self.record = Record(difference(predicted, self._held, boxes), self.record.taken)
        return painted

    def isAt(self, mask: Mask) -> bool:
        """Tell whether the segment holds a (k, j, i) mask."""
        return np.array_equal(mask, self._held)

    def follow(self, mask: Mask, box: Box, record: Record | None) -> None:
        """Write a new state, or restore one that has a record; see there."""
        if record is None:
            self.write(mask, box)
        else:
            self.restore(mask, box, record)

    def write(self, mask: Mask, box: Box) -> None:
        """Bring a box of a predicted (k, j, i) mask into the segment, as far as masking allows.

        Voxels that were taken from other segments go back to them where the mask leaves them.

        Raises:
            UserError: masking asks for what is not there, or a segment lies on another grid.
        """
        values, self.refusal = mask[box], ""
        if not values.size:
            return
        rules = masking.maskingOf(self.segmentationNode)
        lost: dict[str, Mask] = {}
        if rules.isOn:
            before = self._held[box].copy()
            lost = self._writeMasked(rules, values, box)
            if np.array_equal(before, self._held[box]) and not np.array_equal(before, values):
                self.refusal = masking.refusal(rules)
        else:
            self._put(values, box)
        self._stamp = self._stampNow()
        boxes = (*self.record.boxes, *([box] if rules.isOn else []))
        differs = difference(mask, self._held, boxes)
        self.record = Record(differs, self._takenAfter(lost, box))

    def restore(self, mask: Mask, box: Box, record: Record) -> None:
        """Bring back what a step left in the segment and in others, whatever masking asks for.

        Args:
            mask: (k, j, i), as it was predicted in that step.
            box: where it differs from what is predicted now.
            record: of that step.
        """
        wanted, self.refusal = record.on(mask), ""
        for part in (box, *self.record.boxes, *record.boxes):
            if wanted[part].size:
                self._put(wanted[part], part)
        self._stamp = self._stampNow()
        for segmentId, gets, loses in self.record.changes(record, mask.shape):
            self._changeOther(segmentId, gets, loses)
        self.record = record

    def _hold(self, empty: Mask | None = None) -> None:
        """Take the segment as it is, into a mask of the volume's shape if one is given."""
        grid, self._stamp = gridOf(self.volumeNode), self._stampNow()
        if empty is None or empty.shape != grid.shapeKji:
            empty = np.zeros(grid.shapeKji, bool)
        self._held: Mask = empty
        self._reach, part = segments.readPart(*self._segment, grid.whole)
        self._held[self._reach] = part
        self.voxels = int(np.count_nonzero(part))

    def _emptied(self) -> Mask:
        self._held[self._reach] = False
        return self._held

    def _put(self, values: Mask, box: Box) -> None:
        segments.writeMask(*self._segment, box, values)
        self._note(values, box)

    def _note(self, values: Mask, box: Box) -> None:
        """Note what the segment holds in a box."""
        self.voxels += int(np.count_nonzero(values)) - int(np.count_nonzero(self._held[box]))
        self._held[box] = values
        self._reach = joined((self._reach, box))

    def _writeMasked(self, rules: masking.Masking, values: Mask, box: Box) -> dict[str, Mask]:
        """Return what other segments lost."""
        others = self._others() if rules.takesFromOthers else {}
        masking.writeMasked(rules, *self._segment, box, values)
        self._note(segments.readMask(*self._segment, box), box)
        return {each: before & ~self._read(each) for each, before in others.items()}

    def _takenAfter(self, lost: dict[str, Mask], box: Box) -> dict[str, Start]:
        """Give back what the segment left; return what it still has from others."""
        kept = {}
        for segmentId in {**self.record.taken, **lost}:
            taken = self.record.takenFrom(segmentId, self._held.shape)
            taken |= lost.get(segmentId, False)
            back = np.zeros_like(taken)
            back[box] = taken[box] & ~self._held[box]
            self._changeOther(segmentId, back, np.zeros_like(back))
            if (taken & ~back).any():
                kept[segmentId] = Start.of(taken & ~back)
        return kept

    def _changeOther(self, segmentId: str, gets: Mask, loses: Mask) -> None:
        box = boundsOf(gets | loses)
        if gets[box].size and segments.hasSegment(self.segmentationNode, segmentId):
            values = (self._read(segmentId)[box] | gets[box]) & ~loses[box]
            segments.writeMask(self.segmentationNode, segmentId, self.volumeNode, box, values)

    def _others(self) -> dict[str, Mask]:
        ids = self.segmentationNode.GetSegmentation().GetSegmentIDs()
        return {each: self._read(each) for each in ids if each != self.segmentId}

    @property
    def _segment(self) -> tuple[Any, str, Any]:
        return self.segmentationNode, self.segmentId, self.volumeNode

    def _read(self, segmentId: str) -> Mask:
        return segments.readMask(self.segmentationNode, segmentId, self.volumeNode)

    def _stampNow(self) -> tuple[Any, ...]:
        return segments.stampOf(self.segmentationNode, self.segmentId)
