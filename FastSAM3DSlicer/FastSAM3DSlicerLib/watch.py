"""Tells when what is in use, or what belongs to it, leaves the scene or is moved."""

from collections.abc import Callable
from typing import Any

import slicer
import vtk


class Watch:
    """Observes the scene, all its segmentations and one volume until it is closed.

    Attributes:
        onNodeRemoved: called with a node that is about to leave the scene.
        onSegmentRemoved: called with the vtkSegmentation that a segment left, and its id.
        onSceneClosed: called when the scene is about to be emptied.
        onVolumeMoved: called when the volume came under another transform, or that was edited.
    """

    def __init__(
        self,
        onNodeRemoved: Callable[[Any], None],
        onSegmentRemoved: Callable[[Any, str], None],
        onSceneClosed: Callable[[], None],
        onVolumeMoved: Callable[[], None],
    ) -> None:
        self.onNodeRemoved = onNodeRemoved
        self.onSegmentRemoved = onSegmentRemoved
        self.onSceneClosed = onSceneClosed
        self.onVolumeMoved = onVolumeMoved
        self._segmentations: dict[Any, int] = {}
        self._volume: Any = None
        self._volumeTag = 0
        scene = slicer.vtkMRMLScene
        self._scene = slicer.mrmlScene
        self._tags = [
            self._scene.AddObserver(scene.NodeAddedEvent, self._nodeAdded),
            self._scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._nodeRemoved),
            self._scene.AddObserver(scene.StartCloseEvent, self._sceneClosed),
        ]
        self._followSegmentations()

    def followVolume(self, volumeNode: Any) -> None:
        """Watch a volume instead of the last one; None for no other."""
        if self._volume is not None:
            self._volume.RemoveObserver(self._volumeTag)
        self._volume = volumeNode
        if volumeNode is not None:
            event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
            self._volumeTag = volumeNode.AddObserver(event, self._volumeMoved)

    def close(self) -> None:
        """Watch nothing any more."""
        self.followVolume(None)
        self._followSegmentations(())
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags.clear()

    def _followSegmentations(self, nodes: Any = None) -> None:
        if nodes is None:
            nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        there = {node.GetSegmentation() for node in nodes}
        for gone in self._segmentations.keys() - there:
            gone.RemoveObserver(self._segmentations.pop(gone))
        for new in there - self._segmentations.keys():
            event = slicer.vtkSegmentation.SegmentRemoved
            self._segmentations[new] = new.AddObserver(event, self._segmentRemoved)

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator]
    def _nodeAdded(self, caller: Any, event: str, node: Any) -> None:
        if node.IsA("vtkMRMLSegmentationNode"):
            self._followSegmentations()

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator]
    def _nodeRemoved(self, caller: Any, event: str, node: Any) -> None:
        if node.IsA("vtkMRMLSegmentationNode"):
            tag = self._segmentations.pop(node.GetSegmentation(), None)
            if tag is not None:
                node.GetSegmentation().RemoveObserver(tag)
        self.onNodeRemoved(node)

    @vtk.calldata_type(vtk.VTK_STRING)  # type: ignore[untyped-decorator]
    def _segmentRemoved(self, caller: Any, event: str, segmentId: str) -> None:
        self.onSegmentRemoved(caller, segmentId)

    def _sceneClosed(self, caller: Any, event: str) -> None:
        self.followVolume(None)
        self._followSegmentations(())
        self.onSceneClosed()

    def _volumeMoved(self, caller: Any, event: str) -> None:
        self.onVolumeMoved()
