"""What the module reads from the MRML scene: volumes, places in them, regions; and the overlay.

Arrays are indexed (k, j, i). A volume's own RAS is the space before its parent transform; the
world is what the views show. What belongs to segments is in `segments.py`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from . import foreground
from .errors import UserError
from .language import tr as _
from .timeline import Box, Place

Matrix = NDArray[np.float64]

OVERLAY = "FastSAM3D.Overlay"
"""Attribute of the volume node that shows where the mask is uncertain."""
OVERLAY_COLOR = "vtkMRMLColorTableNodeIron"
_FAINT = 0.05
_OPACITY = 0.6


@dataclass(frozen=True, eq=False)
class Grid:
    """The voxels of a volume.

    Attributes:
        shapeKji: how many.
        ijkToRas: (4, 4), voxel centres (i, j, k, 1) to mm in the volume's own RAS.
    """

    shapeKji: tuple[int, int, int]
    ijkToRas: Matrix

    @property
    def whole(self) -> Box:
        """Return the box of all voxels."""
        depth, height, width = self.shapeKji
        return slice(0, depth), slice(0, height), slice(0, width)

    @property
    def voxelMl(self) -> float:
        """Return the volume of a voxel in mL."""
        return float(abs(np.linalg.det(self.ijkToRas[:3, :3])) / 1000)


def imageArray(volumeNode: Any) -> NDArray[Any]:
    """Return a volume's voxels, (k, j, i), without a copy; a sequence's are the frame shown.

    Raises:
        UserError: no volume, no voxels, or several components a voxel.
    """
    if volumeNode is None or not volumeNode.IsA("vtkMRMLScalarVolumeNode"):
        raise UserError(_("There is no volume to segment: choose one."))
    image = volumeNode.GetImageData()
    name = volumeNode.GetName()
    if image is None or image.GetPointData().GetScalars() is None or 0 in image.GetDimensions():
        raise UserError(
            _("The volume {name!r} holds no voxels: load it, or choose another one.").format(
                name=name
            )
        )
    scalars = image.GetPointData().GetScalars()
    if (count := scalars.GetNumberOfComponents()) != 1:
        raise UserError(
            _(
                "The volume {name!r} has {count} components a voxel; expected one: make a scalar "
                "volume of it with the module Vector to Scalar Volume."
            ).format(name=name, count=count)
        )
    array: NDArray[Any] = vtk_to_numpy(scalars)
    return array.reshape(image.GetDimensions()[::-1])


def gridOf(volumeNode: Any) -> Grid:
    """Return the voxels of a volume that holds some."""
    width, height, depth = volumeNode.GetImageData().GetDimensions()
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return Grid((depth, height, width), arrayOfMatrix(matrix))


def stampOf(volumeNode: Any) -> tuple[Any, ...]:
    """Return what differs as soon as a volume's voxels or their places are other ones."""
    image = volumeNode.GetImageData()
    if image is None:
        return ()
    grid = gridOf(volumeNode)
    return (image.GetAddressAsString(""), image.GetMTime(), grid.shapeKji, grid.ijkToRas.tobytes())


def rasOf(volumeNode: Any, pointWorld: Place) -> Place:
    """Convert a point in the world to a volume's own RAS, mm, through any transform."""
    return carried(pointWorld, None, volumeNode)


def worldOf(volumeNode: Any, pointRas: Place) -> Place:
    """Convert a point in a volume's own RAS to the world, mm, through any transform."""
    return carried(pointRas, volumeNode, None)


def voxelAt(volumeNode: Any, pointWorld: Place) -> tuple[int, int, int]:
    """Return the (k, j, i) of the voxel at a point in the world, mm; it may lie outside."""
    rasToIjk = np.linalg.inv(gridOf(volumeNode).ijkToRas)
    i, j, k = np.floor(rasToIjk @ [*rasOf(volumeNode, pointWorld), 1.0] + 0.5).astype(int)[:3]
    return int(k), int(j), int(i)


def centreOf(volumeNode: Any, voxelKji: tuple[int, int, int]) -> Place:
    """Return the centre of a voxel in the world, mm."""
    right, anterior, superior = (gridOf(volumeNode).ijkToRas @ [*voxelKji[::-1], 1.0])[:3]
    return worldOf(volumeNode, (float(right), float(anterior), float(superior)))


def isPlaced(roiNode: Any) -> bool:
    """Tell whether a markups ROI is anywhere yet: it has no size until it is placed."""
    return bool(min(roiNode.GetSize()) > 0)


def regionOf(roiNode: Any, volumeNode: Any) -> Box | None:
    """Return the smallest box of a volume that holds the voxel centres in a markups ROI.

    A ROI that is oblique to the volume gives the box round it. None stands for the whole volume,
    and for that of a ROI that is not placed yet.

    Raises:
        UserError: the ROI holds no voxel of the volume.
    """
    if not isPlaced(roiNode):
        return None
    grid = gridOf(volumeNode)
    rasToIjk = np.linalg.inv(grid.ijkToRas)
    corners = [carried(corner, roiNode, volumeNode) for corner in _cornersOf(roiNode)]
    kji = (np.c_[corners, np.ones(8)] @ rasToIjk.T)[:, 2::-1]
    low = np.clip(np.ceil(kji.min(0) - 1e-6), 0, grid.shapeKji).astype(int)
    high = np.clip(np.floor(kji.max(0) + 1e-6) + 1, 0, grid.shapeKji).astype(int)
    if (low >= high).any():
        raise UserError(
            _(
                "The region {region!r} holds no voxel of {volume!r}: move it over the volume, or "
                "choose none."
            ).format(region=roiNode.GetName(), volume=volumeNode.GetName())
        )
    k, j, i = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return None if (k, j, i) == grid.whole else (k, j, i)


def matrixBetween(source: Any, target: Any) -> Matrix | None:
    """Return the (4, 4) from one node's own RAS to another's; None if no matrix can say it."""
    linear, transform = vtk.vtkTransform(), transformBetween(source, target)
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(transform, linear):
        return None
    return arrayOfMatrix(linear.GetMatrix())


def transformBetween(source: Any, target: Any) -> Any:
    """Return the vtkGeneralTransform from one node's own RAS to another's; None is the world."""
    transform = vtk.vtkGeneralTransform()
    parents = (node and node.GetParentTransformNode() for node in (source, target))
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(*parents, transform)
    return transform


def carried(point: Place, source: Any, target: Any) -> Place:
    """Convert a point from one node's own RAS to another's, mm; None is the world."""
    right, anterior, superior = transformBetween(source, target).TransformPoint(point)
    return right, anterior, superior


def showOverlay(volumeNode: Any, values: NDArray[np.float32], box: Box) -> Any:
    """Show values from 0, clear, to 1 in colour over a volume, in the slice views that show it.

    Args:
        volumeNode: the volume that they belong to.
        values: (k, j, i) of the box.
        box: part of the volume.

    Returns:
        The scalar volume that holds them; a later call uses it again.
    """
    node = overlayOf(volumeNode) or _newOverlay(volumeNode)
    grid = gridOf(volumeNode)
    toRas = grid.ijkToRas.copy()
    toRas[:, 3] = toRas @ [*(part.start for part in box[::-1]), 1.0]
    image = vtk.vtkImageData()
    image.SetDimensions(*values.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(values).ravel(), deep=1))
    node.SetIJKToRASMatrix(matrixOfArray(toRas))
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    node.SetAndObserveImageData(image)
    foreground.lend(node, volumeNode, _OPACITY)
    return node


def hideOverlay(volumeNode: Any) -> None:
    """Remove the overlay over a volume, if there is one; views show what they showed before."""
    if (node := overlayOf(volumeNode)) is not None:
        display = node.GetDisplayNode()
        slicer.mrmlScene.RemoveNode(node)  # first: a view would make it another display
        slicer.mrmlScene.RemoveNode(display)


def overlayOf(volumeNode: Any) -> Any:
    """Return the node of the overlay over a volume, or None."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetNodeReferenceID(OVERLAY) == volumeNode.GetID():
            return node
    return None


def arrayOfMatrix(matrix: Any) -> Matrix:
    """Copy a vtkMatrix4x4 to an array."""
    return np.reshape(matrix.GetData(), (4, 4))


def matrixOfArray(array: Matrix) -> Any:
    """Copy a (4, 4) array to a vtkMatrix4x4."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, float).ravel().tolist())
    return matrix


def _cornersOf(roiNode: Any) -> list[Place]:
    toNode = arrayOfMatrix(roiNode.GetObjectToNodeMatrix())
    signs = np.indices((2, 2, 2)).reshape(3, 8).T - 0.5
    corners = signs * roiNode.GetSize() @ toNode[:3, :3].T + toNode[:3, 3]
    return [(float(r), float(a), float(s)) for r, a, s in corners]


def _newOverlay(volumeNode: Any) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", _("Uncertainty"))
    node.SetNodeReferenceID(OVERLAY, volumeNode.GetID())
    node.SetSaveWithScene(False)
    node.SetHideFromEditors(True)
    foreground.giveBackWhenRemoved(node)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetAndObserveColorNodeID(OVERLAY_COLOR)
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 1.0)
    display.SetThreshold(_FAINT, 1.0)
    display.ApplyThresholdOn()
    return node
