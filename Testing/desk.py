"""The module's panel, three slice views without a window, and a mouse."""

import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "FastSAM3DSlicer"))

from FastSAM3DSlicerLib import segments
from FastSAM3DSlicerLib.prediction import Network
from harness import application, headless
from harness.fastsam import MODULE
from harness.layout import ORIENTATIONS
from harness.views import SliceView

Place = tuple[float, float, float]
"""mm in the world."""

ROUNDS = 6
"""Times that the application sees to its events after a click, more than are needed."""


class Desk:
    """One volume in the panel and in the views.

    Attributes:
        volume: the volume node.
        views: by their names, Red, Yellow and Green.
        logic: of the panel.
        frames: how many were drawn so far.
    """

    def __init__(
        self,
        scan_kji: NDArray[Any],
        ijk_to_ras: NDArray[np.float64],
        network: Network,
        view_pixels: tuple[int, int],
    ) -> None:
        self.frames = 0
        self._application = application.start()
        self.volume = slicer.util.addVolumeFromArray(scan_kji, ijkToRAS=ijk_to_ras, name="scan")
        self.volume.CreateDefaultDisplayNodes()
        self.views = {
            name: SliceView(headless.start(), name, orientation, view_pixels)
            for name, orientation in ORIENTATIONS.items()
        }
        for view in self.views.values():
            view.window.AddObserver("EndEvent", self._count)
        self._application.layout.slices.update(self.views)
        self._application.layout.show(self.volume)
        self._module = application.load_module(MODULE, enter=False)
        self.logic.engine.open = lambda preset, device: network
        self._module.widget.enter()

    @property
    def logic(self) -> Any:
        return self._module.widget.logic

    @property
    def ui(self) -> Any:
        return self._module.widget.ui

    @property
    def panel(self) -> Any:
        """Return the panel as a widget."""
        return self._module.panel

    def dress(self) -> None:
        """Draw the buttons' icons for the colours of the panel."""
        self._module.widget._showIcons()
        self.settle()

    def begin(self) -> None:
        """Begin with an empty segmentation."""
        if self.logic.segmentationNode is not None:
            segments.removeSegmentation(self.logic.segmentationNode)
        self.choose_sign(positive=True)

    def choose_sign(self, *, positive: bool) -> None:
        """Let clicks include or exclude."""
        button = self.ui.includeButton if positive else self.ui.excludeButton
        if not button.checked:
            button.click()
        self.settle()

    def look_at(self, place: Place) -> None:
        """Move all slices to a place."""
        for view in self.views.values():
            view.node.JumpSlice(*place)
        self.settle()

    def press(self, place: Place) -> None:
        """Press the mouse's button in the axial view."""
        view = self.views["Red"]
        view.hover(view.pixel_of(place))
        view.send("LeftButtonPressEvent", view.pixel_of(place))
        self.settle()

    def release(self, place: Place) -> float:
        """Release the button; return the ms until the last frame that follows from it."""
        began = perf_counter()
        view = self.views["Red"]
        view.send("LeftButtonReleaseEvent", view.pixel_of(place))
        return 1000 * (self.settle() - began)

    def next_segment(self) -> None:
        """Go to the next segment."""
        self.ui.nextButton.click()
        self.settle()

    def settle(self) -> float:
        """See to all events; return the moment when the last frame was complete."""
        complete = perf_counter()
        for _ in range(ROUNDS):
            before = self.frames
            self._application.processEvents()
            if self.frames > before:
                for view in self.views.values():
                    view.window.WaitForCompletion()
                complete = perf_counter()
        return complete

    def close(self) -> None:
        """Close the panel."""
        self._module.unload()

    def _count(self, *_: object) -> None:
        self.frames += 1
