"""What belongs to a segment leaves the scene with it, whether or not it is in use."""

import numpy as np
import pytest
import slicer

from FastSAM3DSlicerLib import masking, points, segments
from harness import clicking, mrml
from harness.clicking import A, B, C, click, fresh, mask_of, new_logic, places
from harness.mrml import reload_from_mrb

events, logic, volume = clicking.events, clicking.slow_logic, clicking.volume
make_volume, scene = mrml.make_volume, mrml.scene


def all_of(kind):
    return slicer.util.getNodesByClass(kind)


def test_a_segmentation_that_is_not_in_use_takes_its_points_and_its_editor_along(logic, scene):
    first = logic.segmentationNode
    logic.setSegmentation(None)
    click(logic, B)
    assert len(all_of("vtkMRMLSegmentEditorNode")) == 2
    segments.removeSegmentation(first)
    kept = points.nodeOf(logic.segmentationNode, logic.segmentId)
    assert all_of("vtkMRMLMarkupsFiducialNode") == [kept]
    assert [each.GetSegmentationNode() for each in all_of("vtkMRMLSegmentEditorNode")] == [
        logic.segmentationNode
    ]
    click(logic, C)
    assert mask_of(logic)[C]


def test_a_segment_of_a_segmentation_that_is_not_in_use_takes_its_points_along(logic, volume):
    node, segment = logic.segmentationNode, logic.segmentId
    logic.setSegmentation(None)
    click(logic, B)
    node.GetSegmentation().RemoveSegment(segment)
    assert points.nodeOf(node, segment) is None
    assert len(all_of("vtkMRMLMarkupsFiducialNode")) == 1


@pytest.mark.parametrize("is_in_use", [True, False])
def test_a_segment_of_the_same_id_begins_without_the_history_of_the_one_before(
    logic, volume, is_in_use
):
    node, segment = logic.segmentationNode, logic.segmentId
    if not is_in_use:
        logic.nextSegment()
    node.GetSegmentation().RemoveSegment(segment)
    node.GetSegmentation().AddEmptySegment(segment)
    logic.setSegment(segment)
    assert places(logic) == ()
    click(logic, C)
    np.testing.assert_array_equal(mask_of(logic), fresh(volume, (C, True)))
    logic.undo()
    assert not mask_of(logic).any()


def test_segmentations_that_were_loaded_are_watched_too(logic, volume, scene, tmp_path):
    reload_from_mrb(scene, tmp_path / "work.mrb")
    (node,) = all_of("vtkMRMLSegmentationNode")
    node.GetSegmentation().RemoveSegment(node.GetSegmentation().GetNthSegmentID(0))
    assert all_of("vtkMRMLMarkupsFiducialNode") == []


def test_closing_the_scene_takes_all_of_them_at_once(logic, scene):
    logic.setSegmentation(None)
    click(logic, A)
    scene.Clear(False)
    for kind in ("vtkMRMLMarkupsFiducialNode", "vtkMRMLSegmentEditorNode"):
        assert all_of(kind) == []


def test_two_logics_may_watch_the_same_scene(logic, volume):
    other = new_logic()
    other.setVolume(volume)
    click(other, B)
    node = other.segmentationNode
    assert masking.editorNode(node, volume) is not None
    logic.setSegmentation(None)
    slicer.mrmlScene.RemoveNode(node)
    assert other.segmentationNode is None
    assert len(all_of("vtkMRMLMarkupsFiducialNode")) == 1
    other.close()
