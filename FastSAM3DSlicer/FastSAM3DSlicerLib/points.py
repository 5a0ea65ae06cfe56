"""The clicks on a segment, as control points that are saved with the scene.

Each segment has a markups node of its own, found by its references; a selected control point
includes, one that is not selected excludes. The node lies under the volume's transform.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

from . import home
from .language import tr as _
from .scene import carried
from .timeline import SAME_MM, Place, Point

SEGMENTATION = "FastSAM3D.Segmentation"
"""Role of the reference to the segmentation."""
SEGMENT = "FastSAM3D.SegmentID"
"""Attribute that holds the segment's id."""
OBEYED = "FastSAM3D.Obeyed"
"""Attribute that holds the points that the segment's mask was made of."""
INCLUDE_COLOR = (0.2, 0.85, 0.3)
EXCLUDE_COLOR = (0.95, 0.25, 0.2)

_GLYPH_PERCENT = 2.0


def nodeOf(segmentationNode: Any, segmentId: str) -> Any:
    """Return the markups node of a segment's points, or None."""
    for node in _allOf(segmentationNode):
        if node.GetAttribute(SEGMENT) == segmentId:
            return node
    return None


def keyOf(node: Any) -> tuple[str, str]:
    """Return the ids of the segmentation and of the segment whose points a node holds."""
    return node.GetNodeReferenceID(SEGMENTATION) or "", node.GetAttribute(SEGMENT) or ""


def newNode(segmentationNode: Any, segmentId: str, volumeNode: Any) -> Any:
    """Add a markups node for a segment's points; it stays out of the lists of nodes."""
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId).GetName()
    name = _("{segment} points").format(segment=segment)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.SetHideFromEditors(True)
    node.SetControlPointLabelFormat("%d")  # an empty one lets ids repeat after a deletion
    node.SetNodeReferenceID(SEGMENTATION, segmentationNode.GetID())
    node.SetAttribute(SEGMENT, segmentId)
    home.settle(node, volumeNode)
    _setObeyed(node, ())
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSelectedColor(*INCLUDE_COLOR)
    display.SetColor(*EXCLUDE_COLOR)
    display.SetGlyphScale(_GLYPH_PERCENT)
    display.SetPointLabelsVisibility(False)
    return node


def showOnly(segmentationNode: Any, shown: Any) -> None:
    """Show one markups node of a segmentation and hide those of its other segments."""
    for node in _allOf(segmentationNode):
        if node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetVisibility(node is shown)


def ofVolume(volumeNode: Any) -> list[Any]:
    """Return the markups nodes of all segments whose points belong to a volume."""
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    return [node for node in nodes if node.GetNodeReference(home.VOLUME) is volumeNode]


def bring(node: Any, volumeNode: Any) -> home.Carry | None:
    """Have points belong to a volume, see `home.settle`; the node's own RAS becomes its own."""
    there, obeyed = read(node, node), obeyedIn(node)
    carry = home.settle(node, volumeNode)
    if carry is not None:
        wasModifying = node.StartModify()
        for n, point in zip(_placed(node), there, strict=True):
            node.SetNthControlPointPosition(n, *carry.place(point.ras))
        node.EndModify(wasModifying)
        obeyed = tuple(Point(carry.place(point.ras), point.positive) for point in obeyed)
    _setObeyed(node, obeyed)
    return carry


def obeyedIn(node: Any) -> tuple[Point, ...]:
    """Return the points that the segment's mask was made of, in the node's own RAS.

    They are not those of the node while a prediction is under way: the scene may be saved then.
    """
    text = node.GetAttribute(OBEYED)
    if text is None:
        return read(node, node)
    return tuple(Point((r, a, s), bool(positive)) for r, a, s, positive in json.loads(text))


def noteObeyed(node: Any) -> None:
    """Take the points of a node that does not say which ones its segment's mask was made of."""
    _setObeyed(node, obeyedIn(node))


def removeAll(segmentationNode: Any) -> None:
    """Remove the points of all segments of a segmentation."""
    for node in _allOf(segmentationNode):
        remove(node)


def remove(node: Any) -> None:
    """Remove a markups node and its display."""
    for other in (node.GetDisplayNode(), node.GetStorageNode(), node):
        if other is not None:
            slicer.mrmlScene.RemoveNode(other)


def read(node: Any, volumeNode: Any) -> tuple[Point, ...]:
    """Return the points that have a place, in order, in the volume's own RAS."""
    return tuple(
        Point(_placeOf(node, n, volumeNode), bool(node.GetNthControlPointSelected(n)))
        for n in _placed(node)
    )


def write(node: Any, volumeNode: Any, points: Sequence[Point]) -> None:
    """Make a node show these points and no others; those that fit stay, with their ids.

    They are what the segment's mask is made of. A point that is about to be placed stays, too.
    """
    for n in reversed(_unplaced(node)):
        node.RemoveNthControlPoint(n)
    old = read(node, volumeNode)
    first = _commonStart(old, points)
    rest = min(len(old), len(points)) - first
    last = min(_commonStart(old[::-1], points[::-1]), rest)
    placed = _placed(node)
    for n in reversed(placed[first : len(placed) - last]):
        node.RemoveNthControlPoint(n)
    for n in range(first, len(points) - last):
        place = carried(points[n].ras, volumeNode, node)
        _insert(node, n, place, positive=points[n].positive)
    _setObeyed(node, [Point(carried(each.ras, volumeNode, node), each.positive) for each in points])


def add(node: Any, pointWorld: Place, *, positive: bool) -> str:
    """Add a point, mm in the world, and return its id."""
    n = node.GetNumberOfControlPoints()
    _insert(node, n, carried(pointWorld, None, node), positive=positive)
    return str(node.GetNthControlPointID(n))


def move(node: Any, pointId: str, pointWorld: Place) -> None:
    """Move a point, mm in the world."""
    node.SetNthControlPointPositionWorld(_indexOf(node, pointId), *pointWorld)


def delete(node: Any, pointId: str) -> None:
    """Delete a point."""
    node.RemoveNthControlPoint(_indexOf(node, pointId))


def _allOf(segmentationNode: Any) -> list[Any]:
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    wanted = segmentationNode.GetID()
    return [node for node in nodes if node.GetNodeReferenceID(SEGMENTATION) == wanted]


def _placed(node: Any) -> list[int]:
    return _withStatus(node, slicer.vtkMRMLMarkupsNode.PositionDefined)


def _unplaced(node: Any) -> list[int]:
    kind = slicer.vtkMRMLMarkupsNode
    return _withStatus(node, kind.PositionUndefined, kind.PositionMissing)


def _withStatus(node: Any, *wanted: int) -> list[int]:
    count = node.GetNumberOfControlPoints()
    return [n for n in range(count) if node.GetNthControlPointPositionStatus(n) in wanted]


def _setObeyed(node: Any, points: Sequence[Point]) -> None:
    text = json.dumps([(*point.ras, int(point.positive)) for point in points])
    if text != node.GetAttribute(OBEYED):
        node.SetAttribute(OBEYED, text)


def _placeOf(node: Any, n: int, volumeNode: Any) -> Place:
    # Not by way of the world: the inverse of a transform that is not linear is inexact.
    right, anterior, superior = node.GetNthControlPointPosition(n)
    return carried((right, anterior, superior), node, volumeNode)


def _indexOf(node: Any, pointId: str) -> int:
    n = int(node.GetNthControlPointIndexByID(pointId))
    if n < 0:
        raise KeyError(f"{node.GetName()!r} has no control point {pointId!r}.")
    return n


def _insert(node: Any, n: int, place: Place, *, positive: bool) -> None:
    """Insert a point with its sign, as one event for those who watch."""
    wasModifying = node.StartModify()
    node.InsertControlPoint(n, place)
    node.SetNthControlPointSelected(n, positive)
    node.EndModify(wasModifying)


def _commonStart(first: Sequence[Point], second: Sequence[Point]) -> int:
    count = 0
    for one, other in zip(first, second, strict=False):
        if (
            one.positive != other.positive
            or np.abs(np.subtract(one.ras, other.ras)).max() > SAME_MM
        ):
            break
        count += 1
    return count
