# ruff: noqa: N802, PT009 -- Slicer's own names and its own unittest
"""A tiny module that proves the harness: points are placed, and a ball is painted at each."""

from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

POINT_CHANGES = ("PointPositionDefinedEvent", "PointEndInteractionEvent", "PointRemovedEvent")


class PlaceDemo(ScriptedLoadableModule):
    """Describes the module."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("Place demo")
        parent.categories = ["Testing"]


class PlaceDemoWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self) -> None:
        """Build the panel."""
        super().setup()
        panel = slicer.util.loadUI(self.resourcePath("UI/PlaceDemo.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = PlaceDemoLogic()
        self.points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points")
        self.segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "balls")
        self.points.CreateDefaultDisplayNodes()
        self.segmentation.CreateDefaultDisplayNodes()
        for name in POINT_CHANGES:
            self.addObserver(self.points, getattr(slicer.vtkMRMLMarkupsNode, name), self.onPoints)
        self.ui.placeWidget.setCurrentNode(self.points)
        self.ui.placeButton.connect("clicked(bool)", self.onPlace)
        self.ui.placeWidget.connect("activeMarkupsPlaceModeChanged(bool)", self.onPlaceMode)
        self.ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onVolume)
        self.onVolume(self.ui.volumeSelector.currentNode())

    def onVolume(self, volume: Any) -> None:
        """Points need a volume."""
        self.ui.placeButton.enabled = volume is not None
        self.ui.statusLabel.text = _("ready") if volume else _("select a volume")

    def onPlace(self, checked: bool) -> None:
        """Begin or end placing."""
        self.ui.placeWidget.placeModePersistency = True
        self.ui.placeWidget.setPlaceModeEnabled(checked)

    def onPlaceMode(self, enabled: bool) -> None:
        """Show whether clicks place points."""
        self.ui.placeButton.checked = enabled

    def onPoints(self, _caller: Any, _event: int) -> None:
        """Paint the balls anew."""
        volume = self.ui.volumeSelector.currentNode()
        count = self.logic.paint(volume, self.points, self.segmentation, self.ui.radiusBox.value)
        self.ui.statusLabel.text = f"{count} points"

    def cleanup(self) -> None:
        """Let go of everything."""
        self.removeObservers()
        for node in (self.points, self.segmentation):
            slicer.mrmlScene.RemoveNode(node.GetDisplayNode())
            slicer.mrmlScene.RemoveNode(node)


class PlaceDemoLogic(ScriptedLoadableModuleLogic):
    """Paints balls."""

    def paint(self, volume: Any, points: Any, segmentation: Any, radius_mm: float) -> int:
        """Replace the first segment by a ball at each point; return how many there are."""
        shape_kji = slicer.util.arrayFromVolume(volume).shape
        mask = np.zeros(shape_kji, np.uint8)
        for centre_ras in slicer.util.arrayFromMarkupsControlPoints(points, world=True):
            mask |= self._distance_mm(volume, shape_kji, centre_ras) < radius_mm
        if not segmentation.GetSegmentation().GetNumberOfSegments():
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
            segmentation.GetSegmentation().AddEmptySegment("ball", "ball", (1.0, 0.0, 0.0))
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, "ball", volume)
        return int(points.GetNumberOfDefinedControlPoints())

    def _distance_mm(self, volume: Any, shape_kji: tuple[int, ...], centre_ras: Any) -> Any:
        matrix = vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(matrix)
        kji = np.indices(shape_kji)
        ijk1 = np.stack([*kji[::-1], np.ones(shape_kji)], axis=-1)
        ras = ijk1 @ slicer.util.arrayFromVTKMatrix(matrix).T
        return np.linalg.norm(ras[..., :3] - centre_ras, axis=-1)


class PlaceDemoTest(ScriptedLoadableModuleTest):
    """The module's test of itself."""

    def runTest(self) -> None:
        """Paint one ball."""
        self.delayDisplay("painting")
        volume = slicer.util.addVolumeFromArray(np.zeros((20, 30, 40), np.int16))
        scene = slicer.mrmlScene
        points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
        segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        points.AddControlPoint(20, 15, 10)
        self.assertEqual(PlaceDemoLogic().paint(volume, points, segmentation, 5.0), 1)
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "ball", volume)
        self.assertLess(abs(int(mask.sum()) - 4 / 3 * np.pi * 5**3), 40)
