"""Somebody who does one random thing after another, at times while the network is at work."""

from contextlib import suppress

import slicer

from FastSAM3DSlicerLib import scene
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from FastSAM3DSlicerLib.prediction import Options
from harness.clicking import mask_of
from interruption import Interruption
from leftovers import Key
from surroundings import Surroundings

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
    "cancel": 1,
    "paint": 5,
    "start_from": 2,
    "change_option": 4,
    "choose_region": 3,
    "choose_unplaced_region": 1,
    "change_device": 2,
    "show_uncertainty": 4,
    "hide_uncertainty": 2,
    "show_pet": 2,
    "next_segment": 5,
    "go_back": 7,
    "import_segment": 1,
    "switch_volume": 3,
    "replace_image": 1,
    "update_surface": 2,
    "delete_segment": 2,
    "delete_segmentation": 1,
    "close_scene": 1,
}
"""How often each is done, beside the others."""
HARMLESS = {
    "show_uncertainty",
    "hide_uncertainty",
    "show_pet",
    "change_device",
    "next_segment",
    "go_back",
    "import_segment",
    "update_surface",
}
"""Actions after which a click counts as before."""
INTERRUPTED = 0.25
"""Of all actions, those in the middle of which another one comes if the network is asked."""


class RandomUser(Surroundings):
    """Works with a logic.

    Attributes:
        done: the names of what the last action was, and of what came in the middle of it.
        touched: the segments that were in use meanwhile.
        refused: whether it could not be done.
        clicked: the segment, volume, place, mm, and sign of a click, if it has to count.
    """

    weights = WEIGHTS

    def __init__(
        self, logic: FastSAM3DSlicerLogic, seed: int, interruption: Interruption | None = None
    ) -> None:
        self._interruption = interruption or Interruption()
        self.done: list[str] = []
        self.touched: set[Key] = set()
        self.refused = False
        self.clicked: tuple[Key, str, tuple[float, float, float], bool] | None = None
        super().__init__(logic, seed)

    def act(self) -> None:
        """Do something, and perhaps something else before it is over."""
        self.done, self.touched, self.clicked, self.refused = [], {self.used}, None, False
        if self.random.random() < INTERRUPTED:
            self._interruption.plan(self._interrupt)
        try:
            self._do_something()
        finally:
            self._interruption.call_off()

    def perform(self, name: str) -> None:
        """Do what has a name."""
        try:
            getattr(self, name)()
        except UserError:
            self.refused = True
            raise

    def settle(self) -> None:
        """Let what was begun come to its end: here nothing is begun that does not."""

    def _interrupt(self) -> None:
        with suppress(UserError):
            self._do_something()

    def _do_something(self) -> None:
        name = self.random.choices(list(self.weights), list(self.weights.values()))[0]
        self.done.append(name)
        if name not in HARMLESS:
            self.clicked = None
        self.perform(name)
        self.touched.add(self.used)

    @property
    def used(self) -> Key:
        """Return the ids of the segmentation and the segment in use."""
        node = self.logic.segmentationNode
        return ("" if node is None else node.GetID(), self.logic.segmentId)

    @property
    def point_ids(self) -> list[str]:
        if not self.logic.segmentId:
            return []
        node = self.logic.pointsNode()
        return [node.GetNthControlPointID(n) for n in range(node.GetNumberOfControlPoints())]

    def place(self) -> tuple[float, float, float]:
        """Draw a voxel of the volume; most of them near the middle, where objects meet."""
        margins = [length // 3 if self.random.random() < 0.8 else 0 for length in self.shape]
        k, j, i = (
            self.random.randrange(margin, length - margin)
            for margin, length in zip(margins, self.shape, strict=True)
        )
        return scene.centreOf(self.logic.volumeNode, (k, j, i))

    def include(self) -> None:
        self._click(positive=True)

    def exclude(self) -> None:
        self._click(positive=False)

    def _click(self, *, positive: bool) -> None:
        place = self.place()
        self.logic.pointsNode()
        self.note_click(place, positive=positive)
        try:
            self.logic.addClick(place, positive)
        except UserError:
            self.clicked = None
            raise

    def note_click(self, place: tuple[float, float, float], *, positive: bool) -> None:
        """Remember that a click was made, which has to count."""
        self.touched.add(self.used)
        self.clicked = self.used, self.logic.volumeNode.GetID(), place, positive

    def move(self) -> None:
        if ids := self.point_ids:
            self.logic.moveClick(self.random.choice(ids), self.place())

    def delete(self) -> None:
        if ids := self.point_ids:
            self.logic.removeClick(self.random.choice(ids))

    def change_sign(self) -> None:
        if count := len(self.point_ids):
            n, node = self.random.randrange(count), self.logic.pointsNode()
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

    def cancel(self) -> None:
        self.logic.cancel()

    def start_from(self) -> None:
        if filled := [each for each in self.segment_ids if mask_of(self.logic, each).any()]:
            self.outlying.pop(self.used, None)
            self.logic.startFrom(self.logic.segmentationNode, self.random.choice(filled))

    def change_option(self) -> None:
        keep, fill, smooth = (self.random.random() < 0.5 for _ in range(3))
        self.logic.setOptions(Options(self.logic.options.region, keep, fill, float(smooth)))

    def choose_region(self) -> None:
        """Choose a box round the volume's middle, or none."""
        if self.random.random() < 0.4:
            self.logic.setRegion(None)
            return
        k, j, i = self.shape
        self.roi.SetCenter(*scene.centreOf(self.logic.volumeNode, (k // 2, j // 2, i // 2)))
        self.roi.SetSize(*(self.random.uniform(20, 120) for _ in range(3)))
        self.logic.setRegion(self.roi)

    def choose_unplaced_region(self) -> None:
        """Choose a region as it is before it was drawn, then none: it must not have had a say."""
        roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
        before = self.logic.options.region
        try:
            with suppress(UserError):
                self.logic.setRegion(roi)
            if "choose_region" not in self.done:
                assert self.logic.options.region in (None, before)
        finally:
            slicer.mrmlScene.RemoveNode(roi.GetDisplayNode())
            slicer.mrmlScene.RemoveNode(roi)

    def change_device(self) -> None:
        """Let the network be loaded again at the next click."""
        engine = self.logic.engine
        engine.device = "cpu" if engine.device == "auto" else "auto"

    def show_uncertainty(self) -> None:
        if self.logic.segmentId:
            self.logic.showUncertainty()

    def hide_uncertainty(self) -> None:
        self.logic.hideUncertainty()

    def next_segment(self) -> None:
        self.logic.nextSegment()

    def go_back(self) -> None:
        if ids := self.segment_ids:
            self.logic.setSegment(self.random.choice(ids))

    def switch_volume(self) -> None:
        """Choose a volume, and mostly begin a segment on it: those of the other one stay."""
        self.show(self.random.choice(self.volumes))
        if self.random.random() < 0.7:
            self.logic.nextSegment()

    def update_surface(self) -> None:
        self.logic.updateSurface()
