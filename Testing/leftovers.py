"""What is in the scene, who listens to it, and what lives: to be compared before and after."""

import ctypes
import gc
import hashlib
import sys
from collections import Counter
from pathlib import Path
from types import MethodType
from typing import Any, NamedTuple

import slicer

from FastSAM3DSlicerLib import labelmap, points
from FastSAM3DSlicerLib.timeline import Point, boundsOf

Key = tuple[str, str]
"""A segmentation's id and a segment's."""


class Content(NamedTuple):
    """What a segment holds, to be compared.

    Attributes:
        voxels: where they are and a digest of them; None for none.
        points: the clicks on it; None if it has no node for them.
        name: its name.
    """

    voxels: Any
    points: tuple[Point, ...] | None
    name: str


def kinds() -> Counter[str]:
    """Count the scene's nodes of each class, beside the subject hierarchy: Slicer makes it anew."""
    scene = slicer.mrmlScene
    names = Counter(scene.GetNthNode(n).GetClassName() for n in range(scene.GetNumberOfNodes()))
    del names["vtkMRMLSubjectHierarchyNode"]
    return names


def contents() -> dict[Key, Content]:
    """Return what every segment of the scene holds."""
    return {
        (node.GetID(), segment): _content(node, segment)
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        for segment in node.GetSegmentation().GetSegmentIDs()
    }


def _content(node: Any, segment_id: str) -> Content:
    segment, clicks = node.GetSegmentation().GetSegment(segment_id), points.nodeOf(node, segment_id)
    placed = None if clicks is None else points.read(clicks, clicks)
    return Content(_voxels(segment), placed, segment.GetName())


def _voxels(segment: Any) -> Any:
    """Say nothing of the layer, which may be shared and grow."""
    image = segment.GetRepresentation("Binary labelmap")
    if image is None or image.IsEmpty():
        return None
    mask = labelmap.arrayOf(image) == segment.GetLabelValue()
    box = boundsOf(mask)
    if not mask.any():
        return None
    starts = zip(labelmap.startOf(image), box, strict=True)
    start = tuple(first + part.start for first, part in starts)
    digest = hashlib.blake2b(mask[box].tobytes()).hexdigest()
    return start, mask[box].shape, labelmap.toRasOf(image).tobytes(), digest


def observers() -> int:
    """Count the observers of the scene, as VTK lists them."""
    return str(slicer.mrmlScene).count("vtkObserver (")


def handlers(kind: type) -> int:
    """Count the methods of a class's objects that somebody keeps, as observers do."""
    methods = (each for each in gc.get_objects() if type(each) is MethodType)
    return sum(type(method.__self__) is kind for method in methods)


def alive(kind: type) -> int:
    """Count the objects of a class."""
    return sum(type(each) is kind for each in gc.get_objects())


def memory_mb() -> float:
    """Return what the process holds, in 10⁶ bytes, after giving back what it can; 0 off Linux."""
    gc.collect()
    if sys.platform != "linux":
        return 0.0
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in status if "VmRSS" in line)
    return int(line.split()[1]) * 1024 / 1e6
