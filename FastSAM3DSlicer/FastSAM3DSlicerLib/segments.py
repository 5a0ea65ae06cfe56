"""Masks in and out of segments, voxel by voxel, in a layer that the edited segment has alone.

A segment's layer is an image of its own that is a little larger than the object. A click writes
the changed box straight into its voxels: neighbours are in other layers, and nothing is resampled.
"""

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from .errors import UserError
from .labelmap import (
    NO_CONTENT,
    Content,
    arrayOf,
    holds,
    newImage,
    offsetOf,
    overlap,
    resampled,
    roomyImage,
    shifted,
    startOf,
    voxel,
)
from .language import tr as _
from .scene import Grid, Matrix, gridOf, matrixBetween, transformBetween
from .timeline import Box, Mask

LABELMAP = "Binary labelmap"
SURFACE = "Closed surface"


def newSegmentation(volumeNode: Any) -> Any:
    """Add an empty segmentation to the scene, in place for a volume."""
    name = _("{volume} segmentation").format(volume=volumeNode.GetName())
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    place(node, volumeNode)
    return node


def newSegment(segmentationNode: Any, name: str = "") -> str:
    """Add an empty segment and return its id."""
    return str(segmentationNode.GetSegmentation().AddEmptySegment("", name))


def removeSegmentation(segmentationNode: Any) -> None:
    """Remove a segmentation and its display from the scene."""
    for node in (segmentationNode.GetDisplayNode(), segmentationNode):
        slicer.mrmlScene.RemoveNode(node)


def place(segmentationNode: Any, volumeNode: Any) -> None:
    """Make a segmentation fit to take a volume's masks.

    One without content is put under the volume's transform and on its grid. One with content
    stays where it is.

    Raises:
        UserError: it holds surfaces, or a transform that is not linear lies between the two.
    """
    segmentation = segmentationNode.GetSegmentation()
    if all(_isBare(segmentation.GetSegment(each)) for each in segmentation.GetSegmentIDs()):
        segmentationNode.SetSourceRepresentationToBinaryLabelmap()
        segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    if segmentation.GetSourceRepresentationName() != LABELMAP:
        raise UserError(
            _(
                "The segmentation {segmentation!r} is kept as surfaces; expected labelmaps: open "
                "it in the Segment Editor once, or choose another one."
            ).format(segmentation=segmentationNode.GetName())
        )
    _toSegmentation(segmentationNode, volumeNode)


def hasSegment(segmentationNode: Any, segmentId: str) -> bool:
    """Tell whether there is such a segment."""
    return segmentationNode is not None and bool(
        segmentationNode.GetSegmentation().GetSegmentIndex(segmentId) >= 0
    )


def requireGrid(
    segmentationNode: Any, segmentId: str, volumeNode: Any, *, givesWay: bool = False
) -> None:
    """Make sure that a segment holds nothing, or voxels that are counted as a volume's are.

    Those of another grid could only be brought to the volume's by losing some of them.

    Args:
        segmentationNode: fit for the volume.
        segmentId: the segment that is to be changed.
        volumeNode: whose voxels are to be written.
        givesWay: to another segment, which is the one that is edited.

    Raises:
        UserError: it holds voxels of another grid.
    """
    image = _imageOf(segmentationNode, segmentId)
    toRas = _toSegmentation(segmentationNode, volumeNode) @ gridOf(volumeNode).ijkToRas
    if image is None or image.IsEmpty() or offsetOf(image, toRas) is not None:
        return
    if not isEmpty(segmentationNode, segmentId):
        name = segmentationNode.GetSegmentation().GetSegment(segmentId).GetName()
        text = (
            _(
                "The segment {segment!r} lies on another grid than {volume!r}, and a change would "
                "cost it voxels: let other segments stay as they are, under Options."
            )
            if givesWay
            else _(
                "The segment {segment!r} lies on another grid than {volume!r}, and a change would "
                "cost it voxels: press Next, and copy it into the new segment under Options, "
                "Start from."
            )
        )
        raise UserError(text.format(segment=name, volume=volumeNode.GetName()))


def isEmpty(segmentationNode: Any, segmentId: str) -> bool:
    """Tell whether a segment holds no voxel and no surface."""
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    if _isBare(segment):
        return True
    image, label = segment.GetRepresentation(LABELMAP), segment.GetLabelValue()
    return image is not None and not (arrayOf(image) == label).any()


def stampOf(segmentationNode: Any, segmentId: str) -> tuple[Any, ...]:
    """Return what differs as soon as anybody else has written into a segment."""
    image = _imageOf(segmentationNode, segmentId)
    return () if image is None else (image.GetAddressAsString(""), image.GetMTime())


def readMask(
    segmentationNode: Any, segmentId: str, volumeNode: Any, within: Box | None = None
) -> Mask:
    """Return a segment as a (k, j, i) mask of a volume, nearest voxel where grids differ.

    Args:
        segmentationNode: any.
        segmentId: the segment.
        volumeNode: whose voxels are meant.
        within: the part of the volume to read; None for all of it.
    """
    within = within or gridOf(volumeNode).whole
    mask = np.zeros([part.stop - part.start for part in within], bool)
    where, part = readPart(segmentationNode, segmentId, volumeNode, within)
    mask[shifted(where, voxel(part.start for part in within))] = part
    return mask


def readPart(
    segmentationNode: Any, segmentId: str, volumeNode: Any, within: Box
) -> tuple[Box, Mask]:
    """Return the box of a volume that a segment may hold voxels in, and the mask of that box."""
    content = _contentOf(segmentationNode, segmentId, volumeNode, gridOf(volumeNode))
    inner, outer = overlap(content, within)
    return outer, content.mask[inner]


def writeMask(
    segmentationNode: Any, segmentId: str, volumeNode: Any, box: Box, values: Mask
) -> None:
    """Replace the voxels of a box of a segment, and no other voxel of any segment.

    Args:
        segmentationNode: fit for the volume, see `place`.
        segmentId: gets a layer of its own.
        volumeNode: whose grid the box counts on.
        box: part of the volume.
        values: (k, j, i) of the box.

    Raises:
        UserError: it holds voxels of another grid, see `requireGrid`.
    """
    if not values.size:
        return
    requireGrid(segmentationNode, segmentId, volumeNode)
    part = _voxelsOf(segmentationNode, segmentId, volumeNode, box)
    label = part.dtype.type(_labelOf(segmentationNode, segmentId))
    np.multiply(
        values, label, out=part
    )  # in their own type: in whole numbers it is ten times slower
    _announce(segmentationNode, segmentId)


def separate(segmentationNode: Any, segmentId: str) -> None:
    """Give a segment a layer of its own, if it shares one."""
    if _sharesLayer(segmentationNode, segmentId):
        segmentationNode.GetSegmentation().SeparateSegmentLabelmap(segmentId)


def boxImage(segmentationNode: Any, volumeNode: Any, box: Box, values: Mask) -> Any:
    """Return a vtkOrientedImageData of a box of a volume, in a segmentation's own RAS."""
    toSegmentation = _toSegmentation(segmentationNode, volumeNode)
    start = voxel(part.start for part in box)
    image = newImage(toSegmentation @ gridOf(volumeNode).ijkToRas, start, voxel(values.shape))
    arrayOf(image)[...] = values
    return image


def updateSurface(segmentationNode: Any, segmentId: str) -> None:
    """Make one segment's closed surface anew, and show it; costs about 0.1 s."""
    segmentation = segmentationNode.GetSegmentation()
    segmentation.GetSegment(segmentId).RemoveRepresentation(SURFACE)
    segmentationNode.CreateClosedSurfaceRepresentation()
    segmentation.InvokeEvent(slicer.vtkSegmentation.RepresentationModified, segmentId)


def _isBare(segment: Any) -> bool:
    image, surface = segment.GetRepresentation(LABELMAP), segment.GetRepresentation(SURFACE)
    return (image is None or image.IsEmpty()) and (
        surface is None or surface.GetNumberOfPoints() == 0
    )


def _toSegmentation(segmentationNode: Any, volumeNode: Any) -> Matrix:
    matrix = matrixBetween(volumeNode, segmentationNode)
    if matrix is None:
        raise UserError(
            _(
                "{segmentation!r} and {volume!r} lie under transforms that differ and are not "
                "linear: put both under the same one, or choose another segmentation."
            ).format(segmentation=segmentationNode.GetName(), volume=volumeNode.GetName())
        )
    return matrix


def _sharesLayer(segmentationNode: Any, segmentId: str) -> bool:
    segmentation = segmentationNode.GetSegmentation()
    layer = segmentation.GetLayerIndex(segmentId)
    return len(segmentation.GetSegmentIDsForLayer(layer)) > 1


def _imageOf(segmentationNode: Any, segmentId: str) -> Any:
    return segmentationNode.GetSegmentation().GetSegment(segmentId).GetRepresentation(LABELMAP)


def _voxelsOf(
    segmentationNode: Any, segmentId: str, volumeNode: Any, box: Box
) -> NDArray[np.uint8]:
    """Return the voxels of a box in the segment's own layer, to be written to."""
    isGuest = _sharesLayer(segmentationNode, segmentId) and isEmpty(segmentationNode, segmentId)
    if not isGuest:  # else there is nothing to take out of the others' image, which is large
        separate(segmentationNode, segmentId)
    grid = gridOf(volumeNode)
    toRas = _toSegmentation(segmentationNode, volumeNode) @ grid.ijkToRas
    image = _imageOf(segmentationNode, segmentId)
    if isGuest or not holds(image, toRas, box):
        content = _contentOf(segmentationNode, segmentId, volumeNode, grid)
        image = roomyImage(toRas, content, box, grid)
        segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
        segment.SetLabelValue(1)
        segment.AddRepresentation(LABELMAP, image)
    return arrayOf(image)[shifted(box, startOf(image))]


def _contentOf(segmentationNode: Any, segmentId: str, volumeNode: Any, grid: Grid) -> Content:
    """Return what a segment holds, counted in a volume's voxels."""
    image = _imageOf(segmentationNode, segmentId)
    if image is None or image.IsEmpty():
        return NO_CONTENT
    label = _labelOf(segmentationNode, segmentId)
    matrix = matrixBetween(volumeNode, segmentationNode)
    offset = None if matrix is None else offsetOf(image, matrix @ grid.ijkToRas)
    if offset is None:
        toVolume = transformBetween(segmentationNode, volumeNode)
        image = resampled(image, label, grid, toVolume)
        label, offset = 1, (0, 0, 0)
    return Content(voxel(np.add(startOf(image), offset)), arrayOf(image) == label)


def _labelOf(segmentationNode: Any, segmentId: str) -> int:
    return int(segmentationNode.GetSegmentation().GetSegment(segmentId).GetLabelValue())


def _announce(segmentationNode: Any, segmentId: str) -> None:
    """Tell everybody that a segment's voxels are others.

    Not by the image's own Modified: that throws away the surfaces of all segments.
    """
    segmentation = segmentationNode.GetSegmentation()
    _imageOf(segmentationNode, segmentId).GetPointData().GetScalars().Modified()
    for event in ("SourceRepresentationModified", "RepresentationModified"):
        segmentation.InvokeEvent(getattr(slicer.vtkSegmentation, event), segmentId)
