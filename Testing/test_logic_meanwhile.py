"""Going on to something else before a prediction or a question is over."""

import time

import numpy as np
import pytest
import slicer

from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib import segments, wording
from FastSAM3DSlicerLib.binding import Lost
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.prediction import Options
from harness import clicking, mrml
from harness.clicking import A, B, C, SlowNetwork, click, fresh, mask_of, places
from harness.mrml import BallNetwork

events, logic, volume = clicking.events, clicking.slow_logic, clicking.volume
make_volume, scene = mrml.make_volume, mrml.scene


@pytest.fixture
def others(logic, make_volume):
    """Ways to go on to something else, by what it is."""
    node = segments.newSegmentation(logic.volumeNode)
    return {
        "segment": lambda: logic.nextSegment(),
        "no segment": lambda: logic.setSegment(""),
        "segmentation": lambda: logic.setSegmentation(node),
        "volume": lambda: logic.setVolume(make_volume()),
        "no volume": lambda: logic.setVolume(None),
    }


@pytest.mark.parametrize("what", ["segment", "no segment", "segmentation", "volume", "no volume"])
def test_a_click_is_completed_for_the_segment_that_it_is_about(logic, events, volume, others, what):
    node, segment, there = logic.segmentationNode, logic.segmentId, logic.pointsNode()
    events.next = others[what]
    click(logic, C)
    inUse = (logic.volumeNode, logic.segmentationNode, logic.segmentId)
    assert inUse != (volume, node, segment)
    np.testing.assert_array_equal(
        segments.readMask(node, segment, volume), fresh(volume, (A, True), (C, True))
    )
    assert there.GetNumberOfControlPoints() == 2


def test_what_was_clicked_before_going_on_can_be_undone_on_coming_back(logic, events, volume):
    first = logic.segmentId
    events.next = logic.nextSegment
    click(logic, C)
    assert not mask_of(logic).any()
    logic.setSegment(first)
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True)))
    assert len(places(logic)) == 1


def test_a_click_on_the_next_segment_waits_for_that_on_the_last(logic, events, volume):
    first = logic.segmentId
    events.next = lambda: (logic.nextSegment(), click(logic, B))
    click(logic, C)
    assert logic.segmentId != first
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (B, True)))
    np.testing.assert_array_equal(mask_of(logic, first), fresh(volume, (A, True), (C, True)))
    assert len(places(logic)) == 1


def test_a_click_that_fails_does_not_take_that_on_the_next_segment_along(
    logic, events, volume, monkeypatch
):
    def predict(network, *given):
        if logic.segmentId == first:
            time.sleep(0.2)
            return 1 // 0
        return BallNetwork.predict(network, *given)

    first = logic.segmentId
    monkeypatch.setattr(SlowNetwork, "predict", predict)
    events.next = lambda: (logic.nextSegment(), click(logic, B))
    with pytest.raises(ZeroDivisionError):
        click(logic, C)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (B, True)))
    np.testing.assert_array_equal(mask_of(logic, first), fresh(volume, (A, True)))


def test_a_cancel_after_going_on_leaves_both_segments_as_they_were(logic, events, volume):
    first, there = logic.segmentId, logic.pointsNode()
    events.next = lambda: (logic.nextSegment(), click(logic, B), logic.cancel())
    click(logic, C)
    assert logic.status.message == wording.cancelled()
    assert not mask_of(logic).any()
    assert places(logic) == ()
    np.testing.assert_array_equal(mask_of(logic, first), fresh(volume, (A, True)))
    assert there.GetNumberOfControlPoints() == 1


def test_undo_after_going_on_takes_back_what_waits_for_this_segment_alone(logic, events, volume):
    first = logic.segmentId
    events.next = lambda: (logic.nextSegment(), click(logic, B), logic.undo())
    click(logic, C)
    assert not mask_of(logic).any()
    assert places(logic) == ()
    np.testing.assert_array_equal(mask_of(logic, first), fresh(volume, (A, True), (C, True)))


@pytest.mark.parametrize("what", ["segment", "points", "segmentation", "volume", "scene"])
def test_what_was_left_may_go_away_before_it_is_complete(logic, events, volume, scene, what):
    segment, node, there = logic.segmentId, logic.segmentationNode, logic.pointsNode()
    gone = {
        "segment": lambda: node.GetSegmentation().RemoveSegment(segment),
        "points": lambda: scene.RemoveNode(there),
        "segmentation": lambda: segments.removeSegmentation(node),
        "volume": lambda: scene.RemoveNode(volume),
        "scene": lambda: scene.Clear(False),
    }[what]
    events.next = lambda: (logic.setSegmentation(None), gone())
    click(logic, B)
    assert logic.segmentationNode is None
    if what not in ("volume", "scene"):
        click(logic, C)
        np.testing.assert_array_equal(mask_of(logic), fresh(volume, (C, True)))
    else:
        assert logic.status.message in (Lost.VOLUME.text, Lost.SCENE.text)


def test_refining_in_the_middle_of_a_click_keeps_the_click(logic, events, volume):
    events.next = logic.refine
    with pytest.raises(UserError, match="nothing to refine"):
        click(logic, C)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (C, True)))
    assert len(places(logic)) == 2


def test_an_option_in_the_middle_of_a_click_counts_for_it_and_keeps_it(logic, events):
    events.next = lambda: logic.setOptions(Options(smoothVoxels=2.0))
    click(logic, C)
    smooth = mask_of(logic)
    assert len(places(logic)) == 2
    logic.setOptions(Options())
    assert (mask_of(logic) != smooth).any()
    assert mask_of(logic)[C]


def test_an_image_of_another_size_in_the_middle_of_a_click_is_the_one_that_is_clicked(
    logic, events, volume
):
    other = np.zeros((10, 12, 14), np.int16)
    events.next = lambda: slicer.util.updateVolumeFromArray(volume, other)
    click(logic, (4, 4, 4))
    assert mask_of(logic).shape == other.shape
    assert mask_of(logic)[4, 4, 4]
    assert len(places(logic)) == 1  # that at A is beyond it


class TestQuestions:
    def test_a_click_meanwhile_is_predicted_and_the_answer_dropped(self, logic, events, volume):
        events.next = lambda: click(logic, C)
        assert logic.showUncertainty() is None
        np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (C, True)))
        assert lib.overlayOf(volume) is None
        assert logic.status.message != wording.cancelled()

    def test_undo_meanwhile_takes_the_last_click_back(self, logic, events):
        events.next = logic.undo
        assert logic.showUncertainty() is None
        assert not mask_of(logic).any()
        assert places(logic) == ()

    def test_an_option_meanwhile_counts(self, logic, events):
        before = mask_of(logic)
        events.next = lambda: logic.setOptions(Options(smoothVoxels=2.0))
        assert logic.showUncertainty() is None
        assert (mask_of(logic) != before).any()

    def test_another_segment_meanwhile_is_none_that_it_is_shown_for(self, logic, events, volume):
        events.next = logic.nextSegment
        assert logic.showUncertainty() is None
        assert lib.overlayOf(volume) is None

    def test_a_cancel_is_told(self, logic, events, volume):
        before = mask_of(logic)
        events.next = logic.cancel
        assert logic.showUncertainty() is None
        assert logic.status.message == wording.cancelled()
        np.testing.assert_array_equal(mask_of(logic), before)

    def test_nothing_is_asked_while_a_click_is_predicted(self, logic, events):
        refused = []

        def ask():
            with pytest.raises(UserError, match="wait for it, or cancel it"):
                logic.showUncertainty()
            refused.append(True)

        events.next = ask
        click(logic, C)
        assert refused
        assert mask_of(logic)[C]
