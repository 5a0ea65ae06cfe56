"""The foreground of the slice views: lent to an overlay, and given back as it was.

What was there is kept at each view itself, so that it outlives whoever showed the overlay, and
is saved with the scene, which the overlay is not.
"""

from typing import Any

import slicer
import vtk

LENT = "FastSAM3D.Foreground"
"""Role of a view's reference to the volume that it showed; attribute that holds its opacity."""


def lend(overlayNode: Any, volumeNode: Any, opacity: float) -> None:
    """Show an overlay as the foreground of the slice views that show a volume, and of no other."""
    overlayId, volumeId = overlayNode.GetID(), volumeNode.GetID()
    for view in _views():
        shown = view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()
        if volumeId in shown and overlayId not in shown:
            view.SetNodeReferenceID(LENT, view.GetForegroundVolumeID())
            view.SetAttribute(LENT, repr(view.GetForegroundOpacity()))
            _show(view, overlayId, opacity)


def giveBack(overlayId: str | None = None) -> None:
    """Have the views show what they lent, where nobody has shown something else meanwhile.

    Args:
        overlayId: of an overlay that goes; None for one that was not saved with the scene.
    """
    for view in _views():
        opacity, isOurs = view.GetAttribute(LENT), view.GetForegroundVolumeID() == overlayId
        if opacity is not None and isOurs:
            _show(view, view.GetNodeReferenceID(LENT), float(opacity))
        if isOurs or overlayId is not None:
            view.SetNodeReferenceID(LENT, None)
            view.RemoveAttribute(LENT)


def giveBackWhenRemoved(overlayNode: Any) -> None:
    """Have the views show what they showed before as soon as an overlay leaves the scene."""
    overlayId = overlayNode.GetID()

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator]
    def removed(scene: Any, event: str, node: Any) -> None:
        if node.GetID() == overlayId:
            scene.RemoveObserver(tag)
            giveBack(overlayId)

    scene = slicer.vtkMRMLScene
    tag = overlayNode.GetScene().AddObserver(scene.NodeAboutToBeRemovedEvent, removed)


def _show(view: Any, volumeId: str | None, opacity: float) -> None:
    wasModifying = view.StartModify()
    view.SetForegroundVolumeID(volumeId)
    view.SetForegroundOpacity(opacity)
    view.EndModify(wasModifying)


def _views() -> list[Any]:
    nodes: list[Any] = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return nodes
