"""What is in the scene, who listens to it, and what lives: to be compared before and after."""

import ctypes
import gc
import hashlib
import sys
from collections import Counter
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import slicer
import vtk

from FastSAM3DSlicerLib import labelmap, points
from FastSAM3DSlicerLib.timeline import Point, boundsOf

Key = tuple[str, str]
"""A segmentation's id and a segment's."""
OWN = {"FastSAM3DSlicer", "FastSAM3DSlicerLib", "fastsam3d"}


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


def observers(node: Any = None) -> int:
    """Count the observers of a node, as VTK lists them; of the scene if none is named."""
    return str(node or slicer.mrmlScene).count("vtkObserver (")


def listened() -> Counter[str]:
    """Count the observers of the scene and of each of its nodes."""
    scene = slicer.mrmlScene
    nodes = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
    return Counter({node.GetID(): observers(node) for node in nodes} | {"scene": observers()})


def objects() -> Counter[str]:
    """Count what lives of our own and of VTK: objects, and functions kept for a later call.

    Of VTK's objects those count that Python has in hand, or had and can still get at.
    """
    gc.collect()
    found = gc.get_objects()
    own = (type(each).__qualname__ for each in found if _is_own(type(each)))
    kept = (each.__qualname__ for each in found if type(each) is FunctionType and _is_made(each))
    bound = (_name(each) for each in found if type(each) is MethodType and _is_own(_kind(each)))
    wrapped = (type(each).__name__ for each in found if issubclass(type(each), vtk.vtkObjectBase))
    return Counter([*own, *kept, *bound, *wrapped])


def _is_own(kind: type) -> bool:
    return _package(kind) in OWN


def _package(made: type | FunctionType) -> str:
    return str(made.__module__).partition(".")[0]  # of some classes it is no string


def _is_made(function: FunctionType) -> bool:
    """Tell whether a function was made in another one, as a lambda or a closure is."""
    return _package(function) in OWN and "<locals>" in function.__qualname__


def _kind(method: MethodType) -> type:
    return type(method.__self__)


def _name(method: MethodType) -> str:
    return f"{_kind(method).__qualname__}.{method.__name__}"


def handlers(kind: type) -> int:
    """Count the methods of a class's objects that somebody keeps, as observers do."""
    methods = (each for each in gc.get_objects() if type(each) is MethodType)
    return sum(_kind(method) is kind for method in methods)


def alive(kind: type) -> int:
    """Count the objects of a class."""
    return sum(type(each) is kind for each in gc.get_objects())


class _Allocated(ctypes.Structure):
    """What glibc's `mallinfo2` returns."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    )  # fmt: skip


def allocated_kb() -> float:
    """Return what VTK, NumPy and other native code hold, in 10³ bytes; 0 without glibc.

    Free room between what is held does not count, so it is the same again when all is given back.
    """
    gc.collect()
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "mallinfo2"):
        return 0.0
    libc.mallinfo2.restype = _Allocated
    allocated = libc.mallinfo2()
    return (allocated.uordblks + allocated.hblkhd) / 1e3


def memory_mb() -> float:
    """Return what the process holds, in 10⁶ bytes, after giving back what it can; 0 off Linux."""
    gc.collect()
    if sys.platform != "linux":
        return 0.0
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in status if "VmRSS" in line)
    return int(line.split()[1]) * 1024 / 1e6
