"""The part of the panel that says what is segmented: volume, segmentation, and which segment."""

from collections.abc import Callable
from typing import Any

import slicer

from . import foreground
from .logic import FastSAM3DSlicerLogic
from .panelpart import Attempt, PanelPart
from .parameters import Parameters


class InputPanel(PanelPart):
    """Shows what the logic has in use, remembers it with the scene, and hands on other choices.

    Attributes:
        onSegment: called when another segment was chosen, so that placing goes on in it.
    """

    def __init__(
        self, ui: Any, logic: FastSAM3DSlicerLogic, attempt: Attempt, onSegment: Callable[[], None]
    ) -> None:
        self.onSegment = onSegment
        self._ui, self._logic, self._attempt = ui, logic, attempt
        ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._volumeChosen)
        ui.segmentationSelector.connect(
            "currentNodeChanged(vtkMRMLNode*)", self._segmentationChosen
        )
        ui.segmentsTable.connect(
            "selectionChanged(QItemSelection,QItemSelection)", self._segmentChosen
        )

    def show(self) -> None:
        """Show what is in use, and remember it."""
        ui, logic, parameters = self._ui, self._logic, Parameters()
        with self._showing():
            parameters.volume = logic.volumeNode
            parameters.segmentation = logic.segmentationNode
            parameters.segmentId = logic.segmentId
            ui.volumeSelector.setCurrentNode(logic.volumeNode)
            ui.segmentationSelector.setCurrentNode(logic.segmentationNode)
            ui.segmentsTable.setSegmentationNode(logic.segmentationNode)
            ui.show3DButton.setSegmentationNode(logic.segmentationNode)
            self._select(logic.segmentId)

    def restore(self) -> None:
        """Go back to what the scene remembers, or take the volume that it shows."""
        foreground.giveBack()
        logic, parameters = self._logic, Parameters()
        segmentId = parameters.segmentId if parameters.segmentation is not None else ""
        logic.setVolume(parameters.volume)
        logic.setSegmentation(parameters.segmentation)
        logic.setSegment(segmentId)
        self.takeLoaded()

    def takeLoaded(self) -> None:
        """Take a volume that came while the panel is open, once the slice views show it."""
        if self._ui.volumeSelector.visible and self._logic.volumeNode is None:
            self._attempt(self.takeShown)

    def takeShown(self) -> None:
        """Take the volume that the slice views show, if none was chosen."""
        if self._logic.volumeNode is None:
            self._logic.setVolume(_shownVolume())

    def _select(self, segmentId: str) -> None:
        table = self._ui.segmentsTable
        wanted = [segmentId] if segmentId else []
        if list(table.selectedSegmentIDs()) != wanted:
            table.setSelectedSegmentIDs(wanted)

    def _volumeChosen(self, node: Any) -> None:
        if not self._isShowing:
            self._attempt(lambda: self._logic.setVolume(node))

    def _segmentationChosen(self, node: Any) -> None:
        if not self._isShowing:
            self._attempt(lambda: self._logic.setSegmentation(node))

    def _segmentChosen(self) -> None:
        chosen = list(self._ui.segmentsTable.selectedSegmentIDs())
        if not self._isShowing and chosen and chosen[0] != self._logic.segmentId:
            self._attempt(lambda: self._goTo(chosen[0]))

    def _goTo(self, segmentId: str) -> None:
        self._logic.setSegment(segmentId)
        self.onSegment()


def _shownVolume() -> Any:
    for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        node = slicer.mrmlScene.GetNodeByID(view.GetBackgroundVolumeID() or "")
        if node is not None and node.GetClassName() == "vtkMRMLScalarVolumeNode":
            return node
    return None
