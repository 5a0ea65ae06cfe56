"""Undo, redo and reset where masking was asked for, before or after the clicks."""

import numpy as np
import pytest
import slicer

from FastSAM3DSlicerLib import masking, segments
from FastSAM3DSlicerLib.errors import UserError
from harness import clicking, mrml
from harness.clicking import A, B, C, click, fresh, mask_of, paint, places

EDITOR = slicer.vtkMRMLSegmentEditorNode
NODE = slicer.vtkMRMLSegmentationNode
NOWHERE = (5000, 6000)

network, logic, volume = clicking.network, clicking.logic, clicking.volume
make_volume, scene = mrml.make_volume, mrml.scene


@pytest.fixture
def editor(logic, volume):
    """The module's own editor node, after a click at A and one at B."""
    click(logic, A)
    click(logic, B)
    return masking.editorNode(logic.segmentationNode, volume)


def forbid(editor, *, is_on=True):
    editor.SetSourceVolumeIntensityMask(is_on)
    editor.SetSourceVolumeIntensityMaskRange(*NOWHERE)


def lower_half_alone(logic, editor):
    """Let writes go into a segment of the lower half of the volume alone."""
    area = segments.newSegment(logic.segmentationNode, "half")
    lower = np.zeros((24, 32, 40), bool)
    lower[:12] = True
    segments.writeMask(
        logic.segmentationNode, area, logic.volumeNode, np.s_[0:24, 0:32, 0:40], lower
    )
    editor.SetMaskMode(NODE.EditAllowedInsideSingleSegment)
    editor.SetMaskSegmentID(area)
    return lower


def test_masking_that_was_asked_for_after_the_clicks_holds_no_undo_and_no_redo_back(
    logic, volume, editor
):
    both = mask_of(logic)
    forbid(editor)
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True)))
    logic.undo()
    assert not mask_of(logic).any()
    assert not places(logic)
    logic.redo()
    logic.redo()
    np.testing.assert_array_equal(mask_of(logic), both)


def test_masking_that_was_asked_for_after_the_clicks_holds_no_reset_back(logic, editor):
    both = mask_of(logic)
    forbid(editor)
    logic.reset()
    assert not mask_of(logic).any()
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), both)


def test_what_masking_held_back_does_not_come_with_undo_or_redo_once_it_is_off(logic, editor):
    lower = lower_half_alone(logic, editor)
    before = mask_of(logic)
    click(logic, C)
    masked = mask_of(logic)
    assert not (masked & ~before & ~lower).any()
    click(logic, (12, 24, 10))
    forbid(editor)
    editor.SetMaskMode(NODE.EditAllowedEverywhere)
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), masked)
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), before)
    logic.redo()
    np.testing.assert_array_equal(mask_of(logic), masked)


def test_painting_on_what_masking_held_back_is_undone_and_redone(logic, editor):
    lower_half_alone(logic, editor)
    click(logic, C)
    masked = mask_of(logic)
    box = np.s_[11:15, 9:12, 11:14]
    paint(logic, box)
    painted = mask_of(logic)
    assert (painted & ~masked).any()
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), masked)
    logic.redo()
    np.testing.assert_array_equal(mask_of(logic), painted)


def test_a_segment_that_was_masked_and_is_come_back_to_has_no_step_more(logic, volume, editor):
    both, first = mask_of(logic), logic.segmentId
    lower_half_alone(logic, editor)
    click(logic, C)
    masked = mask_of(logic)
    logic.nextSegment()
    logic.setSegment(first)
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), both)
    logic.redo()
    np.testing.assert_array_equal(mask_of(logic), masked)


def test_a_click_where_another_was_taken_back_obeys_the_masking_of_now(logic, volume, editor):
    forbid(editor)
    click(logic, C)
    logic.undo()
    forbid(editor, is_on=False)
    click(logic, C)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (B, True), (C, True)))


def test_what_was_taken_from_others_is_given_back_after_coming_back(logic, editor):
    first, before = logic.segmentId, mask_of(logic)
    editor.SetOverwriteMode(EDITOR.OverwriteAllSegments)
    logic.nextSegment()
    second = logic.segmentId
    click(logic, B)
    taken = before & mask_of(logic)
    assert taken.any()
    np.testing.assert_array_equal(mask_of(logic, first), before & ~taken)
    logic.setSegment(first)
    click(logic, C)
    logic.undo()
    logic.setSegment(second)
    editor.SetOverwriteMode(EDITOR.OverwriteNone)
    logic.undo()
    assert not mask_of(logic).any()
    np.testing.assert_array_equal(mask_of(logic, first), before)
    logic.redo()
    np.testing.assert_array_equal(mask_of(logic, first), before & ~taken)


def test_undo_where_one_that_gave_way_was_removed_changes_no_other(logic, editor):
    first = logic.segmentId
    editor.SetOverwriteMode(EDITOR.OverwriteAllSegments)
    logic.nextSegment()
    click(logic, B)
    logic.segmentationNode.GetSegmentation().RemoveSegment(first)
    logic.undo()
    assert not mask_of(logic).any()
    logic.redo()
    assert mask_of(logic)[B]


@pytest.mark.parametrize(
    ("area", "is_ranged", "said"),
    [
        (False, True, "intensity range 5000 to 6000"),
        (True, False, "editable area"),
        (True, True, "editable area, or outside the intensity range 5000 to 6000"),
    ],
)
def test_a_click_that_masking_holds_back_altogether_says_so(logic, editor, area, is_ranged, said):
    before = mask_of(logic)
    if area:
        lower_half_alone(logic, editor)
    forbid(editor, is_on=is_ranged)
    click(logic, (20, 26, 34))
    np.testing.assert_array_equal(mask_of(logic), before)
    assert logic.status.message.startswith("Nothing was changed")
    assert said in logic.status.message
    logic.undo()
    assert "Nothing was changed" not in logic.status.message


def test_an_editable_area_that_was_removed_refuses_clicks_and_not_undo(logic, editor):
    before = mask_of(logic)
    area = segments.newSegment(logic.segmentationNode)
    editor.SetMaskMode(NODE.EditAllowedInsideSingleSegment)
    editor.SetMaskSegmentID(area)
    logic.segmentationNode.GetSegmentation().RemoveSegment(area)
    with pytest.raises(UserError, match="a segment that is not there any more"):
        click(logic, C)
    np.testing.assert_array_equal(mask_of(logic), before)
    assert len(places(logic)) == 2
    logic.undo()
    assert len(places(logic)) == 1
    editor.SetMaskMode(NODE.EditAllowedEverywhere)
    click(logic, B)
    np.testing.assert_array_equal(mask_of(logic), before)


def test_a_click_that_was_refused_is_complete_once_it_is_allowed(logic, volume, editor):
    editor.SetMaskMode(NODE.EditAllowedInsideSingleSegment)
    editor.SetMaskSegmentID("gone")
    with pytest.raises(UserError, match="a segment that is not there any more"):
        click(logic, C)
    editor.SetMaskMode(NODE.EditAllowedEverywhere)
    click(logic, C)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (B, True), (C, True)))


def test_reset_goes_back_to_what_masking_left_of_a_copy(logic, editor):
    source = logic.segmentId
    logic.nextSegment()
    lower = lower_half_alone(logic, editor)
    logic.startFrom(logic.segmentationNode, source)
    begun = mask_of(logic)
    np.testing.assert_array_equal(begun, mask_of(logic, source) & lower)
    editor.SetMaskMode(NODE.EditAllowedEverywhere)
    click(logic, C)
    logic.reset()
    np.testing.assert_array_equal(mask_of(logic), begun)
