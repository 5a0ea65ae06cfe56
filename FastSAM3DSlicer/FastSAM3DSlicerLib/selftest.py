"""The module's test of itself, inside Slicer: a scan of a ball, and a network for want of torch."""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from . import scene, segments
from .logic import FastSAM3DSlicerLogic
from .network import loadNetwork

SHAPE_KJI = (48, 64, 64)
MIDDLE_KJI = (24, 32, 32)
OUTSIDE_KJI = (24, 32, 54)
RADIUS_VOXELS = 12
TO_RAS = np.diag([-2.0, -2.0, 2.0, 1.0])


class StandInNetwork:
    """Answers with a ball round every included point, and none round every excluded one."""

    patch_size = 128
    mask_size = 32
    device = "stand-in"
    radius_cells = 3.0

    def embed_patch(self, patch: NDArray[np.float32]) -> None:
        """See nothing."""

    def predict(self, embedding: Any, points: Any, labels: Any, mask_logits: Any) -> Any:
        """Draw the balls, in the order of the clicks."""
        cells = np.indices((self.mask_size,) * 3).transpose(1, 2, 3, 0)
        scale = self.mask_size / self.patch_size
        inside = np.zeros(cells.shape[:3], bool)
        for point, label in zip(np.asarray(points) * scale, labels, strict=True):
            inside[((cells - point) ** 2).sum(-1) <= self.radius_cells**2] = label
        return np.where(inside, 4.0, -4.0).astype(np.float32), 0.9


def addBall() -> Any:
    """Add a scan of a ball to the scene: bright, in noise, voxels of 2 mm."""
    kji = np.indices(SHAPE_KJI).transpose(1, 2, 3, 0)
    inside = ((kji - MIDDLE_KJI) ** 2).sum(-1) <= RADIUS_VOXELS**2
    noise = np.random.default_rng(0).normal(0, 8, SHAPE_KJI)
    array = (noise + np.where(inside, 150, 40)).astype(np.int16)
    return slicer.util.addVolumeFromArray(array, ijkToRAS=TO_RAS, name="Ball")


def newLogic() -> FastSAM3DSlicerLogic:
    """Return a logic with the default weights, or with the stand-in where torch is missing."""
    if all(importlib.util.find_spec(name) for name in ("torch", "safetensors")):
        return FastSAM3DSlicerLogic(loadNetwork)
    return FastSAM3DSlicerLogic(lambda preset, device: StandInNetwork())


def aClickFindsTheBall(logic: FastSAM3DSlicerLogic, volume: Any) -> None:
    """A script segments the ball in one call, and leaves out what is beside it."""
    places = [scene.centreOf(volume, each) for each in (MIDDLE_KJI, OUTSIDE_KJI)]
    node, segmentId = logic.segment(volume, places, [1, 0])
    mask = segments.readMask(node, segmentId, volume)
    assert mask[MIDDLE_KJI], "The mask lacks the voxel that was clicked on."
    assert not mask[OUTSIDE_KJI], "The mask holds the voxel that was excluded."


def undoTakesBackAndTheNextSegmentLeavesTheFirst(logic: FastSAM3DSlicerLogic, volume: Any) -> None:
    """Undo takes a click back, redo does it again, and the next segment leaves the first alone."""
    logic.setVolume(volume)
    logic.addClick(scene.centreOf(volume, MIDDLE_KJI))
    first, found = logic.segmentId, _mask(logic)
    assert found.any(), "A click marked nothing."
    logic.undo()
    assert not _mask(logic).any(), "Undo left something."
    logic.redo()
    assert (_mask(logic) == found).all(), "Redo made another mask."
    logic.nextSegment()
    logic.addClick(scene.centreOf(volume, MIDDLE_KJI))
    mask = segments.readMask(logic.segmentationNode, first, volume)
    assert (mask == found).all(), "The next segment changed the first."


TESTS = (aClickFindsTheBall, undoTakesBackAndTheNextSegmentLeavesTheFirst)


def run(test: Callable[[FastSAM3DSlicerLogic, Any], None]) -> None:
    """Run one of the tests in an empty scene.

    Raises:
        AssertionError: says what is wrong.
    """
    slicer.mrmlScene.Clear(False)
    logic = newLogic()
    try:
        test(logic, addBall())
    finally:
        logic.close()


def _mask(logic: FastSAM3DSlicerLogic) -> NDArray[np.bool_]:
    return segments.readMask(logic.segmentationNode, logic.segmentId, logic.volumeNode)
