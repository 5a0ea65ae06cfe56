"""Somebody who does one random thing after another, as a user, a script and other modules might."""

import random
from typing import Any

import numpy as np
import slicer

from FastSAM3DSlicerLib import scene, segments
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from FastSAM3DSlicerLib.prediction import Options
from harness.clicking import mask_of
from harness.mrml import AXIAL, OBLIQUE

SHAPES = ((48, 96, 96), (40, 80, 112))
"""Of the volumes: large enough that the memory shows if a mask is left over at every action."""
BRUSH_VOXELS = 10

WEIGHTS = {
    "include": 12,
    "exclude": 6,
    "move": 6,
    "delete": 4,
    "change_sign": 2,
    "undo": 8,
    "redo": 5,
    "reset": 2,
    "refine": 2,
    "paint": 5,
    "start_from": 2,
    "change_option": 4,
    "choose_region": 3,
    "show_uncertainty": 2,
    "hide_uncertainty": 2,
    "next_segment": 5,
    "go_back": 7,
    "switch_volume": 3,
    "replace_image": 1,
    "update_surface": 2,
    "delete_segment": 2,
    "delete_segmentation": 1,
    "close_scene": 1,
}
"""How often each is done, beside the others."""


class RandomUser:
    """Works with a logic on two volumes.

    Attributes:
        logic: what is worked with.
        volumes: in the scene.
        last: the name of the last action.
    """

    def __init__(self, logic: FastSAM3DSlicerLogic, seed: int) -> None:
        self.logic = logic
        self.last = ""
        self._random = random.Random(seed)
        self.load()

    def load(self) -> None:
        """Add two volumes and a region, and choose a volume."""
        self.volumes = [
            slicer.util.addVolumeFromArray(np.zeros(shape, np.int16), ijkToRAS=to_ras)
            for shape, to_ras in zip(SHAPES, (AXIAL, OBLIQUE), strict=True)
        ]
        self._roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
        self.logic.setVolume(self.volumes[0])

    def act(self) -> None:
        """Do something."""
        self.last = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        getattr(self, self.last)()

    @property
    def used(self) -> tuple[str, str]:
        """Return the ids of the segmentation and the segment in use."""
        node = self.logic.segmentationNode
        return ("" if node is None else node.GetID(), self.logic.segmentId)

    @property
    def overlays(self) -> list[Any]:
        """Return the colours that are shown over the volumes."""
        found = (scene.overlayOf(volume) for volume in self.volumes)
        return [overlay for overlay in found if overlay is not None]

    @property
    def segment_ids(self) -> list[str]:
        node = self.logic.segmentationNode
        return [] if node is None else list(node.GetSegmentation().GetSegmentIDs())

    @property
    def _point_ids(self) -> list[str]:
        if not self.logic.segmentId:
            return []
        node = self.logic.pointsNode()
        return [node.GetNthControlPointID(n) for n in range(node.GetNumberOfControlPoints())]

    @property
    def _shape(self) -> tuple[int, int, int]:
        return scene.gridOf(self.logic.volumeNode).shapeKji

    def _place(self) -> tuple[float, float, float]:
        """Draw a voxel of the volume; most of them near the middle, where objects meet."""
        margins = [length // 3 if self._random.random() < 0.8 else 0 for length in self._shape]
        k, j, i = (
            self._random.randrange(margin, length - margin)
            for margin, length in zip(margins, self._shape, strict=True)
        )
        return scene.centreOf(self.logic.volumeNode, (k, j, i))

    def include(self) -> None:
        self.logic.addClick(self._place(), positive=True)

    def exclude(self) -> None:
        self.logic.addClick(self._place(), positive=False)

    def move(self) -> None:
        if ids := self._point_ids:
            self.logic.moveClick(self._random.choice(ids), self._place())

    def delete(self) -> None:
        if ids := self._point_ids:
            self.logic.removeClick(self._random.choice(ids))

    def change_sign(self) -> None:
        if count := len(self._point_ids):
            n, node = self._random.randrange(count), self.logic.pointsNode()
            node.SetNthControlPointSelected(n, not node.GetNthControlPointSelected(n))
            self.logic.update()

    def undo(self) -> None:
        self.logic.undo()

    def redo(self) -> None:
        self.logic.redo()

    def reset(self) -> None:
        self.logic.reset()

    def refine(self) -> None:
        if self.logic.segmentId and mask_of(self.logic).any():
            self.logic.refine()

    def paint(self) -> None:
        """Draw or erase a box, as the Segment Editor does."""
        self.logic.pointsNode()
        length, drawn = self._random.randrange(1, BRUSH_VOXELS), self._random.random() < 0.7
        k, j, i = (self._random.randrange(each - length) for each in self._shape)
        box = slice(k, k + length), slice(j, j + length), slice(i, i + length)
        node, values = self.logic.segmentationNode, np.full((length,) * 3, drawn)
        segments.separate(node, self.logic.segmentId)  # else the neighbours in its layer change
        image = segments.boxImage(node, self.logic.volumeNode, box, values)
        write = slicer.vtkSlicerSegmentationsModuleLogic
        mode = write.MODE_MERGE_MAX if drawn else write.MODE_MERGE_MIN
        write.SetBinaryLabelmapToSegment(image, node, self.logic.segmentId, mode, image.GetExtent())

    def start_from(self) -> None:
        if filled := [each for each in self.segment_ids if mask_of(self.logic, each).any()]:
            self.logic.startFrom(self.logic.segmentationNode, self._random.choice(filled))

    def change_option(self) -> None:
        keep, fill, smooth = (self._random.random() < 0.5 for _ in range(3))
        self.logic.setOptions(Options(self.logic.options.region, keep, fill, float(smooth)))

    def choose_region(self) -> None:
        """Choose a box round the volume's middle, or none."""
        if self._random.random() < 0.4:
            self.logic.setRegion(None)
            return
        k, j, i = self._shape
        self._roi.SetCenter(*scene.centreOf(self.logic.volumeNode, (k // 2, j // 2, i // 2)))
        self._roi.SetSize(*(self._random.uniform(20, 120) for _ in range(3)))
        self.logic.setRegion(self._roi)

    def show_uncertainty(self) -> None:
        if self.logic.segmentId:
            self.logic.showUncertainty()

    def hide_uncertainty(self) -> None:
        self.logic.hideUncertainty()

    def next_segment(self) -> None:
        self.logic.nextSegment()

    def go_back(self) -> None:
        if ids := self.segment_ids:
            self.logic.setSegment(self._random.choice(ids))

    def switch_volume(self) -> None:
        self.logic.setVolume(self._random.choice(self.volumes))

    def replace_image(self) -> None:
        """Put other voxels into the volume."""
        array = np.full(self._shape, self._random.randrange(100), np.int16)
        slicer.util.updateVolumeFromArray(self.logic.volumeNode, array)

    def update_surface(self) -> None:
        self.logic.updateSurface()

    def delete_segment(self) -> None:
        if ids := self.segment_ids:
            segmentation: Any = self.logic.segmentationNode.GetSegmentation()
            segmentation.RemoveSegment(self._random.choice(ids))

    def delete_segmentation(self) -> None:
        if self.logic.segmentationNode is not None:
            segments.removeSegmentation(self.logic.segmentationNode)

    def close_scene(self) -> None:
        slicer.mrmlScene.Clear(False)
        self.load()
