"""Painting, quick clicks, cancels and failures in the middle of a prediction."""

import numpy as np
import pytest

from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib import wording
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from harness import clicking, mrml
from harness.clicking import A, B, C, SlowNetwork, click, mask_of, new_logic, paint, places
from harness.mrml import BallNetwork

events, logic, volume = clicking.events, clicking.slow_logic, clicking.volume
make_volume, scene = mrml.make_volume, mrml.scene


def test_painting_is_kept_and_undone(logic, volume):
    clicked = mask_of(logic)
    paint(logic, np.s_[0:3, 0:3, 0:3])
    click(logic, C)
    assert mask_of(logic)[0:3, 0:3, 0:3].all()
    logic.undo()
    assert mask_of(logic)[0:3, 0:3, 0:3].all()
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), clicked)


def test_painting_stays_when_a_point_that_came_before_is_moved(logic, volume):
    paint(logic, np.s_[0:3, 0:3, 0:3])
    first = logic.pointsNode().GetNthControlPointID(0)
    logic.moveClick(first, lib.centreOf(volume, C))
    assert mask_of(logic)[0:3, 0:3, 0:3].all()
    assert mask_of(logic)[C]


def test_painting_in_the_middle_of_a_click_is_kept(logic, events):
    corner = np.s_[5:8, 6:8, 8:10]
    events.next = lambda: paint(logic, corner)
    click(logic, C)
    assert mask_of(logic)[corner].all()
    assert mask_of(logic)[C]


def test_quick_clicks_become_one_prediction_of_the_latest(logic, events, volume):
    heard = []
    logic.onStatus = heard.append
    events.next = lambda: click(logic, C)
    click(logic, B, positive=False)
    assert len(heard) == 1
    assert len(places(logic)) == 3
    logic.undo()
    assert len(places(logic)) == 1


@pytest.mark.parametrize("how", ["cancel", "undo"])
def test_a_cancelled_click_leaves_segment_and_points_as_they_were(logic, events, how):
    before, there = mask_of(logic), places(logic)
    events.next = getattr(logic, how)
    click(logic, B)
    np.testing.assert_array_equal(mask_of(logic), before)
    assert places(logic) == there
    assert logic.status.message == wording.cancelled()
    click(logic, C)
    assert mask_of(logic)[C]
    assert len(places(logic)) == 2


def test_a_cancelled_move_leaves_segment_and_points_as_they_were(logic, events, volume):
    click(logic, C)
    before, there = mask_of(logic), places(logic)
    events.next = logic.cancel
    logic.moveClick(logic.pointsNode().GetNthControlPointID(0), lib.centreOf(volume, B))
    assert places(logic) == there
    np.testing.assert_array_equal(mask_of(logic), before)
    logic.undo()
    assert places(logic) == there[:1]


def test_a_network_that_fails_leaves_everything_and_says_why(logic, monkeypatch):
    before, there = mask_of(logic), places(logic)
    monkeypatch.setattr(SlowNetwork, "predict", lambda *given: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        click(logic, B)
    np.testing.assert_array_equal(mask_of(logic), before)
    assert places(logic) == there


def test_a_full_device_goes_on_on_the_cpu_and_says_so(volume):
    def open_network(preset, device):
        network = BallNetwork()
        network.device = "cpu" if device == "cpu" else "cuda"
        if device != "cpu":
            network.predict = full
        return network

    def full(*args):
        raise RuntimeError("CUDA out of memory.")

    logic = FastSAM3DSlicerLogic(open_network)
    logic.setVolume(volume)
    click(logic, A)
    assert mask_of(logic)[A]
    assert "memory of cuda is full" in logic.status.message
    assert logic.status.device == "cpu"
    click(logic, C)
    assert "memory" not in logic.status.message
    logic.close()


def test_a_full_computer_says_what_to_do(volume, monkeypatch):
    logic = new_logic()

    def full(self, patch):
        raise MemoryError

    monkeypatch.setattr(BallNetwork, "embed_patch", full)
    logic.setVolume(volume)
    with pytest.raises(UserError, match="close other programs"):
        click(logic, A)
    logic.close()
