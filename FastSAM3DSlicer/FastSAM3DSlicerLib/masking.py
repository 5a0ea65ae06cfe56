"""Editable area, intensity range and overwriting: obeyed as the Segment Editor obeys them.

Where nothing is asked for, masks are written straight (`segments.py`), which is far quicker.
"""

from dataclasses import dataclass
from typing import Any

import slicer

from . import segments
from .errors import UserError
from .language import tr as _
from .timeline import Box, Mask

OWN = "FastSAM3D.Editor"
"""Attribute of the module's own segment editor nodes."""

_EVERYWHERE = slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
_INSIDE_ONE = slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment
_OVERWRITE_NONE = slicer.vtkMRMLSegmentEditorNode.OverwriteNone


@dataclass(frozen=True)
class Masking:
    """What a write has to obey.

    Attributes:
        area: mode of the editable area, as vtkMRMLSegmentationNode counts them.
        areaSegmentId: of the mode inside a single segment.
        intensities: range in which voxels may change; None for any.
        intensityVolume: the volume that the range is of; None for the one that is clicked.
        overwrite: which other segments lose what this one takes, as vtkMRMLSegmentEditorNode
            counts them.
    """

    area: int = _EVERYWHERE
    areaSegmentId: str = ""
    intensities: tuple[float, float] | None = None
    intensityVolume: Any = None
    overwrite: int = _OVERWRITE_NONE

    @property
    def isOn(self) -> bool:
        """Tell whether a write may not simply write."""
        isAsked = self.area != _EVERYWHERE or self.intensities is not None
        return bool(isAsked or self.takesFromOthers)

    @property
    def takesFromOthers(self) -> bool:
        """Tell whether other segments may lose voxels."""
        return bool(self.overwrite != _OVERWRITE_NONE)


def editorNode(segmentationNode: Any, volumeNode: Any) -> Any:
    """Return the module's own editor node for a segmentation, for a panel to show.

    A new one overwrites no segment and allows every place. It is no singleton: those go back to
    overwriting all segments when the scene is closed.
    """
    node = _ownNode(segmentationNode)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode", "FastSAM3D")
        node.SetAttribute(OWN, "1")
        node.SetHideFromEditors(True)
        node.SetOverwriteMode(_OVERWRITE_NONE)
        node.SetAndObserveSegmentationNode(segmentationNode)
    if node.GetSourceVolumeNode() is not volumeNode:
        node.SetAndObserveSourceVolumeNode(volumeNode)
    return node


def removeEditor(segmentationNode: Any) -> None:
    """Remove the module's own editor node for a segmentation."""
    if (node := _ownNode(segmentationNode)) is not None:
        slicer.mrmlScene.RemoveNode(node)


def maskingOf(segmentationNode: Any) -> Masking:
    """Return what writes into a segmentation have to obey.

    Editable area and intensity range are the module's own or, where that asks for none, those set
    for this segmentation in the Segment Editor, where the range is of that one's source volume.
    Overwriting is the module's own alone: the Segment
    Editor's default would take voxels from finished segments.
    """
    own = _ownNode(segmentationNode)
    asked = sorted(_editorsOf(segmentationNode), key=lambda node: node is not own)
    area = next((node for node in asked if node.GetMaskMode() != _EVERYWHERE), None)
    ranged = next((node for node in asked if node.GetSourceVolumeIntensityMask()), None)
    return Masking(
        _EVERYWHERE if area is None else area.GetMaskMode(),
        "" if area is None else area.GetMaskSegmentID() or "",
        None if ranged is None else ranged.GetSourceVolumeIntensityMaskRange(),
        None if ranged is None else _volumeOf(ranged),
        _OVERWRITE_NONE if own is None else own.GetOverwriteMode(),
    )


def requireGrids(masking: Masking, segmentationNode: Any, segmentId: str, volumeNode: Any) -> None:
    """Make sure that a write costs no segment voxels that are counted otherwise.

    Args:
        masking: what the write obeys.
        segmentationNode: fit for the volume.
        segmentId: the segment that is written.
        volumeNode: whose voxels are written.

    Raises:
        UserError: the segment, or one that may lose voxels to it, lies on another grid.
    """
    segments.requireGrid(segmentationNode, segmentId, volumeNode)
    if masking.takesFromOthers:
        for each in segmentationNode.GetSegmentation().GetSegmentIDs():
            segments.requireGrid(segmentationNode, each, volumeNode, givesWay=True)


def refusal(masking: Masking) -> str:
    """Say that masking held everything back, and which."""
    if masking.intensities is None:
        return _(
            "Nothing was changed: it lies outside the editable area. Choose another one under "
            "Masking in the Segment Editor."
        )
    low, high = (f"{bound:g}" for bound in masking.intensities)
    text = (
        _(
            "Nothing was changed: it lies outside the intensity range {low} to {high}. Change the "
            "range under Masking in the Segment Editor."
        )
        if masking.area == _EVERYWHERE
        else _(
            "Nothing was changed: it lies outside the editable area, or outside the intensity "
            "range {low} to {high}. Change them under Masking in the Segment Editor."
        )
    )
    return text.format(low=low, high=high)


def writeMasked(
    masking: Masking,
    segmentationNode: Any,
    segmentId: str,
    volumeNode: Any,
    box: Box,
    values: Mask,
) -> None:
    """Replace the voxels of a box of a segment, as far as masking allows it.

    Args:
        masking: what to obey.
        segmentationNode: fit for the volume.
        segmentId: the segment.
        volumeNode: whose grid the box counts on.
        box: part of the volume.
        values: (k, j, i) of the box.

    Raises:
        UserError: the segment of the editable area is gone, or one lies on another grid, see
            `requireGrids`.
    """
    if not values.size:
        return
    _requireArea(masking, segmentationNode)
    requireGrids(masking, segmentationNode, segmentId, volumeNode)
    logic = slicer.vtkSlicerSegmentEditorLogic()
    logic.SetMRMLScene(slicer.mrmlScene)
    node = _scratch(masking, segmentationNode, segmentId, volumeNode)
    try:
        logic.SetSegmentEditorNode(node)
        segments.separate(segmentationNode, segmentId)
        for mode, part in (
            (logic.ModificationModeRemove, ~values),
            (logic.ModificationModeAdd, values),
        ):
            image = segments.boxImage(segmentationNode, volumeNode, box, part)
            logic.ModifySegmentByLabelmap(
                segmentationNode, segmentId, image, mode, image.GetExtent(), False, False
            )
    finally:
        logic.SetSegmentEditorNode(None)
        logic.SetMRMLScene(None)
        slicer.mrmlScene.RemoveNode(node)


def _requireArea(masking: Masking, segmentationNode: Any) -> None:
    if masking.area == _INSIDE_ONE and not segments.hasSegment(
        segmentationNode, masking.areaSegmentId
    ):
        raise UserError(
            _(
                "The editable area is the inside of a segment that is not there any more: choose "
                "another one under Masking in the Segment Editor."
            )
        )


def _editorsOf(segmentationNode: Any) -> list[Any]:
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentEditorNode")
    return [node for node in nodes if node.GetSegmentationNode() is segmentationNode]


def _ownNode(segmentationNode: Any) -> Any:
    own = (node for node in _editorsOf(segmentationNode) if node.GetAttribute(OWN) is not None)
    return next(own, None)


def _volumeOf(editor: Any) -> Any:
    """Return the volume that an editor's intensity range is of, if it holds voxels."""
    node = editor.GetSourceVolumeNode()
    return None if node is None or node.GetImageData() is None else node


def _scratch(masking: Masking, segmentationNode: Any, segmentId: str, volumeNode: Any) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode", "FastSAM3D writes")
    node.SetAndObserveSegmentationNode(segmentationNode)
    node.SetAndObserveSourceVolumeNode(masking.intensityVolume or volumeNode)
    node.SetSelectedSegmentID(segmentId)
    node.SetOverwriteMode(masking.overwrite)
    node.SetMaskMode(masking.area)
    node.SetMaskSegmentID(masking.areaSegmentId)
    if masking.intensities is not None:
        node.SetSourceVolumeIntensityMask(True)
        node.SetSourceVolumeIntensityMaskRange(*masking.intensities)
    return node
