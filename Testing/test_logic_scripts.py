import sys

import numpy as np
import pytest

from FastSAM3DSlicerLib import install, segments
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from FastSAM3DSlicerLib.prediction import Options
from FastSAM3DSlicerLib.status import first, following
from harness.clicking import (
    A,
    C,
    Events,
    SlowNetwork,
    click,
    logic,
    mask_of,
    network,
    new_logic,
    volume,
)
from harness.mrml import linear_transform, make_volume, scene, warping_transform

__all__ = ["logic", "make_volume", "network", "scene", "volume"]


@pytest.mark.parametrize("transform", [None, linear_transform, warping_transform])
def test_a_script_segments_in_one_call(volume, scene, transform):
    if transform is not None:
        volume.SetAndObserveTransformNodeID(transform(scene).GetID())
    logic = new_logic()
    node, segment = logic.segment(
        volume, [lib.centreOf(volume, A), lib.centreOf(volume, C)], [1, 0]
    )
    mask = segments.readMask(node, segment, volume)
    assert mask[A]
    assert not mask[C]
    again, other = logic.segment(volume, [lib.centreOf(volume, C)], [1], node)
    assert again is node
    assert other != segment
    np.testing.assert_array_equal(segments.readMask(node, segment, volume), mask)
    logic.close()


def test_a_script_s_point_outside_leaves_nothing_behind(volume, scene):
    logic = new_logic()
    node, _ = logic.segment(volume, [lib.centreOf(volume, A)], [1])
    count = scene.GetNumberOfNodes()
    for there in (node, None):
        with pytest.raises(UserError, match="outside the volume"):
            logic.segment(volume, [lib.centreOf(volume, C), (900, 900, 900)], [1, 1], there)
    assert scene.GetNumberOfNodes() == count
    assert node.GetSegmentation().GetNumberOfSegments() == 1
    logic.close()


BOTH = [(1.0, 2.0, 3.0), (2.0, 3.0, 4.0)]


@pytest.mark.parametrize(
    ("places", "labels", "said"),
    [
        (BOTH, [1, 2], "expected 1 to include and 0 to exclude"),
        (BOTH, ["1", "0"], "expected 1 to include and 0 to exclude"),
        (BOTH, [1, float("nan")], "expected 1 to include and 0 to exclude"),
        ([], [], "There are no points"),
        (BOTH, [1], "2 points and 1 labels"),
        (BOTH, [0, False], "All points exclude"),
        ([(1.0, 2.0)], [1], "three finite numbers"),
        ([(1.0, 2.0, float("nan"))], [1], "three finite numbers"),
        ([(1.0, 2.0, 3.0), (1.0, 2.0)], [1, 1], "three finite numbers"),
    ],
)
def test_a_script_s_clicks_of_another_form_are_refused_and_leave_nothing(
    volume, scene, places, labels, said
):
    logic = new_logic()
    count = scene.GetNumberOfNodes()
    with pytest.raises(UserError, match=said):
        logic.segment(volume, places, labels)
    assert scene.GetNumberOfNodes() == count
    logic.close()


def test_a_script_s_clicks_may_be_arrays(volume):
    logic = new_logic()
    places = np.array([lib.centreOf(volume, A), lib.centreOf(volume, C)])
    node, segment = logic.segment(volume, places, np.array([True, False]))
    assert segments.readMask(node, segment, volume)[A]
    logic.close()


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("what", ["cancel", "other segment and cancel", "segment removed"])
def test_a_script_s_segment_that_was_cancelled_is_an_error_and_leaves_nothing(
    volume, scene, is_new, what
):
    events = Events()
    logic = new_logic(SlowNetwork(), events)
    node, first_id = logic.segment(volume, [lib.centreOf(volume, A)], [1])
    count = scene.GetNumberOfNodes()

    def happen():
        if what == "segment removed":
            logic.segmentationNode.GetSegmentation().RemoveSegment(logic.segmentId)
            return
        if what != "cancel":
            logic.setSegmentation(node)
            logic.setSegment(first_id)
        logic.cancel()

    events.next = happen
    with pytest.raises(UserError, match="cancelled before it was complete"):
        logic.segment(volume, [lib.centreOf(volume, C)], [1], None if is_new else node)
    assert scene.GetNumberOfNodes() == count
    assert list(node.GetSegmentation().GetSegmentIDs()) == [first_id]
    assert segments.readMask(node, first_id, volume).any()
    logic.close()


def test_a_script_within_a_prediction_is_told_to_wait(volume, scene):
    events, said = Events(), []
    logic = new_logic(SlowNetwork(), events)

    def happen():
        with pytest.raises(UserError, match="Something else is under way"):
            logic.segment(volume, [lib.centreOf(volume, C)], [1])
        said.append(True)

    events.next = happen
    node, segment = logic.segment(volume, [lib.centreOf(volume, A)], [1])
    assert said
    assert segments.readMask(node, segment, volume)[A]
    logic.close()


def test_a_script_without_torch_is_told_what_to_call(volume, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastsam3d.loading", None)
    logic = FastSAM3DSlicerLogic()
    with pytest.raises(UserError, match=r"FastSAM3DSlicerLib\.install\.install\(print\)"):
        logic.segment(volume, [lib.centreOf(volume, A)], [1])
    assert callable(install.install)
    logic.close()


def test_a_segment_that_is_there_is_gone_on_from(logic, volume):
    node = segments.newSegmentation(volume)
    segment = segments.newSegment(node)
    mask = np.zeros((24, 32, 40), bool)
    mask[2:6, 2:8, 2:8] = True
    segments.writeMask(node, segment, volume, np.s_[0:24, 0:32, 0:40], mask)
    logic.setSegmentation(node)
    logic.setSegment(segment)
    click(logic, A)
    assert mask_of(logic)[A]
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), mask)
    logic.reset()
    np.testing.assert_array_equal(mask_of(logic), mask)


def test_a_copy_of_a_segment_is_gone_on_from(logic):
    click(logic, A)
    first, before = logic.segmentId, mask_of(logic)
    logic.nextSegment()
    logic.startFrom(logic.segmentationNode, first)
    np.testing.assert_array_equal(mask_of(logic), before)
    click(logic, C)
    np.testing.assert_array_equal(mask_of(logic, first), before)
    logic.undo()
    logic.undo()
    assert not mask_of(logic).any()


def test_a_region_keeps_the_mask_within_it(logic, volume, scene):
    click(logic, A)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetCenter(lib.centreOf(volume, A))
    roi.SetSize((4, 4, 4))
    whole = mask_of(logic)
    logic.setRegion(roi)
    box = lib.regionOf(roi, volume)
    inside = np.zeros_like(whole)
    inside[box] = whole[box]
    np.testing.assert_array_equal(mask_of(logic), inside)
    logic.setRegion(None)
    np.testing.assert_array_equal(mask_of(logic), whole)


def test_options_change_the_mask_of_the_clicks_that_are_there(logic):
    click(logic, A)
    plain = mask_of(logic)
    logic.setOptions(Options(smoothVoxels=2.0))
    assert (mask_of(logic) != plain).any()
    logic.setOptions(Options())
    np.testing.assert_array_equal(mask_of(logic), plain)


def test_the_status_says_what_happened(logic, volume):
    assert logic.status.message == first()
    heard = []
    logic.onStatus = heard.append
    click(logic, A)
    status = heard[-1]
    assert status.device == "fake"
    assert status.encodeMs > 0
    assert status.decodeMs > 0
    assert status.confidence == pytest.approx(0.9)
    assert status.message == following(voxels=1)
    voxel_ml = lib.gridOf(volume).voxelMl
    assert status.volumeMl == pytest.approx(mask_of(logic).sum() * voxel_ml)


def test_uncertainty_is_one_number_and_colours_over_the_volume(logic, volume):
    click(logic, A)
    number = logic.showUncertainty()
    assert 0 <= number <= 1
    assert lib.overlayOf(volume) is not None
    logic.hideUncertainty()
    assert lib.overlayOf(volume) is None
