"""The panel's options: what a click may change, and what is done to the mask."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import slicer

from . import masking, regions, scene, segments
from .language import tr as _
from .logic import FastSAM3DSlicerLogic
from .panelpart import Attempt, PanelPart
from .parameters import Parameters
from .statuspanel import StatusPanel

OVERWRITE = (
    slicer.vtkMRMLSegmentEditorNode.OverwriteNone,
    slicer.vtkMRMLSegmentEditorNode.OverwriteVisibleSegments,
    slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments,
)
"""In the order of the box's items."""


class OptionsPanel(PanelPart):
    """Shows the options, and hands on what the user makes of them."""

    def __init__(self, ui: Any, logic: FastSAM3DSlicerLogic, attempt: Attempt) -> None:
        self._ui, self._logic, self._attempt = ui, logic, attempt
        self._status = StatusPanel(ui)
        self._starts: list[tuple[Any, str]] = []
        self._region: Any = None
        self._regionTags: list[int] = []
        self.onRegionMoved: Callable[[], None] = lambda: None
        ui.regionSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._regionChosen)
        ui.regionSelector.connect("nodeAddedByUser(vtkMRMLNode*)", self._regionMade)
        ui.smoothSlider.connect("valueChanged(double)", self._changed)
        ui.keepBox.connect("toggled(bool)", self._changed)
        ui.fillBox.connect("toggled(bool)", self._changed)
        ui.overwriteBox.connect("currentIndexChanged(int)", self._overwriteChosen)
        ui.startButton.connect("clicked(bool)", self._start)

    def show(self) -> None:
        """Show what is chosen, and what can be chosen now."""
        ui, parameters = self._ui, Parameters()
        with self._showing():
            ui.regionSelector.addEnabled = self._logic.volumeNode is not None
            ui.regionSelector.setCurrentNode(parameters.region)
            ui.smoothSlider.value = parameters.smoothVoxels
            ui.keepBox.checked = parameters.keepClicked
            ui.fillBox.checked = parameters.fillHoles
            self._showOverwrite()
            self._showStarts()
        self._watch(parameters.region)

    def apply(self) -> None:
        """Hand the options on to the logic, which predicts again if they are new to it."""
        parameters, logic = Parameters(), self._logic
        options = replace(
            logic.options,
            keepClicked=parameters.keepClicked,
            fillHoles=parameters.fillHoles,
            smoothVoxels=parameters.smoothVoxels,
        )
        self._attempt(lambda: logic.setOptions(options))
        self._attempt(lambda: logic.setRegion(parameters.region))

    def close(self) -> None:
        """Watch nothing any more."""
        self._watch(None)

    def _changed(self) -> None:
        if not self._isShowing:
            parameters = Parameters()
            parameters.smoothVoxels = float(self._ui.smoothSlider.value)
            parameters.keepClicked = bool(self._ui.keepBox.checked)
            parameters.fillHoles = bool(self._ui.fillBox.checked)
            self.apply()

    def _regionChosen(self, node: Any) -> None:
        if not self._isShowing:
            Parameters().region = node
            if node is not None and node.GetDisplayNode() is None:
                node.CreateDefaultDisplayNodes()
            self._watch(node)
            self.apply()
            if node is not None and not scene.isPlaced(node):
                self._status.say(
                    _(
                        "The region {name!r} is not placed yet, so masks may go anywhere: place it "
                        "in the views with the module Markups."
                    ).format(name=node.GetName())
                )

    def _regionMade(self, node: Any) -> None:
        self._attempt(lambda: self._fit(node))

    def _fit(self, region: Any) -> None:
        """Put a region round the segment in use, or round the volume, ready to be drawn in."""
        volume, target = (
            self._logic.volumeNode,
            (self._logic.segmentationNode, self._logic.segmentId),
        )
        mask = np.zeros_like(scene.imageArray(volume), bool)
        if segments.hasSegment(*target):
            mask = segments.readMask(*target, volume)
        regions.fit(region, volume, regions.boxFor(mask, scene.gridOf(volume)))
        self.apply()
        self._status.say(
            _("Masks stay within the new box: draw its sides in or out by their handles.")
        )

    def _watch(self, region: Any) -> None:
        if region is self._region:
            return
        for tag in self._regionTags:
            self._region.RemoveObserver(tag)
        self._regionTags.clear()
        self._region = region
        if region is not None:
            kind = slicer.vtkMRMLMarkupsNode
            for event in (kind.PointModifiedEvent, kind.TransformModifiedEvent):
                tag = region.AddObserver(event, lambda *_: self.onRegionMoved())
                self._regionTags.append(tag)

    def _overwriteChosen(self, row: int) -> None:
        if not self._isShowing and self._logic.segmentationNode is not None:
            self._editor().SetOverwriteMode(OVERWRITE[row])

    def _editor(self) -> Any:
        return masking.editorNode(self._logic.segmentationNode, self._logic.volumeNode)

    def _showOverwrite(self) -> None:
        isThere = None not in (self._logic.segmentationNode, self._logic.volumeNode)
        self._ui.overwriteBox.enabled = isThere
        mode = self._editor().GetOverwriteMode() if isThere else OVERWRITE[0]
        self._ui.overwriteBox.currentIndex = OVERWRITE.index(mode)

    def _showStarts(self) -> None:
        starts = [
            (node, segmentId)
            for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
            for segmentId in node.GetSegmentation().GetSegmentIDs()
            if (node, segmentId) != (self._logic.segmentationNode, self._logic.segmentId)
        ]
        box = self._ui.startBox
        texts = [self._title(node, segmentId) for node, segmentId in starts]
        if texts != [box.itemText(row) for row in range(box.count)]:
            box.clear()
            box.addItems(texts)
        self._starts = starts
        self._ui.startButton.enabled = bool(starts) and self._logic.volumeNode is not None

    def _start(self) -> None:
        node, segmentId = self._starts[self._ui.startBox.currentIndex]
        self._attempt(lambda: self._logic.startFrom(node, segmentId))

    def _title(self, node: Any, segmentId: str) -> str:
        name = str(node.GetSegmentation().GetSegment(segmentId).GetName())
        return name if node is self._logic.segmentationNode else f"{name} ({node.GetName()})"
