"""The segment that is being edited: what was last written into it, and what others did since."""

from typing import Any

import numpy as np

from . import masking, segments
from .timeline import Box, Mask, Painted


class Editing:
    """Writes masks into one segment and notices when anybody else does.

    Attributes:
        volumeNode: whose grid masks are on.
        segmentationNode: fit for the volume.
        segmentId: the segment.
    """

    def __init__(self, volumeNode: Any, segmentationNode: Any, segmentId: str) -> None:
        self.volumeNode = volumeNode
        self.segmentationNode = segmentationNode
        self.segmentId = segmentId
        self._held = self._read()
        self._stamp = self._stampNow()
        self._taken: dict[str, Mask] = {}

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
        before, self._held, self._stamp = self._held, self._read(), self._stampNow()
        return None if np.array_equal(before, self._held) else Painted.between(before, self._held)

    def write(self, mask: Mask, box: Box) -> None:
        """Bring a box of a (k, j, i) mask into the segment, as far as masking allows.

        Voxels that were taken from other segments go back to them where the mask leaves them.
        """
        values = mask[box]
        if not values.size:
            return
        rules = masking.maskingOf(self.segmentationNode)
        if rules.isOn:
            self._writeMasked(rules, values, box)
        else:
            segments.writeMask(self.segmentationNode, self.segmentId, self.volumeNode, box, values)
            self._held[box] = values
        self._stamp = self._stampNow()
        self._giveBack(box)

    def _writeMasked(self, rules: masking.Masking, values: Mask, box: Box) -> None:
        others = self._others() if rules.takesFromOthers else {}
        masking.writeMasked(
            rules, self.segmentationNode, self.segmentId, self.volumeNode, box, values
        )
        self._held[box] = self._read()[box]
        for segmentId, before in others.items():
            lost = before & ~self._read(segmentId)
            if lost.any():
                self._taken[segmentId] = self._taken.get(segmentId, False) | lost

    def _giveBack(self, box: Box) -> None:
        for segmentId, taken in self._taken.items():
            back = taken[box] & ~self._held[box]
            if back.any() and segments.hasSegment(self.segmentationNode, segmentId):
                whole = self._read(segmentId)[box] | back
                segments.writeMask(self.segmentationNode, segmentId, self.volumeNode, box, whole)
                taken[box] &= ~back

    def _others(self) -> dict[str, Mask]:
        ids = self.segmentationNode.GetSegmentation().GetSegmentIDs()
        return {each: self._read(each) for each in ids if each != self.segmentId}

    def _read(self, segmentId: str = "") -> Mask:
        return segments.readMask(
            self.segmentationNode, segmentId or self.segmentId, self.volumeNode
        )

    def _stampNow(self) -> tuple[Any, ...]:
        return segments.stampOf(self.segmentationNode, self.segmentId)
