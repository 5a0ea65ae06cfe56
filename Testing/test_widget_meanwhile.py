"""What the person does while the network is loaded, predicts or is asked is not lost."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import threading

import numpy as np
import pytest

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from FastSAM3DSlicerLib import wording
from FastSAM3DSlicerLib.statuspanel import BUSY, REST
from harness import slowpanel
from harness.fastsam import FAR, MIDDLE, mask_of, settle, signs, voxel

globals().update(slowpanel.FIXTURES)


class Gate:
    """Lets the network be loaded."""

    def __init__(self, network):
        self.network, self.opened, self.isOpen = network, [], threading.Event()

    def load(self, preset, device):
        assert self.isOpen.wait(20)
        self.opened.append(preset)
        return self.network


@pytest.fixture
def gate(panel, network):
    """What the loading of the network waits for."""
    gate = Gate(network)
    panel.logic.engine.open = gate.load
    yield gate
    gate.isOpen.set()


def test_clicks_while_the_network_is_loaded_wait_for_it(panel, gate, red, during):
    during(lambda: (red.click(MIDDLE), red.click(FAR), gate.isOpen.set()))
    panel.ui.includeButton.click()
    assert signs(panel) == [True, True]
    for at in (MIDDLE, FAR):
        assert mask_of(panel)[voxel(panel, red, at)]
    assert panel.ui.busyStack.currentIndex == REST


@pytest.mark.parametrize("what", ["exclude", "keep", "refine", "uncertainty", "overwrite"])
def test_a_click_while_the_network_is_loaded_survives_other_controls(
    panel, gate, red, during, what
):
    ui = panel.ui
    other = {
        "exclude": ui.excludeButton.click,
        "keep": ui.keepBox.click,
        "refine": ui.refineButton.click,
        "uncertainty": ui.uncertaintyButton.click,
        "overwrite": lambda: setattr(ui.overwriteBox, "currentIndex", 1),
    }[what]
    during(lambda: (red.click(MIDDLE), other(), gate.isOpen.set()))
    ui.includeButton.click()
    assert signs(panel) == [True]
    assert mask_of(panel)[voxel(panel, red, MIDDLE)]


def test_a_next_segment_while_the_network_is_loaded_leaves_the_click_where_it_was(
    panel, gate, red, during
):
    first = []

    def go_on():
        red.click(MIDDLE)
        first.append(panel.logic.segmentId)
        panel.ui.nextButton.click()
        gate.isOpen.set()

    during(go_on)
    panel.ui.includeButton.click()
    assert mask_of(panel, first[0])[voxel(panel, red, MIDDLE)]
    assert not mask_of(panel).any()
    assert panel.placing.isOn


def test_loading_can_be_cancelled_at_once_and_goes_on_by_itself(panel, gate, red, during, clicking):
    shown = during(
        lambda: (red.click(FAR), shown.append(panel.ui.busyStack.currentIndex), panel.onCancel())
    )
    panel.ui.includeButton.click()
    assert shown[1:] == [BUSY]
    assert not gate.isOpen.is_set()
    assert panel.ui.statusLabel.text == wording.cancelled()
    assert panel.ui.busyStack.currentIndex == REST
    assert not panel.placing.isOn
    assert not panel.ui.includeButton.checked
    assert signs(panel) == []
    gate.isOpen.set()
    clicking(MIDDLE)
    assert mask_of(panel)[voxel(panel, red, MIDDLE)]
    assert len(gate.opened) == 1


@pytest.mark.parametrize("how", ["next", "table"])
def test_a_click_is_completed_though_another_segment_is_taken(
    clicking, panel, slow, red, during, application, how
):
    clicking(MIDDLE)
    first = panel.logic.segmentId
    panel.ui.nextButton.click()
    second = panel.logic.segmentId
    panel.ui.segmentsTable.setSelectedSegmentIDs([first])
    go_on = {
        "next": panel.ui.nextButton.click,
        "table": lambda: panel.ui.segmentsTable.setSelectedSegmentIDs([second]),
    }[how]
    during(go_on)
    clicking(FAR)
    settle(application)
    assert panel.logic.segmentId != first
    assert panel.placing.isOn
    assert signs(panel) == []
    assert not mask_of(panel).any()
    for at in (MIDDLE, FAR):
        assert mask_of(panel, first)[voxel(panel, red, at)]
    assert panel.ui.segmentsTable.selectedSegmentIDs() == [panel.logic.segmentId]
    assert panel.ui.busyStack.currentIndex == REST


def test_a_click_on_the_next_segment_belongs_to_it(clicking, panel, slow, red, during, application):
    clicking(MIDDLE)
    first = panel.logic.segmentId
    panel.ui.nextButton.click()
    panel.ui.segmentsTable.setSelectedSegmentIDs([first])
    before = mask_of(panel)
    during(lambda: (panel.ui.nextButton.click(), red.click(FAR)))
    clicking((200, 90))
    settle(application)
    assert signs(panel) == [True]
    mask = mask_of(panel)
    assert mask[voxel(panel, red, FAR)]
    assert not mask[voxel(panel, red, (200, 90))]
    after = mask_of(panel, first)
    assert after[voxel(panel, red, (200, 90))]
    assert not after[voxel(panel, red, FAR)]
    assert after[before].all()


def test_a_cancel_after_another_segment_was_taken_takes_the_click_back(
    clicking, panel, slow, during, application
):
    clicking(MIDDLE)
    first, before = panel.logic.segmentId, mask_of(panel)
    during(lambda: (panel.ui.nextButton.click(), panel.ui.cancelButton.click()))
    clicking(FAR)
    settle(application)
    assert panel.ui.statusLabel.text == wording.cancelled()
    np.testing.assert_array_equal(mask_of(panel, first), before)
    panel.ui.segmentsTable.setSelectedSegmentIDs([first])
    assert signs(panel) == [True]


def test_a_click_is_not_lost_if_a_button_is_pressed_in_the_same_moment(clicking, panel, red):
    clicking(MIDDLE)
    first = panel.logic.segmentId
    red.click(FAR)
    panel.ui.nextButton.click()
    assert panel.logic.segmentId != first
    assert mask_of(panel, first)[voxel(panel, red, FAR)]


def test_a_click_while_uncertainty_is_estimated_is_predicted(
    clicking, panel, slow, red, during, application
):
    clicking(MIDDLE)
    during(lambda: red.click(FAR))
    panel.ui.uncertaintyButton.click()
    settle(application)
    assert signs(panel) == [True, True]
    assert mask_of(panel)[voxel(panel, red, FAR)]
    assert "go to the next segment" in panel.ui.statusLabel.text
    assert not panel.ui.uncertaintyButton.checked


def test_undo_while_uncertainty_is_estimated_undoes(clicking, panel, slow, during, application):
    clicking(MIDDLE)
    during(panel.ui.undoButton.click)
    panel.ui.uncertaintyButton.click()
    settle(application)
    assert signs(panel) == []
    assert not mask_of(panel).any()


def test_an_option_while_uncertainty_is_estimated_counts(
    clicking, panel, slow, during, application
):
    clicking(MIDDLE)
    before = mask_of(panel)
    during(lambda: panel.ui.smoothSlider.setValue(2.0))
    panel.ui.uncertaintyButton.click()
    settle(application)
    assert (mask_of(panel) != before).any()
