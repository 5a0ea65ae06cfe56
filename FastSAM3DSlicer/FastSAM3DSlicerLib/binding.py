"""The nodes in use: a volume, a segmentation, one of its segments and that segment's points."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeAlias

import slicer

from . import masking, points, scene, segments
from .home import Carry
from .language import tr as _
from .prediction import Options
from .timeline import Point
from .watch import Watch

Key: TypeAlias = tuple[str, str]
"""Ids of a segmentation and a segment: what tells one segment from all others in the scene."""


class Lost(Enum):
    """What has left the scene while it was in use."""

    VOLUME = "volume"
    SEGMENTATION = "segmentation"
    SEGMENT = "segment"
    POINTS = "points"
    SCENE = "scene"

    @property
    def text(self) -> str:
        """Say it to the user, and what to do."""
        return {
            Lost.VOLUME: _(
                "The volume was removed; its segments are as they were. Choose another volume."
            ),
            Lost.SEGMENTATION: _("The segmentation was removed; the next click makes a new one."),
            Lost.SEGMENT: _("The segment was removed; the next click makes a new one."),
            Lost.POINTS: _("The segment's points were removed; the segment is as it was."),
            Lost.SCENE: _("The scene was closed. Load a volume to begin."),
        }[self]


@dataclass(frozen=True)
class Target:
    """What a step works on; it stays the same while the user goes on to something else.

    Attributes:
        volumeNode: or None.
        segmentationNode: or None.
        segmentId: or "".
        pointsNode: the markups node of the segment's points, or None.
    """

    volumeNode: Any
    segmentationNode: Any
    segmentId: str
    pointsNode: Any

    @property
    def key(self) -> Key:
        """Return the segment's key."""
        node = self.segmentationNode
        return "" if node is None else node.GetID(), self.segmentId

    @property
    def segment(self) -> tuple[Any, Any, str]:
        """Return the volume, the segmentation and the segment's id."""
        return self.volumeNode, self.segmentationNode, self.segmentId

    @property
    def isThere(self) -> bool:
        """Tell whether all of it is in the scene."""
        nodes = (self.volumeNode, self.segmentationNode, self.pointsNode)
        areThere = all(node is not None and node.GetScene() is not None for node in nodes)
        return areThere and segments.hasSegment(self.segmentationNode, self.segmentId)


class Binding:
    """Holds nodes, makes those that are missing, and lets go of those that leave the scene.

    Attributes:
        volumeNode: or None; points that belong to it follow it.
        segmentationNode: or None, then `prepare` adds one.
        segmentId: or "", then `prepare` adds a segment.
        regionNode: markups ROI that masks stay within, or None.
        onGone: called with the key of any segment that left the scene, with its points.
        onCarried: called with the key of a segment whose points have another own RAS now.
        onLost: called with what has left the scene while it was in use, and the key of the
            segment in use.
    """

    def __init__(self, onLost: Callable[[Lost, Key], None]) -> None:
        self.segmentationNode: Any = None
        self.segmentId = ""
        self.regionNode: Any = None
        self.onLost = onLost
        self.onGone: Callable[[Key], None] = lambda key: None
        self.onCarried: Callable[[Key, Carry], None] = lambda key, carry: None
        self._volumeNode: Any = None
        self._pointsNode: Any = None
        self._watch = Watch(
            self._nodeRemoved, self._segmentRemoved, self._sceneClosed, self._volumeMoved
        )

    @property
    def volumeNode(self) -> Any:
        """Return the volume, or None."""
        return self._volumeNode

    @volumeNode.setter
    def volumeNode(self, node: Any) -> None:
        self._volumeNode = node
        self._watch.followVolume(node)
        self._volumeMoved()

    @property
    def pointsNode(self) -> Any:
        """Return the markups node of the segment's points, or None."""
        return self._pointsNode

    @property
    def target(self) -> Target:
        """Return what is in use, complete after `prepare`."""
        return Target(self.volumeNode, self.segmentationNode, self.segmentId, self._pointsNode)

    @property
    def key(self) -> Key:
        """Return the key of the segment in use."""
        return self.target.key

    def choose(self, segmentationNode: Any, segmentId: str) -> None:
        """Take a segmentation and one of its segments, and show that one's points alone."""
        if self.segmentationNode is not None and segmentationNode is not self.segmentationNode:
            points.showOnly(self.segmentationNode, None)
        self.segmentationNode, self.segmentId = segmentationNode, segmentId
        self._pointsNode = None
        if segmentationNode is not None:
            self._pointsNode = points.nodeOf(segmentationNode, segmentId)
            if self._pointsNode is not None:
                points.noteObeyed(self._pointsNode)
            points.showOnly(segmentationNode, self._pointsNode)

    def firstPoints(self) -> tuple[Point, ...]:
        """Return the points that the segment's mask was made of, in their node's own RAS."""
        return points.obeyedIn(self._pointsNode)

    def bringPoints(self, target: Target) -> None:
        """Have a segment's points belong to the volume that it is segmented in."""
        self._bring(target.pointsNode, target.volumeNode)

    def within(self, options: Options, volumeNode: Any) -> Options:
        """Return options with the region of interest where it now is in a volume.

        Raises:
            UserError: it holds none of the volume's voxels.
        """
        if self.regionNode is None or volumeNode is None:
            return options
        isThere = self.regionNode.GetScene() is not None
        region = scene.regionOf(self.regionNode, volumeNode) if isThere else None
        return replace(options, region=region)

    def prepare(self) -> None:
        """Add what is missing: a segmentation in place for the volume, a segment, its points.

        Raises:
            UserError: the volume cannot be segmented, or the segmentation cannot take its masks.
        """
        self.prepareSegmentation()
        if not segments.hasSegment(self.segmentationNode, self.segmentId):
            self.choose(self.segmentationNode, segments.newSegment(self.segmentationNode))
        obeyed = masking.maskingOf(self.segmentationNode)
        masking.requireGrids(obeyed, self.segmentationNode, self.segmentId, self.volumeNode)
        if self._pointsNode is None:
            self._pointsNode = points.newNode(
                self.segmentationNode, self.segmentId, self.volumeNode
            )

    def prepareSegmentation(self) -> None:
        """Add a segmentation if there is none, and make it fit for the volume."""
        scene.imageArray(self.volumeNode)
        if self.segmentationNode is None:
            self.choose(segments.newSegmentation(self.volumeNode), "")
        segments.place(self.segmentationNode, self.volumeNode)
        masking.editorNode(self.segmentationNode, self.volumeNode)

    @property
    def isUnused(self) -> bool:
        """Tell whether the segment in use is there, and has neither points nor voxels."""
        there = segments.hasSegment(self.segmentationNode, self.segmentId)
        placed = self._pointsNode is not None and self._pointsNode.GetNumberOfControlPoints()
        return there and not placed and segments.isEmpty(self.segmentationNode, self.segmentId)

    def close(self) -> None:
        """Let go of everything; the nodes stay in the scene."""
        self._watch.close()
        self._letGo()

    def _letGo(self) -> None:
        self._volumeNode = self.segmentationNode = self.regionNode = self._pointsNode = None
        self.segmentId = ""

    def _nodeRemoved(self, node: Any) -> None:
        key = self.key
        if node is self.volumeNode:
            scene.hideOverlay(node)
            self.volumeNode = None
            self.onLost(Lost.VOLUME, key)
        elif node is self._pointsNode:
            self._pointsNode = None
            self.onLost(Lost.POINTS, key)
        elif node.IsA("vtkMRMLSegmentationNode") and not node.GetScene().IsClosing():
            self._segmentationRemoved(node)

    def _segmentationRemoved(self, node: Any) -> None:
        key, isInUse = self.key, node is self.segmentationNode
        if isInUse:
            self.choose(None, "")
        points.removeAll(node)
        masking.removeEditor(node)
        if isInUse:
            self.onLost(Lost.SEGMENTATION, key)
        for segmentId in node.GetSegmentation().GetSegmentIDs():
            self.onGone((node.GetID(), segmentId))

    def _segmentRemoved(self, segmentation: Any, segmentId: str) -> None:
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
            if node.GetSegmentation() is segmentation:
                self._segmentLeft(node, segmentId)

    def _segmentLeft(self, segmentationNode: Any, segmentId: str) -> None:
        key, node = self.key, points.nodeOf(segmentationNode, segmentId)
        if (gone := (segmentationNode.GetID(), segmentId)) == key:
            self.choose(segmentationNode, "")
            self.onLost(Lost.SEGMENT, key)
        else:
            self.onGone(gone)
        if node is not None:
            points.remove(node)

    def _sceneClosed(self) -> None:
        key = self.key
        self._letGo()
        self.onLost(Lost.SCENE, key)

    def _volumeMoved(self) -> None:
        if self.volumeNode is not None and self.volumeNode.GetImageData() is not None:
            for node in points.ofVolume(self.volumeNode):
                self._bring(node, self.volumeNode)

    def _bring(self, node: Any, volumeNode: Any) -> None:
        carry = points.bring(node, volumeNode)
        if carry is not None:
            self.onCarried(points.keyOf(node), carry)
