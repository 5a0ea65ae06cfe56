import numpy as np
import pytest
import slicer

from FastSAM3DSlicerLib import home, points, segments
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.parameters import Parameters
from harness.clicking import A, B, C, Events, SlowNetwork, click, fresh, mask_of, new_logic
from harness.mrml import linear_transform, make_volume, reload_from_mrb, scene, warping_transform

__all__ = ["make_volume", "scene"]


def logic_on(volume, node=None, segment=""):
    """Return a logic on a segment."""
    logic = new_logic()
    logic.setVolume(volume)
    logic.setSegmentation(node)
    logic.setSegment(segment)
    return logic


def reloaded(scene, folder):
    """Return the volume and the segmentation, saved, closed and loaded again."""
    reload_from_mrb(scene, folder / "work.mrb")
    volume = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[0]
    return volume, slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[0]


@pytest.mark.parametrize("transform", [None, linear_transform, warping_transform])
def test_segments_come_back_from_a_file_with_their_points(scene, make_volume, tmp_path, transform):
    volume = make_volume()
    if transform is not None:
        volume.SetAndObserveTransformNodeID(transform(scene).GetID())
    logic = logic_on(volume)
    click(logic, A)
    click(logic, B, positive=False)
    first, masks = logic.segmentId, [mask_of(logic)]
    logic.nextSegment("other")
    click(logic, C)
    second = logic.segmentId
    masks.append(mask_of(logic))
    logic.close()

    volume, node = reloaded(scene, tmp_path)
    logic = logic_on(volume, node, first)
    np.testing.assert_array_equal(mask_of(logic), masks[0])
    there = points.read(logic.pointsNode(), volume)
    assert [point.positive for point in there] == [True, False]
    np.testing.assert_allclose(
        lib.worldOf(volume, there[1].ras), lib.centreOf(volume, B), atol=0.01
    )
    click(logic, C)
    assert mask_of(logic)[C]
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), masks[0])
    logic.removeClick(logic.pointsNode().GetNthControlPointID(1))
    assert mask_of(logic)[A]
    np.testing.assert_array_equal(mask_of(logic, second), masks[1])
    logic.close()


def test_painting_survives_a_file_and_the_next_click(scene, make_volume, tmp_path):
    logic = logic_on(make_volume())
    click(logic, A)
    segment, mask = logic.segmentId, mask_of(logic)
    mask[0:3, 0:3, 0:3] = True
    segments.writeMask(
        logic.segmentationNode, segment, logic.volumeNode, np.s_[0:3, 0:3, 0:3], mask[0:3, 0:3, 0:3]
    )
    logic.close()
    logic = logic_on(*reloaded(scene, tmp_path), segment)
    click(logic, C)
    assert mask_of(logic)[C]
    assert mask_of(logic)[mask].all()
    logic.close()


def test_what_the_panel_remembers_is_saved(scene, make_volume, tmp_path):
    remembered = Parameters()
    assert (remembered.keepClicked, remembered.smoothVoxels) == (True, 0.0)
    assert remembered.volume is None
    remembered.volume = make_volume()
    remembered.segmentation = segments.newSegmentation(remembered.volume)
    remembered.segmentId = segments.newSegment(remembered.segmentation)
    remembered.keepClicked, remembered.smoothVoxels, remembered.preset = False, 1.5, "sam-med3d"
    segment = remembered.segmentId
    volume, node = reloaded(scene, tmp_path)
    again = Parameters()
    assert again.volume is volume
    assert again.segmentation is node
    assert again.segmentId == segment
    assert (again.keepClicked, again.smoothVoxels, again.preset) == (False, 1.5, "sam-med3d")
    again.volume = None
    assert again.volume is None


def test_a_parameter_of_another_version_is_as_if_it_was_not_set(scene):
    remembered = Parameters()
    remembered.node.SetParameter("smoothVoxels", "a little")
    remembered.node.SetParameter("keepClicked", "0")
    assert remembered.smoothVoxels == 0.0
    assert remembered.keepClicked is True
    remembered.smoothVoxels = 2.0
    assert Parameters().smoothVoxels == 2.0


@pytest.mark.parametrize("clicks", [(C,), (B, C)])
def test_a_click_that_was_under_way_when_the_scene_was_saved_is_obeyed_with_the_next(
    scene, make_volume, tmp_path, clicks
):
    saved = []
    volume, events = make_volume(), Events()
    logic = new_logic(SlowNetwork(), events)
    logic.setVolume(volume)
    for voxel in clicks[:-1]:
        click(logic, voxel)
    events.next = lambda: saved.extend(reloaded(scene, tmp_path))
    click(logic, clicks[-1])
    logic.close()

    volume, node = saved
    logic = logic_on(volume, node, node.GetSegmentation().GetNthSegmentID(0))
    assert not mask_of(logic)[C]
    assert points.nodeOf(node, logic.segmentId).GetNumberOfControlPoints() == len(clicks)
    click(logic, A)
    wanted = fresh(volume, *((voxel, True) for voxel in (*clicks, A)))
    np.testing.assert_array_equal(mask_of(logic), wanted)
    logic.undo()
    assert len(points.read(logic.pointsNode(), volume)) == len(clicks) - 1
    logic.close()


def test_points_that_were_saved_without_a_word_on_the_mask_count_as_obeyed(scene, make_volume):
    volume = make_volume()
    logic = logic_on(volume)
    click(logic, A)
    click(logic, B)
    node, segment = logic.segmentationNode, logic.segmentId
    logic.close()
    clicks = points.nodeOf(node, segment)
    for attribute in (points.OBEYED, home.GRID):
        clicks.RemoveAttribute(attribute)
    clicks.SetNodeReferenceID(home.VOLUME, None)
    logic = logic_on(volume, node, segment)
    click(logic, C)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True), (B, True), (C, True)))
    logic.undo()
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (A, True)))
    logic.close()
