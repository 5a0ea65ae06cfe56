"""Tells when what is in use leaves the scene."""

from collections.abc import Callable
from typing import Any

import slicer
import vtk


class Watch:
    """Observes the scene and one segmentation until it is closed.

    Attributes:
        onNodeRemoved: called with a node that is about to leave the scene.
        onSegmentRemoved: called with the id of a segment that left the segmentation.
        onSceneClosed: called when the scene is about to be emptied.
    """

    def __init__(
        self,
        onNodeRemoved: Callable[[Any], None],
        onSegmentRemoved: Callable[[str], None],
        onSceneClosed: Callable[[], None],
    ) -> None:
        self.onNodeRemoved = onNodeRemoved
        self.onSegmentRemoved = onSegmentRemoved
        self.onSceneClosed = onSceneClosed
        self._segmentation: Any = None
        self._segmentationTag = 0
        scene = slicer.vtkMRMLScene
        self._scene = slicer.mrmlScene
        self._tags = [
            self._scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._nodeRemoved),
            self._scene.AddObserver(scene.StartCloseEvent, self._sceneClosed),
        ]

    def follow(self, segmentationNode: Any) -> None:
        """Watch the segments of a segmentation instead of the last one's; None for no other."""
        if self._segmentation is not None:
            self._segmentation.RemoveObserver(self._segmentationTag)
        self._segmentation = segmentationNode and segmentationNode.GetSegmentation()
        if self._segmentation is not None:
            event = slicer.vtkSegmentation.SegmentRemoved
            self._segmentationTag = self._segmentation.AddObserver(event, self._segmentRemoved)

    def close(self) -> None:
        """Watch nothing any more."""
        self.follow(None)
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags.clear()

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator]
    def _nodeRemoved(self, caller: Any, event: str, node: Any) -> None:
        self.onNodeRemoved(node)

    @vtk.calldata_type(vtk.VTK_STRING)  # type: ignore[untyped-decorator]
    def _segmentRemoved(self, caller: Any, event: str, segmentId: str) -> None:
        self.onSegmentRemoved(segmentId)

    def _sceneClosed(self, caller: Any, event: str) -> None:
        self.onSceneClosed()
