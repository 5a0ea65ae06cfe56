"""The nodes in use: a volume, a segmentation, one of its segments and that segment's points."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from . import masking, points, scene, segments
from .language import tr as _
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
        volumeNode: or None.
        segmentationNode: or None, then `prepare` adds one.
        segmentId: or "", then `prepare` adds a segment.
        onLost: called with what has left the scene while it was in use, and the key of the
            segment in use.
    """

    def __init__(self, onLost: Callable[[Lost, Key], None]) -> None:
        self.volumeNode: Any = None
        self.segmentationNode: Any = None
        self.segmentId = ""
        self.onLost = onLost
        self._pointsNode: Any = None
        self._first: tuple[Point, ...] = ()
        self._watch = Watch(self._nodeRemoved, self._segmentRemoved, self._sceneClosed)

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
        self._pointsNode, self._first = None, ()
        self._watch.follow(segmentationNode)
        if segmentationNode is not None:
            self._pointsNode = points.nodeOf(segmentationNode, segmentId)
            if self._pointsNode is not None:
                self._first = points.read(self._pointsNode, self._pointsNode)
            points.showOnly(segmentationNode, self._pointsNode)

    def firstPoints(self) -> tuple[Point, ...]:
        """Return the points that the segment had when it was chosen, in the volume's own RAS."""
        return tuple(
            Point(scene.carried(point.ras, self._pointsNode, self.volumeNode), point.positive)
            for point in self._first
        )

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
        self.volumeNode = self.segmentationNode = self._pointsNode = None
        self.segmentId = ""

    def _nodeRemoved(self, node: Any) -> None:
        key = self.key
        if node is self.volumeNode:
            scene.hideOverlay(node)
            self.volumeNode = None
            self.onLost(Lost.VOLUME, key)
        elif node is self.segmentationNode:
            self.choose(None, "")
            points.removeAll(node)
            masking.removeEditor(node)
            self.onLost(Lost.SEGMENTATION, key)
        elif node is self._pointsNode:
            self._pointsNode = None
            self.onLost(Lost.POINTS, key)

    def _segmentRemoved(self, segmentId: str) -> None:
        key, node = self.key, points.nodeOf(self.segmentationNode, segmentId)
        if segmentId == self.segmentId:
            self.choose(self.segmentationNode, "")
            self.onLost(Lost.SEGMENT, key)
        if node is not None:
            points.remove(node)

    def _sceneClosed(self) -> None:
        key = self.key
        self._watch.follow(None)
        self.volumeNode = self.segmentationNode = self._pointsNode = None
        self.segmentId = ""
        self.onLost(Lost.SCENE, key)
