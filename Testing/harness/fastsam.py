"""The module itself in the harness: its panel, on a small volume, with a network of balls."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from numpy.typing import NDArray

from .application import Application, LoadedModule, load_module
from .layout import LayoutManager
from .mrml import BallNetwork
from .views import Pixel, SliceView

MODULE = Path(__file__).parents[2] / "FastSAM3DSlicer" / "FastSAM3DSlicer.py"
MIDDLE: Pixel = (150, 150)
ASIDE: Pixel = (190, 150)
FAR: Pixel = (90, 200)
"""Pixels of a slice view: the balls round the first two meet, that round the third is alone."""


@pytest.fixture
def network() -> BallNetwork:
    """What the panel predicts with."""
    return BallNetwork()


class MoodyNetwork(BallNetwork):
    """A network of balls that may take a while, or break.

    Attributes:
        seconds: that a prediction takes.
        error: raised by the next prediction, once.
    """

    device = "cpu"

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.error: Exception | None = None

    def predict(self, embedding: Any, points: Any, labels: Any, mask_logits: Any) -> Any:
        """Wait, break, or draw the balls."""
        time.sleep(self.seconds)
        error, self.error = self.error, None
        if error is not None:
            raise error
        return super().predict(embedding, points, labels, mask_logits)


@pytest.fixture(name="network")
def moody_network() -> MoodyNetwork:
    """What the panel predicts with, where a test has to do with time or trouble."""
    return MoodyNetwork()


@pytest.fixture
def slow(network: MoodyNetwork) -> MoodyNetwork:
    """The same, so slow that the panel shows its progress."""
    network.seconds = 0.3
    return network


@pytest.fixture
def during(panel: Any) -> Callable[[Callable[[], Any]], list[bool]]:
    """Do something as soon as a prediction shows its progress; what is returned tells of it."""

    def do(action: Callable[[], Any]) -> list[bool]:
        done: list[bool] = []
        pump = panel.logic._worker.pump

        def once(seconds: float) -> None:
            pump(seconds)
            if panel.ui.busyStack.currentIndex and not done:
                done.append(True)
                action()

        panel.logic._worker.pump = once
        return done

    return do


@pytest.fixture
def module(scene: Any, network: BallNetwork, monkeypatch: Any) -> Iterator[LoadedModule]:
    """The module with its panel, in an empty scene."""
    from FastSAM3DSlicerLib import install

    monkeypatch.setattr(install, "missing", list)
    loaded = load_module(MODULE, enter=False)
    loaded.widget.logic.engine.open = lambda preset, device: network
    loaded.widget.enter()
    yield loaded
    loaded.unload()


@pytest.fixture
def widget(module: LoadedModule) -> Any:
    """The panel's Python side, in an empty scene."""
    return module.widget


@pytest.fixture
def red(views: LayoutManager, volume: Any) -> SliceView:
    """The axial view of the grey volume."""
    views.show(volume)
    return views.slice_view("Red")


@pytest.fixture
def panel(red: SliceView, widget: Any) -> Any:
    """The panel with the grey volume taken."""
    widget.exit()
    widget.enter()
    return widget


@pytest.fixture
def clicking(panel: Any, red: SliceView, application: Application) -> Callable[..., None]:
    """Click in the axial view with a sign, and let the panel follow."""

    def click(at: Pixel, *, positive: bool = True) -> None:
        button = panel.ui.includeButton if positive else panel.ui.excludeButton
        if not button.checked:
            button.click()
        red.click(at)
        settle(application)

    return click


def settle(application: Application, seconds: float = 0.0) -> None:
    """Let timers fire and what they start come to its end."""
    until = time.perf_counter() + seconds
    for _ in range(3):
        application.processEvents()
    while time.perf_counter() < until:
        time.sleep(0.01)
        application.processEvents()


def mask_of(widget: Any, segment: str = "") -> NDArray[np.bool_]:
    """Return a segment of the panel's as a (k, j, i) mask; that in use if none is named."""
    from FastSAM3DSlicerLib import segments

    logic = widget.logic
    return segments.readMask(logic.segmentationNode, segment or logic.segmentId, logic.volumeNode)


def voxel(widget: Any, view: SliceView, at: Pixel) -> tuple[int, int, int]:
    """Return the (k, j, i) of the voxel that a view shows at a pixel."""
    from FastSAM3DSlicerLib import scene

    return scene.voxelAt(widget.logic.volumeNode, view.point_of(at))


def signs(widget: Any) -> list[bool]:
    """Return the signs of the points that are placed."""
    node, defined = widget.placing.node, slicer.vtkMRMLMarkupsNode.PositionDefined
    return [
        bool(node.GetNthControlPointSelected(n))
        for n in range(node.GetNumberOfControlPoints())
        if node.GetNthControlPointPositionStatus(n) == defined
    ]


def stop_placing(application: Application) -> None:
    """End placing as the right mouse button or another module does."""
    interaction = application.applicationLogic().GetInteractionNode()
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
