"""What a click does before its frame, what only after it, and that nothing is done twice."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import numpy as np
import pytest

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from fastsam3d import history, postprocess, pursuit
from fastsam3d.pieces import Runs
from FastSAM3DSlicerLib import segments
from FastSAM3DSlicerLib.inputpanel import InputPanel
from harness import fastsam, fixtures
from harness.fastsam import ASIDE, FAR, MIDDLE, mask_of, settle

application, scene, views, volume = (
    fixtures.application,
    fixtures.scene,
    fixtures.views,
    fixtures.volume,
)
module, network, widget, red, panel, clicking = (
    fastsam.module,
    fastsam.network,
    fastsam.widget,
    fastsam.red,
    fastsam.panel,
    fastsam.clicking,
)


@pytest.fixture
def counted(monkeypatch):
    """Note each call of a function in a list of events, under a name."""

    def count(events, where, name):
        action = getattr(where, name)

        def called(*args, **kwargs):
            events.append(name)
            return action(*args, **kwargs)

        monkeypatch.setattr(where, name, called)

    return count


@pytest.fixture
def drawn(panel, views, red, clicking, application):
    """Click once; then list what comes after the release of a second click, frames among it."""
    events = []
    for name in views.sliceViewNames():
        view = views.slice_view(name)
        view.show(panel.logic.volumeNode)
        view.window.AddObserver("EndEvent", lambda *_, name=name: events.append(name))
    clicking(MIDDLE)

    def release(at=ASIDE):
        red.hover(at)
        red.send("LeftButtonPressEvent", at)
        settle(application)
        events.clear()
        red.send("LeftButtonReleaseEvent", at)
        settle(application)
        return events

    release.events = events
    return release


FRAMES = ["Red", "Yellow", "Green"]


def test_a_second_click_encodes_nothing_decodes_once_and_draws_each_view_once(
    drawn, counted, panel, network
):
    counted(drawn.events, network, "predict")
    counted(drawn.events, network, "embed_patch")
    counted(drawn.events, segments, "writeMask")
    before = mask_of(panel).sum()
    assert drawn() == ["predict", "writeMask", *FRAMES]
    assert mask_of(panel).sum() != before


def test_the_panel_catches_up_after_the_frame_and_once(drawn, counted):
    counted(drawn.events, InputPanel, "show")
    assert drawn() == [*FRAMES, "show"]


def test_what_undo_keeps_is_made_small_after_the_frame(drawn, counted, panel):
    counted(drawn.events, history.zlib, "compress")
    assert drawn() == [*FRAMES, "compress", "compress"]
    drawn.events.clear()
    panel.logic.tidy()
    assert drawn.events == []


def test_nothing_is_computed_for_the_3d_surface_before_the_frame(drawn, counted, panel):
    panel.ui.show3DButton.click()
    segmentation = panel.logic.segmentationNode.GetSegmentation()
    segment = segmentation.GetSegment(panel.logic.segmentId)
    surface = segment.GetRepresentation(segments.SURFACE)
    stamp = surface.GetMTime()
    counted(drawn.events, segments, "updateSurface")
    assert set(drawn()) == {*FRAMES}
    assert segment.GetRepresentation(segments.SURFACE) is surface
    assert surface.GetMTime() == stamp
    assert panel._surfaceTimer.isActive()


def test_a_click_finds_the_pieces_of_its_mask_once_and_unpacks_one_cube_once(drawn, counted):
    counted(drawn.events, Runs, "pieces")
    counted(drawn.events, history, "unpack_logits")
    counted(drawn.events, pursuit, "clicked_part")
    counted(drawn.events, postprocess, "clicked_pieces")
    assert drawn() == ["clicked_pieces", "pieces", *FRAMES]


def test_the_voxels_of_a_segment_are_counted_with_each_write(panel, clicking):
    for at in (MIDDLE, ASIDE, FAR):
        clicking(at)
        assert panel.logic._steps._editing.voxels == mask_of(panel).sum()
    clicking(ASIDE, positive=False)
    panel.ui.undoButton.click()
    assert panel.logic._steps._editing.voxels == mask_of(panel).sum()


def test_the_next_segment_is_noted_in_memory_that_is_there_already(panel, clicking, application):
    clicking(MIDDLE)
    first, held, made = panel.logic.segmentId, panel.logic._steps._editing.held, mask_of(panel)
    panel.ui.nextButton.click()
    settle(application)
    clicking(FAR)
    assert panel.logic._steps._editing.held is held
    np.testing.assert_array_equal(held, mask_of(panel))
    np.testing.assert_array_equal(mask_of(panel, first), made)
    panel.logic.setSegment(first)
    clicking(ASIDE)
    assert panel.logic._steps._editing.held is held
    np.testing.assert_array_equal(held, mask_of(panel))
