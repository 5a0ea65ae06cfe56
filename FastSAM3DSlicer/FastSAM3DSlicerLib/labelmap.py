"""Images of labels: where their voxels lie on a volume's grid, and room for more of them.

A layer of a segmentation is a vtkOrientedImageData. Its extent starts anywhere; here its voxels
are counted as the volume's are, so that a box of the volume is a box of the image.
"""

from typing import Any, NamedTuple

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

from .scene import Grid, Matrix, arrayOfMatrix, matrixOfArray
from .timeline import Box, Mask, boundsOf

Voxel = tuple[int, int, int]
"""(k, j, i), or a number of voxels along each."""

SLACK = 0.25
"""Of the object's length, free on every side of a new image: it may grow without another one."""
SAME_VOXELS = 0.01
"""By which two lattices may differ at the far end of an image and still be one."""


class Content(NamedTuple):
    """What a segment holds: a (k, j, i) mask from a start, which may lie outside the volume."""

    start: Voxel
    mask: Mask


NO_CONTENT = Content((0, 0, 0), np.zeros((0, 0, 0), bool))


def newImage(toRas: Matrix, start: Voxel, shape: Voxel) -> Any:
    """Return an image of zeros.

    Args:
        toRas: (4, 4), voxel centres (i, j, k, 1) to mm.
        start: its first voxel.
        shape: how many voxels.
    """
    image = slicer.vtkOrientedImageData()
    _setExtent(image, start, shape)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    image.SetImageToWorldMatrix(matrixOfArray(toRas))
    arrayOf(image).fill(0)
    return image


def roomyImage(toRas: Matrix, content: Content, box: Box, grid: Grid) -> Any:
    """Return an image that holds a content and has room for a box and more round both."""
    held = boundsOf(content.mask)
    there = shifted(held, content.start, -1)
    parts = [there, box] if content.mask.any() else [box]
    starts = np.min([[axis.start for axis in part] for part in parts], axis=0)
    stops = np.max([[axis.stop for axis in part] for part in parts], axis=0)
    slack = np.ceil((stops - starts) * SLACK).astype(int)
    starts = np.minimum(starts, np.maximum(starts - slack, 0))
    stops = np.maximum(stops, np.minimum(stops + slack, grid.shapeKji))
    image = newImage(toRas, voxel(starts), voxel(stops - starts))
    if content.mask.any():
        arrayOf(image)[shifted(there, startOf(image))] = content.mask[held]
    return image


def resampled(image: Any, label: int, grid: Grid, toVolume: Any) -> Any:
    """Return a label of an image on a volume's grid, nearest voxel, as an image of ones.

    Args:
        image: on any lattice.
        label: the value to keep.
        grid: the volume's.
        toVolume: vtkAbstractTransform from the image's RAS to the volume's own.
    """
    start, shape = startOf(image), voxel(image.GetDimensions()[::-1])
    alone = newImage(toRasOf(image), start, shape)
    arrayOf(alone)[...] = arrayOf(image) == label
    reference, out = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
    reference.SetImageToWorldMatrix(matrixOfArray(grid.ijkToRas))
    _setExtent(reference, (0, 0, 0), grid.shapeKji)
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        alone, reference, out, False, False, toVolume
    )
    return out


def holds(image: Any, toRas: Matrix, box: Box) -> bool:
    """Tell whether an image counts its voxels as a volume does, and has room for a box."""
    if image is None or image.IsEmpty() or offsetOf(image, toRas) != (0, 0, 0):
        return False
    starts = startOf(image)
    stops = np.add(starts, image.GetDimensions()[::-1])
    return all(
        start <= part.start and part.stop <= stop
        for part, start, stop in zip(box, starts, stops, strict=True)
    )


def offsetOf(image: Any, toRas: Matrix) -> Voxel | None:
    """Return what to add to an image's voxels for those of a volume; None if lattices differ.

    Args:
        image: any.
        toRas: (4, 4) of the volume, to the RAS that the image is in.
    """
    between = np.linalg.inv(toRas) @ toRasOf(image)
    shift = np.round(between[:3, 3])
    away = between - np.eye(4)
    away[:3, 3] -= shift
    if np.abs(away[:3]).max() * (np.abs(image.GetExtent()).max() + 1) > SAME_VOXELS:
        return None
    return voxel(shift[::-1])


def overlap(content: Content, within: Box) -> tuple[Box, Box]:
    """Return the part of a content that lies in a box of the volume, and where in the volume."""
    first, last = ([getattr(part, end) for part in within] for end in ("start", "stop"))
    starts = np.clip(content.start, first, last)
    stops = np.clip(np.add(content.start, content.mask.shape), starts, last)
    k, j, i = (slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True))
    return shifted((k, j, i), content.start), (k, j, i)


def shifted(box: Box, start: Voxel, sign: int = 1) -> Box:
    """Count a box from a start, or with sign -1 from the volume's first voxel."""
    k, j, i = (
        slice(part.start - sign * n, part.stop - sign * n)
        for part, n in zip(box, start, strict=True)
    )
    return k, j, i


def startOf(image: Any) -> Voxel:
    """Return the first voxel of an image."""
    return voxel(image.GetExtent()[4::-2])


def arrayOf(image: Any) -> NDArray[np.uint8]:
    """Return the voxels of an image, (k, j, i), without a copy."""
    array: NDArray[np.uint8] = vtk_to_numpy(image.GetPointData().GetScalars())
    return array.reshape(image.GetDimensions()[::-1])


def toRasOf(image: Any) -> Matrix:
    """Return the (4, 4) from an image's voxels (i, j, k, 1) to mm."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return arrayOfMatrix(matrix)


def voxel(values: Any) -> Voxel:
    """Return three numbers as whole ones."""
    k, j, i = (int(value) for value in values)
    return k, j, i


def _setExtent(image: Any, start: Voxel, shape: Voxel) -> None:
    ends = zip(start, shape, strict=True)
    k, j, i = ((first, first + length - 1) for first, length in ends)
    image.SetExtent(*i, *j, *k)
