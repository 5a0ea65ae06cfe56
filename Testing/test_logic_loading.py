"""The network is loaded on the logic's one thread, and nobody has to wait for it."""

import threading

import numpy as np
import pytest

from FastSAM3DSlicerLib import wording
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from harness import clicking, mrml
from harness.clicking import A, C, click, fresh, mask_of, places
from harness.mrml import BallNetwork

events, volume = clicking.events, clicking.volume
make_volume, scene = mrml.make_volume, mrml.scene


@pytest.fixture
def gate():
    """Lets the network be loaded."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def opened():
    """What was begun to be loaded."""
    return []


@pytest.fixture
def logic(volume, events, gate, opened):
    def load(preset, device):
        opened.append(preset)
        assert gate.wait(20)
        return BallNetwork()

    logic = FastSAM3DSlicerLogic(load, events)
    logic.setVolume(volume)
    yield logic
    gate.set()
    logic.close()


def test_the_network_is_there_before_the_first_click(logic, gate, opened):
    gate.set()
    logic.warmUp(lambda device: f"It is on {device}.")
    assert logic.status.message == "It is on fake."
    click(logic, A)
    assert len(opened) == 1
    logic.warmUp(lambda device: "It is there again.")
    assert len(opened) == 1
    assert "again" not in logic.status.message


def test_clicks_meanwhile_are_predicted_after_it(logic, events, gate, volume):
    events.next = lambda: (click(logic, A), click(logic, C), gate.set())
    logic.warmUp(lambda device: f"It is on {device}.")
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (C, True)))
    assert logic.status.message.startswith("It is on fake. ")


def test_a_cancel_waits_for_nothing_and_what_is_loaded_serves_the_next_click(
    logic, events, gate, opened
):
    events.next = lambda: (click(logic, A), logic.cancel())
    logic.warmUp()
    assert not gate.is_set()
    assert not logic.isBusy
    assert logic.status.message == wording.cancelled()
    assert places(logic) == ()
    events.next = gate.set
    click(logic, C)
    assert mask_of(logic)[C]
    assert len(opened) == 1


def test_undo_meanwhile_takes_a_click_back_that_waits(logic, events, gate):
    events.next = lambda: (click(logic, A), logic.undo(), gate.set())
    logic.warmUp()
    assert logic.engine.place
    assert places(logic) == ()
    assert not mask_of(logic).any()


def test_a_click_without_it_can_be_cancelled_as_soon(logic, events, gate):
    events.next = logic.cancel
    click(logic, A)
    assert not gate.is_set()
    assert places(logic) == ()


def test_one_that_cannot_be_loaded_is_tried_once_and_drops_the_clicks(logic, events, gate):
    def fail(preset, device):
        assert gate.wait(20)
        tried.append(preset)
        raise UserError("The weights are missing.")

    logic.engine.open, tried = fail, []
    events.next = lambda: (click(logic, A), gate.set())
    with pytest.raises(UserError, match="weights are missing"):
        logic.warmUp()
    assert len(tried) == 1
    assert places(logic) == ()


def test_loading_asking_and_predicting_share_one_thread(logic, gate):
    gate.set()
    logic.warmUp()
    click(logic, A)
    logic.showUncertainty()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("FastSAM3D") == 1
