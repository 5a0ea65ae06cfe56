import numpy as np
import pytest

from FastSAM3DSlicerLib import points, segments
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.timeline import Point
from harness.clicking import A, B, C, volume
from harness.mrml import linear_transform, make_volume, scene, warping_transform

__all__ = ["make_volume", "scene", "volume"]


@pytest.fixture
def segmentation(volume):
    return segments.newSegmentation(volume)


@pytest.fixture
def node(segmentation, volume):
    return points.newNode(segmentation, segments.newSegment(segmentation, "liver"), volume)


@pytest.fixture
def filled(node, volume):
    for n, voxel in enumerate((A, B, C)):
        points.add(node, lib.centreOf(volume, voxel), positive=n != 1)
    return node


def ids(node):
    return [node.GetNthControlPointID(n) for n in range(node.GetNumberOfControlPoints())]


@pytest.mark.parametrize("transform", [None, linear_transform, warping_transform])
def test_points_are_read_where_they_were_put(segmentation, volume, scene, transform):
    if transform is not None:
        volume.SetAndObserveTransformNodeID(transform(scene).GetID())
    node = points.newNode(segmentation, segments.newSegment(segmentation), volume)
    points.add(node, lib.centreOf(volume, A), positive=False)
    (point,) = points.read(node, volume)
    assert not point.positive
    there = lib.gridOf(volume).ijkToRas @ [*A[::-1], 1]
    np.testing.assert_allclose(point.ras, there[:3], atol=0.01)


def test_points_move_with_the_volume(filled, volume, scene):
    before = points.read(filled, volume)
    transform = linear_transform(scene)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    filled.SetAndObserveTransformNodeID(transform.GetID())
    assert points.read(filled, volume) == before


def test_writing_the_points_that_are_there_touches_none(filled, volume):
    before, heard = ids(filled), []
    for event in (filled.PointModifiedEvent, filled.PointRemovedEvent, filled.PointAddedEvent):
        filled.AddObserver(event, lambda caller, name: heard.append(name))
    points.write(filled, volume, points.read(filled, volume))
    assert ids(filled) == before
    assert heard == []


@pytest.mark.parametrize("kept", [(0, 2), (1, 2), (0, 1), (), (2,), (2, 1, 0)])
def test_written_points_are_those_that_are_read(filled, volume, kept):
    there = points.read(filled, volume)
    wanted = tuple(there[n] for n in kept)
    points.write(filled, volume, wanted)
    assert points.read(filled, volume) == wanted


def test_a_point_that_is_put_back_leaves_the_ids_of_the_others(filled, volume):
    there, before = points.read(filled, volume), ids(filled)
    points.write(filled, volume, (there[0], there[2]))
    points.write(filled, volume, there)
    after = ids(filled)
    assert (after[0], after[2]) == (before[0], before[2])
    assert points.read(filled, volume) == there


def test_only_the_sign_of_a_point_may_change(filled, volume):
    first, second, third = points.read(filled, volume)
    points.write(filled, volume, (first, Point(second.ras, positive=True), third))
    assert [point.positive for point in points.read(filled, volume)] == [True, True, True]


def test_a_point_added_after_a_deletion_has_an_id_of_its_own(filled, volume):
    points.delete(filled, ids(filled)[0])
    points.add(filled, lib.centreOf(volume, A), positive=False)
    assert len(set(ids(filled))) == 3


def test_a_segment_s_points_are_found_again(filled, segmentation):
    segment = segmentation.GetSegmentation().GetNthSegmentID(0)
    assert points.nodeOf(segmentation, segment) is filled
    assert points.nodeOf(segmentation, "another") is None


def test_a_point_that_is_not_there_is_an_error(filled):
    with pytest.raises(KeyError, match="'77'"):
        points.delete(filled, "77")


@pytest.mark.parametrize("status", ["PositionUndefined", "PositionMissing"])
def test_a_point_whose_place_was_taken_back_is_gone_once_points_are_written(filled, volume, status):
    there = points.read(filled, volume)
    filled.SetNthControlPointPosition(0, 0, 0, 0, getattr(filled, status))
    points.write(filled, volume, there[1:])
    assert filled.GetNumberOfControlPoints() == 2
    assert points.read(filled, volume) == there[1:]


def test_the_point_that_hangs_at_the_mouse_stays_when_points_are_written(filled, volume):
    there = points.read(filled, volume)
    filled.AddControlPoint(0, 0, 0)
    filled.SetNthControlPointPosition(3, 0, 0, 0, filled.PositionPreview)
    points.write(filled, volume, there[:2])
    assert points.read(filled, volume) == there[:2]
    assert filled.GetNthControlPointPositionStatus(2) == filled.PositionPreview


def test_points_that_go_to_another_volume_are_still_those_that_were_obeyed(
    filled, volume, make_volume, scene
):
    points.write(filled, volume, points.read(filled, volume))
    other = make_volume((20, 20, 20), np.eye(4), "other")
    other.SetAndObserveTransformNodeID(linear_transform(scene).GetID())
    before = np.array([filled.GetNthControlPointPositionWorld(n) for n in range(3)])
    assert points.bring(filled, other) is not None
    after = [filled.GetNthControlPointPositionWorld(n) for n in range(3)]
    np.testing.assert_allclose(after, before, atol=1e-3)
    assert points.obeyedIn(filled) == points.read(filled, other)
    assert points.bring(filled, other) is None
