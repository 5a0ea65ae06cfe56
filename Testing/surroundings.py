"""What is in the scene beside the module's own, and what other parts of Slicer do to all of it."""

import random
from typing import Any

import numpy as np
import slicer

from FastSAM3DSlicerLib import labelmap, scene, segments
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from harness.mrml import AXIAL, OBLIQUE

SHAPES = ((48, 96, 96), (40, 80, 112))
"""Of the volumes: large enough that the memory shows if a mask is left over at every action."""
BRUSH_VOXELS = 10
VIEW, PET_OPACITY = "vtkMRMLSliceCompositeNode", 0.4
FINER = np.diag([0.7, 0.7, 0.6, 1.0])
"""Of a volume's voxels, those of a segment that comes from elsewhere."""


class Surroundings:
    """Two volumes, a PET, a region and a view, and others who work with them.

    Attributes:
        logic: of the module.
        volumes: that are segmented.
        pet: to be laid over them.
        foreground: the id of what the user laid over them, or None.
        outlying: for a segment from elsewhere, a place in it beyond the volumes, mm.
    """

    def __init__(self, logic: FastSAM3DSlicerLogic, seed: int) -> None:
        self.logic = logic
        self.random = random.Random(seed)
        self.load()

    def load(self) -> None:
        """Fill the scene, and choose a volume."""
        self.volumes = [self._volume(*each) for each in zip(SHAPES, (AXIAL, OBLIQUE), strict=True)]
        self.pet = self._volume((12, 24, 24), AXIAL @ np.diag([4.0, 4.0, 4.0, 1.0]))
        self.roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
        if not self.views:
            slicer.mrmlScene.AddNewNodeByClass(VIEW).SetSingletonTag("Red")
        self.foreground: str | None = None
        self.outlying: dict[tuple[str, str], np.ndarray] = {}
        self.show(self.volumes[0])

    def show(self, volume: Any) -> None:
        """Choose a volume, and show it in the view."""
        for view in self.views:
            view.SetBackgroundVolumeID(volume.GetID())
        self.logic.setVolume(volume)

    @property
    def views(self) -> list[Any]:
        return list(slicer.util.getNodesByClass(VIEW))

    @property
    def overlays(self) -> list[Any]:
        """Return the colours that are shown over the volumes."""
        found = (scene.overlayOf(volume) for volume in self.volumes)
        return [overlay for overlay in found if overlay is not None]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the shape (k, j, i) of the volume in use."""
        return scene.gridOf(self.logic.volumeNode).shapeKji

    @property
    def segment_ids(self) -> list[str]:
        node = self.logic.segmentationNode
        return [] if node is None else list(node.GetSegmentation().GetSegmentIDs())

    def paint(self) -> None:
        """Draw or erase a box, as the Segment Editor does."""
        self.logic.pointsNode()
        length, drawn = self.random.randrange(1, BRUSH_VOXELS), self.random.random() < 0.7
        k, j, i = (self.random.randrange(each - length) for each in self.shape)
        box = slice(k, k + length), slice(j, j + length), slice(i, i + length)
        node, values = self.logic.segmentationNode, np.full((length,) * 3, drawn)
        segments.separate(node, self.logic.segmentId)  # else the neighbours in its layer change
        image = segments.boxImage(node, self.logic.volumeNode, box, values)
        write = slicer.vtkSlicerSegmentationsModuleLogic
        mode = write.MODE_MERGE_MAX if drawn else write.MODE_MERGE_MIN
        write.SetBinaryLabelmapToSegment(image, node, self.logic.segmentId, mode, image.GetExtent())

    def import_segment(self) -> None:
        """Add a segment with finer voxels of its own that reaches beyond the volumes."""
        if (node := self.logic.segmentationNode) is None:
            return
        to_ras = AXIAL @ FINER
        image = labelmap.newImage(to_ras, (-40, 20, 20), (80, 60, 60))
        labelmap.arrayOf(image).fill(1)
        segment = slicer.vtkSegment()
        segment.SetName("from elsewhere")
        segment.AddRepresentation(segments.LABELMAP, image)
        segment_id = node.GetSegmentation().GenerateUniqueSegmentID("elsewhere")
        node.GetSegmentation().AddSegment(segment, segment_id)
        self.outlying[node.GetID(), segment_id] = to_ras @ [50, 50, -20, 1]

    def show_pet(self) -> None:
        """Lay the PET over the volumes, or take it away."""
        self.foreground = None if self.foreground else self.pet.GetID()
        for view in self.views:
            view.SetForegroundVolumeID(self.foreground)
            view.SetForegroundOpacity(PET_OPACITY if self.foreground else 0.0)

    def replace_image(self) -> None:
        """Put other voxels into the volume."""
        array = np.full(self.shape, self.random.randrange(100), np.int16)
        slicer.util.updateVolumeFromArray(self.logic.volumeNode, array)

    def delete_segment(self) -> None:
        if ids := self.segment_ids:
            segmentation: Any = self.logic.segmentationNode.GetSegmentation()
            segmentation.RemoveSegment(self.random.choice(ids))

    def delete_segmentation(self) -> None:
        if self.logic.segmentationNode is not None:
            segments.removeSegmentation(self.logic.segmentationNode)

    def close_scene(self) -> None:
        slicer.mrmlScene.Clear(False)
        self.load()

    def _volume(self, shape_kji: tuple[int, int, int], ijk_to_ras: Any) -> Any:
        return slicer.util.addVolumeFromArray(np.zeros(shape_kji, np.int16), ijkToRAS=ijk_to_ras)


def is_in(voxel: tuple[int, int, int], box: tuple[slice, slice, slice]) -> bool:
    """Tell whether a voxel (k, j, i) is in a box."""
    return all(part.start <= n < part.stop for n, part in zip(voxel, box, strict=True))
