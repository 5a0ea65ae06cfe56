"""The volume that a segment's points belong to, and what becomes of them as it moves.

Points lie in their volume's own RAS: their node is under the transform that the volume is under.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .scene import Grid, gridOf, transformBetween
from .timeline import SAME_MM, Place

VOLUME = "FastSAM3D.Volume"
"""Role of the reference from a segment's points to their volume."""
GRID = "FastSAM3D.Grid"
"""Attribute that holds the grid that the volume had: shape (k, j, i), then ijkToRas by rows."""


@dataclass(frozen=True, eq=False)
class Carry:
    """From the own RAS that points had to the one that they have now.

    Attributes:
        place: takes a place along, mm.
        keepsMasks: whether the voxels of the two volumes are at the same places.
    """

    place: Callable[[Place], Place]
    keepsMasks: bool


def settle(node: Any, volumeNode: Any) -> Carry | None:
    """Have a node of points belong to a volume, and put it under the volume's transform.

    Returns:
        None if the points keep their places in the volume's own RAS, as they do when their volume
        comes under a transform or out of one. Otherwise, for another volume and for one whose
        transform was hardened, how they stay where they are in the world.
    """
    home, before, now = node.GetNodeReference(VOLUME), _gridIn(node), gridOf(volumeNode)
    isMoved = node.GetTransformNodeID() != volumeNode.GetTransformNodeID()
    carry = None
    if home is not volumeNode or (isMoved and _isHardened(node, volumeNode, before, now)):
        place = _placing(node, volumeNode)
        carry = Carry(place, before is None or _areSame(before, now, place))
    if isMoved:
        node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    if home is not volumeNode:
        node.SetNodeReferenceID(VOLUME, volumeNode.GetID())
    node.SetAttribute(GRID, " ".join(map(repr, (*now.shapeKji, *now.ijkToRas.ravel().tolist()))))
    return carry


def _placing(node: Any, volumeNode: Any) -> Callable[[Place], Place]:
    transform = transformBetween(node, volumeNode)

    def place(point: Place) -> Place:
        right, anterior, superior = transform.TransformPoint(point)
        return right, anterior, superior

    return place


def _gridIn(node: Any) -> Grid | None:
    numbers = (node.GetAttribute(GRID) or "").split()
    if not numbers:
        return None
    depth, height, width = map(int, numbers[:3])
    return Grid((depth, height, width), np.array(numbers[3:], float).reshape(4, 4))


def _isHardened(node: Any, volumeNode: Any, before: Grid | None, now: Grid) -> bool:
    """Tell whether a volume's voxels stayed where they were when its transform went."""
    if before is None or np.allclose(before.ijkToRas, now.ijkToRas, atol=SAME_MM):
        return False
    parent = node.GetParentTransformNode()
    if parent is not None and not parent.IsTransformToWorldLinear():
        return volumeNode.GetTransformNodeID() is None  # resampled, so voxels are no measure
    return _areSame(before, now, _placing(node, volumeNode))


def _areSame(before: Grid, now: Grid, place: Callable[[Place], Place]) -> bool:
    """Tell whether two grids have the same voxels at the same places."""
    if before.shapeKji != now.shapeKji:
        return False
    ends = np.vstack([np.diag(now.shapeKji[::-1]), np.zeros((1, 3))])
    first, second = (
        (np.c_[ends, np.ones(4)] @ grid.ijkToRas.T)[:, :3].tolist() for grid in (before, now)
    )
    return bool(np.allclose([place((r, a, s)) for r, a, s in first], second, atol=SAME_MM))
