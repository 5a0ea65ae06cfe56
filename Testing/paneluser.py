"""The random user at the panel: with the mouse in a view, with its buttons, and with the rest."""

from contextlib import suppress
from typing import Any

from FastSAM3DSlicerLib import scene, segments
from FastSAM3DSlicerLib.errors import UserError
from harness import fastsam
from harness.application import Application
from harness.views import DELETE, SliceView
from interruption import Interruption
from randomuser import WEIGHTS, RandomUser
from surroundings import is_in

BY_HAND = {
    "click_view": 25,
    "drag_point": 5,
    "press_delete": 5,
    "press_button": 25,
    "choose_row": 5,
    "set_smooth": 4,
    "toggle_keep": 4,
    "leave": 3,
}
"""What is done with mouse and keys, and how often, beside what else happens."""
BUTTONS = (
    "include", "exclude", "undo", "redo", "reset", "refine", "next", "uncertainty", "start",
    "cancel",
)  # fmt: skip


class PanelUser(RandomUser):
    """Works with a panel, while scripts and other modules work with its logic."""

    weights = WEIGHTS | BY_HAND

    def __init__(
        self, widget: Any, application: Application, seed: int, interruption: Interruption
    ) -> None:
        self.widget, self.ui, self.application = widget, widget.ui, application
        self.red: SliceView = application.layout.slice_view("Red")
        super().__init__(widget.logic, seed, interruption)

    def perform(self, name: str) -> None:
        """Do what has a name, and let the panel follow."""
        if name in BY_HAND:
            getattr(self, name)()
        else:
            self.widget.attempt(lambda: super(PanelUser, self).perform(name))
        self.settle()

    def settle(self) -> None:
        """Let timers fire, and what they start come to its end."""
        fastsam.settle(self.application)

    def show(self, volume: Any) -> None:
        """Choose a volume, and show it in the views."""
        super().show(volume)
        self.application.layout.show(volume)

    def click_view(self) -> None:
        """Click with + or -."""
        positive = self.random.random() < 0.7
        button = self.ui.includeButton if positive else self.ui.excludeButton
        if not button.checked:
            button.click()
        pixel = self._pixel()
        counts = self.widget.placing.isOn and self._can_be_clicked(pixel)
        self.red.click(pixel)
        if counts:
            self.note_click(self.red.point_of(pixel), positive=positive)

    def _can_be_clicked(self, pixel: tuple[int, int]) -> bool:
        """Tell whether the volume is there, and the segment is on its grid."""
        volume = self.logic.volumeNode
        voxel = scene.voxelAt(volume, self.red.point_of(pixel))
        with suppress(UserError):
            segments.requireGrid(self.logic.segmentationNode, self.logic.segmentId, volume)
            return is_in(voxel, scene.gridOf(volume).whole)
        return False

    def drag_point(self) -> None:
        self.widget.placing.stop()
        self.red.drag(self._pixel_of_a_point(), self._pixel())

    def press_delete(self) -> None:
        self.widget.placing.stop()
        self.red.press(DELETE, self._pixel_of_a_point())

    def press_button(self) -> None:
        button = getattr(self.ui, f"{self.random.choice(BUTTONS)}Button")
        if button.enabled:
            button.click()

    def choose_row(self) -> None:
        if ids := self.ui.segmentsTable.displayedSegmentIDs():
            self.ui.segmentsTable.setSelectedSegmentIDs([self.random.choice(ids)])

    def set_smooth(self) -> None:
        self.ui.smoothSlider.setValue(self.random.choice([0.0, 1.0]))

    def toggle_keep(self) -> None:
        self.ui.keepBox.click()

    def leave(self) -> None:
        """Go to another module and come back."""
        self.widget.exit()
        self.widget.enter()

    def _pixel(self) -> tuple[int, int]:
        return self.random.randrange(40, 260), self.random.randrange(40, 260)

    def _pixel_of_a_point(self) -> tuple[float, float]:
        node = self.widget.placing.node
        count = node.GetNumberOfControlPoints() if node is not None else 0
        if not count:
            return self._pixel()
        n = self.random.randrange(count)
        return self.red.pixel_of(node.GetNthControlPointPositionWorld(n))
