"""The real MRML application logic of `slicer-core`, set up as Slicer's desktop does, without Qt."""

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import slicer
import vtk

SINGLETONS = ("vtkMRMLSelectionNode", "vtkMRMLInteractionNode")
FACTORIES = (
    "vtkMRMLSliceViewDisplayableManagerFactory",
    "vtkMRMLThreeDViewDisplayableManagerFactory",
)
MODULES = {
    "Colors": "vtkMRMLColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Models": "vtkSlicerModelsLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
}
"""Module name to its logic's class, in the order in which they need one another."""

SEGMENT_COLORS = (
    (0.0, 0.0, 0.0),
    (0.2, 0.8, 0.3),
    (0.9, 0.5, 0.2),
    (0.3, 0.5, 0.9),
    (0.9, 0.8, 0.2),
)
"""Red, green and blue; the first is of no segment."""


@dataclass(frozen=True)
class Headless:
    """A scene and the application logic that serves it."""

    scene: Any
    logic: Any


@cache
def start() -> Headless:
    """Bring MRML up once a process; also sets `slicer.mrmlScene` and `slicer.modules`."""
    scene = slicer.vtkMRMLScene()
    _add_singletons(scene)
    logic = _application_logic(scene)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    slicer.mrmlScene = scene
    slicer.modules = SimpleNamespace()
    for name, kind in MODULES.items():
        _add_module(Headless(scene, logic), name, getattr(slicer, kind)())
    return Headless(scene, logic)


def _add_singletons(scene: Any) -> None:
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    for kind in SINGLETONS:
        if scene.GetNodeByID(f"{kind}Singleton") is None:
            scene.AddNode(getattr(slicer, kind)())


def _application_logic(scene: Any) -> Any:
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    scene.AddNode(_segment_colors())
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    for factory in FACTORIES:
        getattr(slicer, factory).GetInstance().SetMRMLApplicationLogic(logic)
    return logic


def _segment_colors() -> Any:
    """Return the table that segments take their colours from, which the desktop reads from a file.

    Without it they are random, and now and then as grey as the scan.
    """
    table = slicer.vtkMRMLColorTableNode()
    table.SetSingletonTag("FileGenericAnatomyColors.txt")
    table.SetTypeToUser()
    table.SetNumberOfColors(len(SEGMENT_COLORS))
    for number, color in enumerate(SEGMENT_COLORS):
        table.SetColor(number, f"segment {number}", *color)
    return table


def _add_module(headless: Headless, name: str, logic: Any) -> None:
    logic.SetMRMLScene(headless.scene)
    logic.SetMRMLApplicationLogic(headless.logic)
    headless.logic.SetModuleLogic(name, logic)
    setattr(slicer.modules, name.lower(), SimpleNamespace(name=name, logic=lambda: logic))
