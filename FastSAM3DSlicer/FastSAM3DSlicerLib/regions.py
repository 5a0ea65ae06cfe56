"""A region of interest that was made in the panel: a box to draw in by its handles."""

from typing import Any

import numpy as np

from .scene import Grid, Matrix, gridOf, matrixOfArray
from .timeline import Box, Mask, boundsOf

MARGIN_MM = 10.0
"""Free on every side of an object."""


def boxFor(mask: Mask, grid: Grid) -> Box:
    """Return the voxels round a (k, j, i) mask with a margin; all of them if it is empty."""
    if not mask.any():
        return grid.whole
    spacing_mm = np.linalg.norm(grid.ijkToRas[:3, :3], axis=0)[::-1]
    margins = np.ceil(MARGIN_MM / spacing_mm).astype(int)
    k, j, i = (
        slice(max(0, part.start - int(margin)), min(length, part.stop + int(margin)))
        for part, margin, length in zip(boundsOf(mask), margins, grid.shapeKji, strict=True)
    )
    return k, j, i


def fit(roiNode: Any, volumeNode: Any, box: Box) -> None:
    """Put a markups ROI round the voxels of a box, along the volume's axes; show its handles.

    Args:
        roiNode: comes under the volume's transform.
        volumeNode: whose grid the box counts on.
        box: (k, j, i), part of the volume.
    """
    toRas = gridOf(volumeNode).ijkToRas
    axes = _axesOf(toRas)
    ends = np.array([[part.start - 0.5, part.stop - 0.5] for part in box[::-1]])
    corners = ends[np.arange(3), np.indices((2, 2, 2)).reshape(3, 8).T]
    along = (corners @ toRas[:3, :3].T + toRas[:3, 3]) @ axes
    low, high = along.min(0), along.max(0)
    toNode = np.eye(4)
    toNode[:3, :3], toNode[:3, 3] = axes, axes @ (low + high) / 2
    roiNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    roiNode.SetAndObserveObjectToNodeMatrix(matrixOfArray(toNode))
    roiNode.SetSize(high - low)
    roiNode.CreateDefaultDisplayNodes()
    display = roiNode.GetDisplayNode()
    display.SetFillVisibility(False)  # it would tint all of the image
    display.SetHandlesInteractive(True)
    display.SetScaleHandleVisibility(True)


def _axesOf(toRas: Matrix) -> Matrix:
    """Return the volume's directions as a rotation's columns; at right angles even if sheared."""
    axes, rest = np.linalg.qr(toRas[:3, :3])
    axes = axes * np.sign(np.diag(rest))
    axes[:, 2] *= np.linalg.det(axes)
    return axes
