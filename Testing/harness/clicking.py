"""A logic on a small volume, and what tests do with it again and again."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import slicer
from numpy.typing import NDArray

from FastSAM3DSlicerLib import points, segments
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic

from .mrml import BallNetwork

Voxel = tuple[int, int, int]

A: Voxel = (12, 16, 20)
B: Voxel = (12, 20, 26)
C: Voxel = (8, 10, 12)
"""Voxels (k, j, i) to click on: the balls round A and B meet, that round C is on its own."""


class SlowNetwork(BallNetwork):
    """Lets the caller's events come in while it is at work."""

    def predict(self, embedding: Any, points: Any, labels: Any, mask_logits: Any) -> Any:
        """Take a while."""
        time.sleep(0.16)
        return super().predict(embedding, points, labels, mask_logits)


class Events:
    """Does what it is told to, once, while a prediction is under way."""

    def __init__(self) -> None:
        self.next: Callable[[], Any] | None = None

    def __call__(self, seconds: float) -> None:
        """Do it."""
        todo, self.next = self.next, None
        if todo is not None:
            todo()


def new_logic(network: BallNetwork | None = None, pump: Any = None) -> FastSAM3DSlicerLogic:
    """Return a logic on a network that needs no weights."""
    there = network or BallNetwork()
    return FastSAM3DSlicerLogic(lambda preset, device: there, pump or Events())


@pytest.fixture
def volume(make_volume: Callable[..., Any]) -> Any:
    """A volume of 24 x 32 x 40 voxels."""
    return make_volume()


@pytest.fixture
def network() -> BallNetwork:
    """The network of `logic`."""
    return BallNetwork()


@pytest.fixture
def logic(network: BallNetwork, volume: Any) -> Iterator[FastSAM3DSlicerLogic]:
    """A logic on the volume, without clicks."""
    logic = new_logic(network)
    logic.setVolume(volume)
    yield logic
    logic.close()


@pytest.fixture
def events() -> Events:
    """What happens while a slow logic predicts."""
    return Events()


@pytest.fixture(name="logic")
def slow_logic(events: Events, volume: Any) -> Iterator[FastSAM3DSlicerLogic]:
    """A logic with a click at A that takes its time over the next ones."""
    logic = new_logic(SlowNetwork(), events)
    logic.setVolume(volume)
    click(logic, A)
    yield logic
    logic.close()


def click(logic: FastSAM3DSlicerLogic, voxel_kji: Voxel, *, positive: bool = True) -> str:
    """Click on a voxel."""
    return logic.addClick(lib.centreOf(logic.volumeNode, voxel_kji), positive)


def mask_of(logic: FastSAM3DSlicerLogic, segment: str = "") -> NDArray[np.bool_]:
    """Read a segment, the one in use if none is named."""
    return segments.readMask(logic.segmentationNode, segment or logic.segmentId, logic.volumeNode)


def places(logic: FastSAM3DSlicerLogic) -> tuple[Any, ...]:
    """Return the points of the segment in use."""
    return points.read(logic.pointsNode(), logic.volumeNode)


def fresh(volume: Any, *clicks: tuple[Voxel, bool]) -> NDArray[np.bool_]:
    """Return the mask of the same clicks without any history."""
    logic = new_logic()
    there = [lib.centreOf(volume, voxel) for voxel, _ in clicks]
    node, segment = logic.segment(volume, there, [int(positive) for _, positive in clicks])
    mask = segments.readMask(node, segment, volume)
    logic.close()
    slicer.mrmlScene.RemoveNode(node)
    return mask


def paint(logic: FastSAM3DSlicerLogic, box: Any, value: int = 1) -> None:
    """Write into the segment in use as any other part of Slicer might."""
    mask = mask_of(logic).astype(np.uint8)
    mask[box] = value
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask, logic.segmentationNode, logic.segmentId, logic.volumeNode
    )
