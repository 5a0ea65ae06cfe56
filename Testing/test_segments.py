import numpy as np
import pytest
import slicer

from FastSAM3DSlicerLib import segments
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.timeline import boundsOf
from harness.mrml import make_volume, scene

__all__ = ["make_volume", "scene"]

SHAPE = (24, 32, 40)
BOX = np.s_[5:17, 8:24, 10:31]
GROWN = np.s_[4:18, 7:25, 9:32]
"""A little larger."""


@pytest.fixture
def volume(make_volume):
    return make_volume(SHAPE)


@pytest.fixture
def segmentation(volume):
    return segments.newSegmentation(volume)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def by_slicer(segmentation, segment, volume):
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume).astype(bool)


def fill(segmentation, segment, volume, box=BOX, *, value=True):
    values = np.full([part.stop - part.start for part in box], value)
    segments.writeMask(segmentation, segment, volume, box, values)


def surface_of(segmentation, segment):
    return segmentation.GetSegmentation().GetSegment(segment).GetRepresentation(segments.SURFACE)


def image_of(segmentation, segment):
    return segmentation.GetSegmentation().GetSegment(segment).GetRepresentation(segments.LABELMAP)


def shared_segments(segmentation, volume, masks):
    """Make segments that share a layer, as a label map that was loaded makes them."""
    ids = [segments.newSegment(segmentation, f"organ {n}") for n in range(len(masks))]
    for segment, mask in zip(ids, masks, strict=True):
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            mask.astype(np.uint8), segmentation, segment, volume
        )
    segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
    return ids


def organs(rng):
    labels = rng.integers(0, 4, SHAPE)
    return [labels == n for n in (1, 2, 3)]


def test_only_the_box_of_the_segment_changes_beside_neighbours_in_the_same_layer(
    segmentation, volume, rng
):
    masks = organs(rng)
    ids = shared_segments(segmentation, volume, masks)
    assert segmentation.GetSegmentation().GetNumberOfLayers() == 1
    values = rng.random((12, 16, 21)) < 0.5
    segments.writeMask(segmentation, ids[1], volume, BOX, values)
    expected = masks[1].copy()
    expected[BOX] = values
    np.testing.assert_array_equal(by_slicer(segmentation, ids[1], volume), expected)
    for other in (0, 2):
        np.testing.assert_array_equal(by_slicer(segmentation, ids[other], volume), masks[other])


def test_many_boxes_one_after_the_other_are_what_they_would_be_in_an_array(
    segmentation, volume, rng
):
    segment = segments.newSegment(segmentation)
    expected = np.zeros(SHAPE, bool)
    for _ in range(40):
        ends = [sorted(rng.integers(0, n + 1, 2)) for n in SHAPE]
        box = tuple(slice(int(a), int(b)) for a, b in ends)
        expected[box] = rng.random(expected[box].shape) < 0.3
        segments.writeMask(segmentation, segment, volume, box, expected[box])
        np.testing.assert_array_equal(segments.readMask(segmentation, segment, volume), expected)
    np.testing.assert_array_equal(by_slicer(segmentation, segment, volume), expected)


def test_a_new_segment_leaves_the_layer_of_the_first(segmentation, volume):
    first, second = (segments.newSegment(segmentation) for _ in range(2))
    for segment in (first, second):
        fill(segmentation, segment, volume)
    assert segmentation.GetSegmentation().GetNumberOfLayers() == 2
    assert by_slicer(segmentation, first, volume).sum() == 12 * 16 * 21


def test_an_empty_segment_leaves_the_others_image_alone(segmentation, volume, rng):
    masks = organs(rng)
    masks[1][:] = False
    ids = shared_segments(segmentation, volume, masks)
    guest = segments.newSegment(segmentation)
    shared = image_of(segmentation, guest)
    assert shared is image_of(segmentation, ids[0])
    scalars, stamp = shared.GetPointData().GetScalars(), shared.GetMTime()
    fill(segmentation, guest, volume)
    assert image_of(segmentation, guest) is not shared
    assert (shared.GetPointData().GetScalars(), shared.GetMTime()) == (scalars, stamp)
    for segment, mask in zip(ids, masks, strict=True):
        np.testing.assert_array_equal(by_slicer(segmentation, segment, volume), mask)
    assert by_slicer(segmentation, guest, volume).sum() == 12 * 16 * 21


@pytest.mark.parametrize("label", [1, 2, 200])
def test_a_segment_is_written_with_its_own_label(segmentation, volume, label):
    segment = segments.newSegment(segmentation)
    fill(segmentation, segment, volume)
    segmentation.GetSegmentation().GetSegment(segment).SetLabelValue(label)
    fill(segmentation, segment, volume)
    assert segments.readMask(segmentation, segment, volume).sum() == 12 * 16 * 21


def test_a_part_of_a_segment_is_read_as_it_is_in_the_whole(segmentation, volume, rng):
    segment = segments.newSegment(segmentation)
    fill(segmentation, segment, volume)
    whole = segments.readMask(segmentation, segment, volume)
    for _ in range(20):
        ends = [sorted(rng.integers(0, n + 1, 2)) for n in SHAPE]
        box = tuple(slice(int(a), int(b)) for a, b in ends)
        part = segments.readMask(segmentation, segment, volume, box)
        np.testing.assert_array_equal(part, whole[box])


def test_an_object_that_grows_a_little_keeps_its_image_and_the_surfaces_of_others(
    segmentation, volume
):
    first, second = (segments.newSegment(segmentation) for _ in range(2))
    for segment in (first, second):
        fill(segmentation, segment, volume)
    segmentation.CreateClosedSurfaceRepresentation()
    there = surface_of(segmentation, first), image_of(segmentation, second)
    fill(segmentation, second, volume, GROWN)
    assert (surface_of(segmentation, first), image_of(segmentation, second)) == there


def test_the_surface_follows_when_it_is_asked_to(segmentation, volume):
    first, second = (segments.newSegment(segmentation) for _ in range(2))
    for segment in (first, second):
        fill(segmentation, segment, volume)
    segmentation.CreateClosedSurfaceRepresentation()
    fill(segmentation, second, volume, value=False)
    fill(segmentation, second, volume, np.s_[5:9, 8:12, 10:14])
    segments.updateSurface(segmentation, second)
    small, large = (surface_of(segmentation, segment).GetLength() for segment in (second, first))
    assert 0 < small < large / 2


@pytest.mark.parametrize("event", ["SourceRepresentationModified", "RepresentationModified"])
def test_a_write_tells_those_who_show_or_save_the_segment(segmentation, volume, event):
    segment = segments.newSegment(segmentation)
    heard = []
    segmentation.GetSegmentation().AddObserver(
        getattr(slicer.vtkSegmentation, event), lambda caller, name: heard.append(name)
    )
    for _ in range(2):
        fill(segmentation, segment, volume)
    assert len(heard) == 2


def test_a_written_segmentation_wants_to_be_saved(segmentation, volume, tmp_path):
    segment = segments.newSegment(segmentation)
    fill(segmentation, segment, volume)
    segmentation.AddDefaultStorageNode()
    storage = segmentation.GetStorageNode()
    storage.SetFileName(str(tmp_path / "a.seg.nrrd"))
    assert storage.WriteData(segmentation)
    assert not segmentation.GetModifiedSinceRead()
    fill(segmentation, segment, volume, value=False)
    assert segmentation.GetModifiedSinceRead()


def test_the_stamp_tells_of_writes_and_of_painting_and_of_nothing_else(segmentation, volume):
    segment, other = (segments.newSegment(segmentation) for _ in range(2))
    fill(segmentation, segment, volume)
    stamps = [segments.stampOf(segmentation, segment)]
    fill(segmentation, other, volume)
    segmentation.GetSegmentation().GetSegment(segment).SetName("liver")
    assert segments.stampOf(segmentation, segment) == stamps[0]
    fill(segmentation, segment, volume)
    stamps.append(segments.stampOf(segmentation, segment))
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.ones(SHAPE, np.uint8), segmentation, segment, volume
    )
    stamps.append(segments.stampOf(segmentation, segment))
    assert len(set(stamps)) == 3


def test_a_segment_on_another_grid_is_read_by_its_nearest_voxels(scene, make_volume):
    coarse = make_volume((12, 16, 20), np.diag([2.0, 2, 2, 1]), "coarse")
    fine = make_volume((24, 32, 40), shifted(np.eye(4), -0.5), "fine")
    segmentation = segments.newSegmentation(coarse)
    segment = segments.newSegment(segmentation)
    segments.writeMask(
        segmentation, segment, coarse, np.s_[2:5, 3:7, 4:9], np.ones((3, 4, 5), bool)
    )
    mask = segments.readMask(segmentation, segment, fine)
    assert boundsOf(mask) == np.s_[4:10, 6:14, 8:18]
    assert mask.sum() == 8 * 3 * 4 * 5


def shifted(matrix, by):
    matrix = matrix.copy()
    matrix[:3, 3] += by
    return matrix


def test_what_lies_beyond_the_volume_is_kept(scene, make_volume):
    whole = make_volume((20, 20, 20), np.eye(4), "whole")
    part = make_volume((10, 10, 10), shifted(np.eye(4), 5), "part")
    segmentation = segments.newSegmentation(whole)
    segment = segments.newSegment(segmentation)
    expected = np.zeros((20, 20, 20), bool)
    expected[2:18, 2:18, 2:18] = True
    segments.writeMask(segmentation, segment, whole, np.s_[0:20, 0:20, 0:20], expected)
    segments.writeMask(segmentation, segment, part, np.s_[0:4, 0:4, 0:4], np.zeros((4, 4, 4), bool))
    expected[5:9, 5:9, 5:9] = False
    np.testing.assert_array_equal(segments.readMask(segmentation, segment, whole), expected)


def test_a_segmentation_of_surfaces_is_refused_with_the_way_out(scene, volume, segmentation):
    segment = segments.newSegment(segmentation)
    fill(segmentation, segment, volume)
    segmentation.CreateClosedSurfaceRepresentation()
    segmentation.SetSourceRepresentationToClosedSurface()
    with pytest.raises(UserError, match=r"surfaces.*Segment Editor"):
        segments.place(segmentation, volume)


def test_an_empty_segment_has_no_voxels(segmentation, volume):
    segment = segments.newSegment(segmentation)
    assert not segments.readMask(segmentation, segment, volume).any()
    assert segments.hasSegment(segmentation, segment)
    assert not segments.hasSegment(segmentation, "")
    assert not segments.hasSegment(None, segment)
