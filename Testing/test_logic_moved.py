"""Clicks keep their places when their volume is moved, and when another one is segmented."""

import numpy as np
import pytest

from FastSAM3DSlicerLib import points
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.errors import UserError
from harness import clicking, mrml
from harness.clicking import A, B, C, click, fresh, mask_of, new_logic, places
from harness.mrml import AXIAL, VOLUMES, linear_transform, reload_from_mrb, warping_transform

events, logic, volume = clicking.events, clicking.slow_logic, clicking.volume
make_volume, scene = mrml.make_volume, mrml.scene

KINDS = [name for name in VOLUMES if not name.startswith("600")]
BENDS = {"linear": linear_transform, "not linear": warping_transform}


def put_under(transform, *nodes):
    """Put nodes under a transform, or out of any."""
    for node in nodes:
        node.SetAndObserveTransformNodeID(None if transform is None else transform.GetID())


def harden(*nodes):
    for node in nodes:
        node.HardenTransform()


def shifted(scene, *shift_mm):
    """Add a transform that shifts."""
    node, matrix = scene.AddNewNodeByClass("vtkMRMLTransformNode"), np.eye(4)
    matrix[:3, 3] = shift_mm
    node.SetMatrixTransformToParent(lib.matrixOfArray(matrix))
    return node


def world_of(logic):
    """Return where the points of the segment in use are in the world, mm."""
    node = points.nodeOf(logic.segmentationNode, logic.segmentId)
    count = node.GetNumberOfControlPoints()
    return [node.GetNthControlPointPositionWorld(n) for n in range(count)]


def thirds(volume):
    """Return two voxels of any volume."""
    shape = lib.gridOf(volume).shapeKji
    return tuple(n // 3 for n in shape), tuple(2 * n // 3 for n in shape)


@pytest.mark.parametrize("bend", BENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_transform_set_after_the_clicks_takes_them_along_and_so_does_taking_it_away(
    kind, bend, make_volume, scene
):
    volume, logic = make_volume(*VOLUMES[kind]), new_logic()
    first, second = thirds(volume)
    logic.setVolume(volume)
    click(logic, first)
    before, transform = mask_of(logic), BENDS[bend](scene)
    put_under(transform, volume, logic.segmentationNode)
    np.testing.assert_allclose(world_of(logic), [lib.centreOf(volume, first)], atol=0.01)
    click(logic, second)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (first, True), (second, True)))
    put_under(None, volume, logic.segmentationNode)
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), before)
    np.testing.assert_allclose(world_of(logic), [lib.centreOf(volume, first)], atol=0.01)
    logic.close()


def edit(transform, volume, segmentation, scene):
    transform.SetMatrixTransformToParent(lib.matrixOfArray(np.diag([1.0, 1, 2, 1])))


def delete(transform, volume, segmentation, scene):
    scene.RemoveNode(transform)


def harden_both(transform, volume, segmentation, scene):
    harden(volume, segmentation)
    edit(transform, volume, segmentation, scene)


@pytest.mark.parametrize("change", [edit, delete, harden_both])
def test_a_shared_transform_that_is_edited_deleted_or_hardened_leaves_clicks_on_their_voxels(
    change, volume, scene
):
    transform, logic = shifted(scene, 5, 3, 0), new_logic()
    put_under(transform, volume)
    logic.setVolume(volume)
    click(logic, A)
    click(logic, B)
    change(transform, volume, logic.segmentationNode, scene)
    there = [lib.centreOf(volume, voxel) for voxel in (A, B)]
    np.testing.assert_allclose(world_of(logic), there, atol=1e-3)
    click(logic, C)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (B, True), (C, True)))
    logic.undo()
    logic.undo()
    np.testing.assert_allclose(world_of(logic), there[:1], atol=1e-3)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True)))
    logic.close()


def test_a_warp_that_is_hardened_leaves_clicks_where_they_are_in_the_world(volume, scene):
    logic = new_logic()
    put_under(warping_transform(scene), volume)
    logic.setVolume(volume)
    click(logic, A)
    there = world_of(logic)
    harden(volume, logic.segmentationNode)
    with pytest.raises(UserError, match="on another grid"):
        click(logic, B)
    np.testing.assert_allclose(world_of(logic), there, atol=1e-3)
    logic.close()


def test_a_new_origin_is_not_taken_for_a_hardened_transform(logic, volume, scene):
    volume.SetOrigin(40, 50, 60)
    there = points.nodeOf(logic.segmentationNode, logic.segmentId).GetNthControlPointPosition(0)
    put_under(shifted(scene, 5, 0, 0), volume)
    np.testing.assert_allclose(world_of(logic), [np.add(there, (5, 0, 0))])


@pytest.mark.parametrize("how", ["put under", "hardened", "hardened alone"])
def test_a_transform_in_the_middle_of_a_click_is_heeded_by_it(how, logic, events, volume, scene):
    both, transform = (volume, logic.segmentationNode), shifted(scene, 5, 3, 0)
    if how == "put under":
        events.next = lambda: put_under(transform, *both)
    else:
        put_under(transform, *both)
        events.next = lambda: harden(*both[: 1 if how == "hardened alone" else 2])
    logic.addClick(lib.centreOf(volume, C))
    mask = mask_of(logic)
    there = [lib.centreOf(volume, voxel) for voxel in (A, C)]
    np.testing.assert_allclose(world_of(logic), there, atol=1e-3)
    np.testing.assert_array_equal(mask, fresh(volume, (A, True), (C, True)))


def test_points_of_all_segments_follow_the_volume(logic, volume, scene):
    first = logic.segmentId
    logic.nextSegment()
    click(logic, C)
    put_under(shifted(scene, 5, 0, 0), volume, logic.segmentationNode)
    logic.setSegment(first)
    np.testing.assert_allclose(world_of(logic), [lib.centreOf(volume, A)])
    click(logic, B)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (B, True)))


def test_a_volume_that_was_moved_while_nobody_looked_takes_its_points_along(
    logic, volume, scene, tmp_path
):
    segment, node = logic.segmentId, logic.segmentationNode
    logic.close()
    put_under(shifted(scene, 5, 0, 0), volume, node)
    other = new_logic()
    other.setVolume(volume)
    other.setSegmentation(node)
    other.setSegment(segment)
    np.testing.assert_allclose(world_of(other), [lib.centreOf(volume, A)])
    click(other, B)
    np.testing.assert_array_equal(mask_of(other), fresh(volume, (A, True), (B, True)))
    other.close()
    reload_from_mrb(scene, tmp_path / "work.mrb")
    (loaded,) = points.ofVolume(scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"))
    assert loaded.GetNumberOfControlPoints() == 2


def test_a_volume_that_is_moved_alone_takes_its_points_along_and_the_click_is_refused(
    logic, volume, scene
):
    put_under(linear_transform(scene), volume)
    before = mask_of(logic)
    with pytest.raises(UserError, match="on another grid"):
        click(logic, B)
    np.testing.assert_allclose(world_of(logic), [lib.centreOf(volume, A)], atol=1e-3)
    np.testing.assert_array_equal(mask_of(logic), before)


@pytest.mark.parametrize("bend", BENDS)
@pytest.mark.parametrize("action", ["click", "undo", "redo", "reset"])
def test_what_is_refused_in_another_volume_moves_no_point(
    action, bend, logic, volume, make_volume, scene
):
    click(logic, B)
    before, there = mask_of(logic), world_of(logic)
    pet = make_volume((20, 20, 20), np.diag([2.0, 2, 2, 1]), "pet")
    put_under(BENDS[bend](scene), pet)
    logic.setVolume(pet)
    with pytest.raises(UserError):
        click(logic, (10, 10, 10)) if action == "click" else getattr(logic, action)()
    np.testing.assert_array_equal(world_of(logic), there)
    logic.setVolume(volume)
    click(logic, C)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (B, True), (C, True)))
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), before)


def test_points_stay_in_the_world_when_the_next_volume_lies_under_another_transform(
    logic, volume, make_volume, scene
):
    logic.nextSegment()
    click(logic, C, positive=False)
    place = lib.centreOf(volume, C)
    pet = make_volume((40, 40, 40), AXIAL @ np.diag([2.0, 2, 2, 1]), "pet")
    put_under(shifted(scene, 9, -4, 3), pet)
    logic.setVolume(pet)
    click(logic, (20, 20, 20))
    there = [place, lib.centreOf(pet, (20, 20, 20))]
    np.testing.assert_allclose(world_of(logic), there, atol=1e-3)
    logic.undo()
    np.testing.assert_allclose(world_of(logic), [place], atol=1e-3)
    assert not mask_of(logic).any()
    logic.undo()
    logic.redo()
    np.testing.assert_allclose(world_of(logic), [place], atol=1e-3)


def test_two_volumes_on_the_same_voxels_share_clicks_and_history(logic, volume, make_volume, scene):
    matrix = AXIAL.copy()
    matrix[:3, 3] -= (4, 0, 0)
    same = make_volume(ijk_to_ras=matrix, name="the same place")
    put_under(shifted(scene, 4, 0, 0), same)
    before, there = mask_of(logic), [lib.centreOf(volume, voxel) for voxel in (A, C)]
    logic.setVolume(same)
    click(logic, C)
    np.testing.assert_allclose(world_of(logic), there, atol=1e-3)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (C, True)))
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), before)
    logic.setVolume(volume)
    logic.redo()
    np.testing.assert_allclose(world_of(logic), there, atol=1e-3)
    assert [lib.voxelAt(volume, lib.worldOf(volume, each.ras)) for each in places(logic)] == [A, C]
    logic.undo()
    logic.undo()
    assert not mask_of(logic).any()


def test_painting_that_is_taken_back_is_no_hindrance_in_a_volume_of_another_shape(
    logic, volume, make_volume, scene
):
    clicking.paint(logic, np.s_[0:3, 0:3, 0:3])
    click(logic, B)
    logic.reset()
    pet = make_volume((30, 30, 30), AXIAL @ np.diag([2.0, 2, 2, 1]), "pet")
    put_under(shifted(scene, 9, 0, 0), pet)
    logic.setVolume(pet)
    click(logic, (15, 15, 15))
    mask = mask_of(logic)
    np.testing.assert_array_equal(mask, fresh(pet, ((15, 15, 15), True)))
    logic.undo()
    logic.redo()
    np.testing.assert_array_equal(mask_of(logic), mask)
    logic.undo()
    logic.undo()
    assert not mask_of(logic)[0:3, 0:3, 0:3].any()
