import numpy as np
import pytest

from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.errors import UserError
from harness.clicking import A, B, C, click, fresh, logic, mask_of, network, places, volume
from harness.mrml import make_volume, scene

__all__ = ["logic", "make_volume", "network", "scene", "volume"]


def test_a_click_marks_what_is_round_it(logic):
    click(logic, A)
    mask = mask_of(logic)
    assert mask[A]
    assert mask.any()
    assert not mask[0].any()


def test_a_click_that_excludes_takes_away(logic):
    click(logic, A)
    before = mask_of(logic)
    click(logic, B, positive=False)
    after = mask_of(logic)
    assert (before & ~after).any()
    assert not (after & ~before).any()


def test_a_second_click_encodes_no_second_time(logic, network):
    click(logic, A)
    encoded = network.encoded
    click(logic, B)
    assert network.encoded == encoded
    assert logic.status.encodeMs == 0


def test_a_first_click_that_excludes_says_what_to_do(logic):
    click(logic, A, positive=False)
    assert "include" in logic.status.message
    assert not mask_of(logic).any()


def test_a_point_that_is_moved_counts_where_it_is_now(logic, volume):
    click(logic, A)
    moved = click(logic, C)
    click(logic, B, positive=False)
    logic.moveClick(moved, lib.centreOf(volume, (14, 22, 16)))
    expected = fresh(volume, (A, True), ((14, 22, 16), True), (B, False))
    np.testing.assert_array_equal(mask_of(logic), expected)


def test_a_point_that_is_deleted_no_longer_counts(logic, volume):
    click(logic, A)
    deleted = click(logic, C)
    click(logic, B, positive=False)
    logic.removeClick(deleted)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (B, False)))


def test_points_that_were_changed_in_the_views_are_followed(logic, volume):
    node = logic.pointsNode()
    node.AddControlPointWorld(lib.centreOf(volume, A))
    logic.setSign(0)
    logic.update()
    logic.nextIsPositive = False
    node.AddControlPointWorld(lib.centreOf(volume, B))
    logic.setSign(1)
    logic.update()
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (B, False)))
    node.RemoveAllControlPoints()
    logic.update()
    assert not mask_of(logic).any()


def test_labels_and_undefined_points_change_nothing(logic, volume, network):
    click(logic, A)
    before, decoded = mask_of(logic), network.decoded
    node = logic.pointsNode()
    node.SetNthControlPointLabel(0, "tumour")
    node.UnsetNthControlPointPosition(node.AddControlPointWorld(lib.centreOf(volume, B)))
    logic.update()
    np.testing.assert_array_equal(mask_of(logic), before)
    assert network.decoded == decoded


def test_undo_and_redo_go_over_clicks_moves_and_deletions(logic, volume):
    first = click(logic, A)
    click(logic, C)
    states = [(mask_of(logic), places(logic))]
    logic.moveClick(first, lib.centreOf(volume, (10, 14, 22)))
    states.append((mask_of(logic), places(logic)))
    logic.removeClick(logic.pointsNode().GetNthControlPointID(1))
    states.append((mask_of(logic), places(logic)))
    for step, order in ((logic.undo, states[-2::-1]), (logic.redo, states[1:])):
        for mask, there in order:
            step()
            np.testing.assert_array_equal(mask_of(logic), mask)
            assert places(logic) == there


def test_redo_asks_the_network_nothing(logic, network):
    click(logic, A)
    click(logic, B, positive=False)
    logic.undo()
    logic.undo()
    decoded = network.decoded
    logic.redo()
    logic.redo()
    assert network.decoded == decoded


def test_undo_with_nothing_to_undo_changes_nothing(logic):
    logic.undo()
    logic.redo()
    click(logic, A)
    for _ in range(3):
        logic.undo()
    assert not mask_of(logic).any()
    assert places(logic) == ()


def test_reset_can_be_undone(logic):
    click(logic, A)
    before = mask_of(logic)
    logic.reset()
    assert not mask_of(logic).any()
    assert places(logic) == ()
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), before)


def test_the_next_segment_is_empty_has_the_sign_plus_and_leaves_the_last_alone(logic):
    click(logic, A)
    first, before = logic.segmentId, mask_of(logic)
    logic.nextIsPositive = False
    logic.nextSegment("spleen")
    assert logic.nextIsPositive
    assert not mask_of(logic).any()
    click(logic, A)
    click(logic, B, positive=False)
    np.testing.assert_array_equal(mask_of(logic, first), before)


def test_an_unused_segment_is_the_next_one(logic):
    click(logic, A)
    empty = logic.nextSegment()
    assert logic.nextSegment("kidney") == empty
    segmentation = logic.segmentationNode.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 2
    assert segmentation.GetSegment(empty).GetName() == "kidney"


def test_a_segment_that_one_comes_back_to_has_its_points_its_mask_and_its_history(logic, volume):
    click(logic, A)
    click(logic, B, positive=False)
    first, before, there = logic.segmentId, mask_of(logic), places(logic)
    logic.nextSegment()
    click(logic, C)
    logic.setSegment(first)
    assert places(logic) == there
    np.testing.assert_array_equal(mask_of(logic), before)
    click(logic, C)
    expected = fresh(volume, (A, True), (B, False), (C, True))
    np.testing.assert_array_equal(mask_of(logic), expected)
    logic.undo()
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True)))


def test_only_the_points_of_the_segment_in_use_are_shown(logic):
    click(logic, A)
    first = logic.pointsNode()
    logic.nextSegment()
    click(logic, C)
    assert not first.GetDisplayNode().GetVisibility()
    assert logic.pointsNode().GetDisplayNode().GetVisibility()


def test_a_click_outside_the_volume_is_refused_and_leaves_no_point(logic, volume):
    click(logic, A)
    before = mask_of(logic)
    with pytest.raises(UserError, match="outside the volume"):
        logic.addClick((900, 900, 900))
    assert len(places(logic)) == 1
    moved = logic.pointsNode().GetNthControlPointID(0)
    with pytest.raises(UserError, match="outside the volume"):
        logic.moveClick(moved, (900, 900, 900))
    assert len(places(logic)) == 1
    np.testing.assert_allclose(
        lib.worldOf(volume, places(logic)[0].ras), lib.centreOf(volume, A), atol=1e-6
    )
    np.testing.assert_array_equal(mask_of(logic), before)
