"""The panel when something is missing, under way, full, broken off, or gone."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import numpy as np

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from FastSAM3DSlicerLib import install, wording
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.statuspanel import REST
from harness import fastsam, slowpanel
from harness.fastsam import ASIDE, FAR, MIDDLE, mask_of, signs
from harness.surfaced import surfaced

globals().update(slowpanel.FIXTURES)

BUTTONS = ("include", "exclude", "undo", "redo", "reset", "refine", "next", "uncertainty")


def enabled(widget):
    return {name for name in BUTTONS if getattr(widget.ui, f"{name}Button").enabled}


def test_with_nothing_loaded_nothing_can_be_pressed(widget):
    assert enabled(widget) == set()
    assert "Click on the object" in widget.ui.statusLabel.text
    assert not widget.ui.installPanel.isVisibleTo(widget.panel)
    assert widget.ui.segmentsTable.segmentCount == 0


def test_with_a_volume_one_can_place_but_nothing_can_be_undone(panel):
    assert enabled(panel) == {"include", "exclude", "next"}


def test_without_torch_the_panel_says_what_is_needed_and_how_large(panel, monkeypatch):
    monkeypatch.setattr(install, "missing", lambda: ["torch>=2.5", "safetensors>=0.5"])
    panel.exit()
    panel.enter()
    assert panel.ui.installPanel.isVisibleTo(panel.panel)
    assert enabled(panel) == set()
    assert "GB" in panel.ui.installLabel.text
    assert "safetensors" in panel.ui.installLabel.text


def test_once_torch_is_there_one_can_place(panel, monkeypatch):
    wanted = ["torch>=2.5"]
    monkeypatch.setattr(install, "missing", lambda: list(wanted))
    monkeypatch.setattr(install, "install", lambda say: (say("Collecting torch"), wanted.clear()))
    panel.exit()
    panel.enter()
    panel.ui.installButton.click()
    assert "Collecting torch" in panel.ui.installLog.plainText
    assert not panel.ui.installPanel.isVisibleTo(panel.panel)
    assert "include" in enabled(panel)


def test_an_installation_that_fails_says_why_and_can_be_tried_again(panel, monkeypatch):
    def fail(say):
        raise UserError("The disk is full: make room on it.")

    monkeypatch.setattr(install, "missing", lambda: ["torch>=2.5"])
    monkeypatch.setattr(install, "install", fail)
    panel.exit()
    panel.enter()
    panel.ui.installButton.click()
    assert "disk is full" in panel.ui.installLabel.text
    assert panel.ui.installButton.enabled
    assert enabled(panel) == set()


def test_without_weights_pressing_include_says_so(panel):
    def fail(preset, device):
        raise UserError("The weights are missing from the package; install the package again.")

    panel.logic.engine.open = fail
    panel.ui.includeButton.click()
    assert "weights are missing" in panel.ui.statusLabel.text
    assert not panel.placing.isOn
    assert not panel.ui.includeButton.checked


def test_the_network_is_loaded_before_the_first_click_and_says_where_it_works(
    panel, network, monkeypatch
):
    monkeypatch.setattr(install, "remark", lambda device: f"The network works on {device}.")
    panel.ui.includeButton.click()
    assert panel.ui.statusLabel.text == "The network works on cpu."
    assert network.decoded == 0
    assert panel.ui.busyStack.currentIndex == REST


def test_a_torch_that_cannot_be_loaded_is_told_from_one_that_is_missing(panel):
    def fail(preset, device):
        raise OSError("[WinError 126] fbgemm.dll or one of its dependencies was not found")

    panel.logic.engine.open = fail
    panel.ui.includeButton.click()
    assert "fbgemm.dll" in panel.ui.statusLabel.text
    assert "PyTorch Utils" in panel.ui.statusLabel.text


def test_a_full_memory_of_the_card_goes_on_on_the_cpu(clicking, panel, network):
    network.device, network.error = "cuda:0", RuntimeError("CUDA out of memory. Tried ...")
    clicking(MIDDLE)
    assert "cuda:0 is full; continued on the CPU" in panel.ui.statusLabel.text
    assert mask_of(panel).any()


def test_a_full_memory_of_the_computer_leaves_the_segment_as_it_was(clicking, panel, network):
    clicking(MIDDLE)
    before = mask_of(panel)
    network.error = MemoryError()
    clicking(FAR)
    assert "memory is full" in panel.ui.statusLabel.text
    assert signs(panel) == [True]
    np.testing.assert_array_equal(mask_of(panel), before)


def test_what_nobody_foresaw_is_told_and_raised(clicking, panel, network):
    clicking(MIDDLE)
    network.error = ZeroDivisionError("division by zero")
    with surfaced() as raised:
        clicking(FAR)
        assert isinstance(raised.pop(), ZeroDivisionError)
    assert "division by zero" in panel.ui.statusLabel.text
    assert signs(panel) == [True]


def test_a_prediction_below_a_tenth_of_a_second_shows_no_progress(clicking, panel, network, during):
    network.seconds = 0.05
    shown = during(lambda: None)
    clicking(MIDDLE)
    assert not shown


def test_a_long_prediction_shows_progress_and_rests_at_its_end(clicking, panel, slow, during):
    shown = during(lambda: None)
    clicking(MIDDLE)
    assert shown
    assert panel.ui.busyStack.currentIndex == REST


def test_a_cancelled_prediction_leaves_the_segment_as_it_was(clicking, panel, slow, during):
    clicking(MIDDLE)
    before = mask_of(panel)
    cancelled = during(panel.ui.cancelButton.click)
    clicking(FAR)
    assert cancelled
    assert panel.ui.statusLabel.text == wording.cancelled()
    assert signs(panel) == [True]
    np.testing.assert_array_equal(mask_of(panel), before)


def test_quick_clicks_are_taken_together_and_the_latest_wins(clicking, panel, slow, red, during):
    clicking(MIDDLE)
    decoded = slow.decoded
    during(lambda: (red.click(FAR), red.click((200, 90))))
    clicking(ASIDE)
    assert signs(panel) == [True] * 4
    assert slow.decoded - decoded <= 4
    there = mask_of(panel)
    for at in (MIDDLE, ASIDE, FAR, (200, 90)):
        assert there[fastsam.voxel(panel, red, at)]


def test_a_click_in_the_last_moment_of_a_prediction_is_not_lost(clicking, panel, network, red):
    clicking(MIDDLE)
    network.seconds = 0.12
    clicks = [FAR]
    panel.logic._worker.pump = lambda seconds: clicks and red.click(clicks.pop())
    clicking(ASIDE)
    assert signs(panel) == [True] * 3
    assert mask_of(panel)[fastsam.voxel(panel, red, FAR)]
