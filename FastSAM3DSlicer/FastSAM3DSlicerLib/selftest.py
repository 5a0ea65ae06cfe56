"""The module's test of itself, inside Slicer: a scan of a ball, and a network for want of torch."""
# ruff: noqa: PT009 -- Slicer's own unittest

import importlib.util
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

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
        return FastSAM3DSlicerLogic(loadNetwork, slicer.app.processEvents)
    return FastSAM3DSlicerLogic(lambda preset, device: StandInNetwork())


class FastSAM3DSlicerTest(ScriptedLoadableModuleTest):  # type: ignore[misc]
    """Runs by "Reload and Test", and on a build machine."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear(False)
        self.volume = addBall()
        self.logic = newLogic()

    def tearDown(self) -> None:
        """End the thread."""
        self.logic.close()

    def runTest(self) -> None:
        """Run all tests; Slicer calls this one."""
        for test in (self.test_aClickFindsTheBall, self.test_undoAndTheNextSegment):
            self.setUp()
            test()
            self.tearDown()

    def test_aClickFindsTheBall(self) -> None:
        """A script segments in one call."""
        self.delayDisplay("A click in the ball, one beside it")
        places = [scene.centreOf(self.volume, each) for each in (MIDDLE_KJI, OUTSIDE_KJI)]
        node, segmentId = self.logic.segment(self.volume, places, [1, 0])
        mask = segments.readMask(node, segmentId, self.volume)
        self.assertTrue(mask[MIDDLE_KJI])
        self.assertFalse(mask[OUTSIDE_KJI])

    def test_undoAndTheNextSegment(self) -> None:
        """Undo takes a click back, and the next segment leaves the first alone."""
        self.delayDisplay("Undo, redo, next segment")
        logic, middle = self.logic, scene.centreOf(self.volume, MIDDLE_KJI)
        logic.setVolume(self.volume)
        logic.addClick(middle)
        first, found = logic.segmentId, self._mask()
        logic.undo()
        self.assertFalse(self._mask().any())
        logic.redo()
        self.assertTrue((self._mask() == found).all())
        logic.nextSegment()
        logic.addClick(middle)
        mask = segments.readMask(logic.segmentationNode, first, self.volume)
        self.assertTrue((mask == found).all())

    def _mask(self) -> NDArray[np.bool_]:
        return segments.readMask(self.logic.segmentationNode, self.logic.segmentId, self.volume)
