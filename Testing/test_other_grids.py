"""Segments that reach beyond the volume, or are counted in other voxels than its own."""

import numpy as np
import pytest
import slicer

from FastSAM3DSlicerLib import labelmap, masking, segments
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.errors import UserError
from harness.clicking import A, click, logic, mask_of, network, volume
from harness.mrml import AXIAL, make_volume, scene

__all__ = ["logic", "make_volume", "network", "scene", "volume"]
SIDE = 100
"""Of the segments of other grids, in voxels: they reach beyond the volume."""
TURN = np.array([[0.94, 0.342, 0, 0], [-0.342, 0.94, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def beside(voxels, scale=(1, 1, 1)):
    """Return a grid like the volume's that begins some voxels before it."""
    to_ijk = np.diag([*scale, 1.0])
    to_ijk[:3, 3] = -voxels
    return AXIAL @ to_ijk


GRIDS = {
    "finer": beside(10, (0.5, 0.5, 0.5)),
    "coarser": beside(10, (3, 3, 2)),
    "half a voxel beside": beside(9.5),
    "turned": beside(10) @ TURN,
}
EDITOR = slicer.vtkMRMLSegmentEditorNode


@pytest.fixture
def segmentation(logic, volume):
    """Holds a segment of the volume's grid, which is finished."""
    node = segments.newSegmentation(volume)
    finished = segments.newSegment(node, "finished")
    segments.writeMask(node, finished, volume, np.s_[2:9, 2:9, 2:9], np.ones((7, 7, 7), bool))
    logic.setSegmentation(node)
    return node


def liver_on(segmentation, to_ras, *, value=1):
    """Add a segment of another grid."""
    image = labelmap.newImage(to_ras, (0, 0, 0), (SIDE, SIDE, SIDE))
    labelmap.arrayOf(image)[...] = value
    liver = segments.newSegment(segmentation, "liver")
    segment = segmentation.GetSegmentation().GetSegment(liver)
    segment.SetLabelValue(1)
    segment.AddRepresentation(segments.LABELMAP, image)
    return liver


def held(segmentation):
    """Return all that the segments are made of."""
    found = {}
    for each in segmentation.GetSegmentation().GetSegmentIDs():
        segment = segmentation.GetSegmentation().GetSegment(each)
        image = segment.GetRepresentation(segments.LABELMAP)
        mask = labelmap.arrayOf(image) == segment.GetLabelValue()
        found[each] = image.GetExtent(), labelmap.toRasOf(image).tobytes(), mask.tobytes()
    return found


def set_masking(logic, *, masked=False, overwrite=EDITOR.OverwriteNone):
    editor = masking.editorNode(logic.segmentationNode, logic.volumeNode)
    editor.SetSourceVolumeIntensityMask(masked)
    editor.SetSourceVolumeIntensityMaskRange(-5, 5)
    editor.SetOverwriteMode(overwrite)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_segment_of_another_grid_is_not_touched_and_the_way_out_is_said(
    logic, segmentation, grid, masked
):
    logic.setSegment(liver_on(segmentation, GRIDS[grid]))
    set_masking(logic, masked=masked)
    before = held(segmentation)
    with pytest.raises(UserError, match=r"'liver' lies on another grid than 'scan'.*Next.*Start"):
        click(logic, A, positive=False)
    assert held(segmentation) == before


@pytest.mark.parametrize("grid", GRIDS)
def test_a_copy_of_a_segment_of_another_grid_can_be_gone_on_from(logic, segmentation, grid):
    liver = liver_on(segmentation, GRIDS[grid])
    before = held(segmentation)
    logic.nextSegment()
    logic.startFrom(segmentation, liver)
    expected = segments.readMask(segmentation, liver, logic.volumeNode)
    assert expected.any()
    np.testing.assert_array_equal(mask_of(logic), expected)
    click(logic, A)
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), expected)
    assert {each: held(segmentation)[each] for each in before} == before


def test_nothing_on_another_grid_is_no_obstacle(logic, segmentation):
    logic.setSegment(liver_on(segmentation, GRIDS["finer"], value=0))
    click(logic, A)
    assert mask_of(logic)[A]


@pytest.mark.parametrize("masked", [False, True])
def test_what_lies_beyond_the_volume_is_kept_and_undo_brings_all_back(
    logic, segmentation, make_volume, masked
):
    whole = make_volume((SIDE, SIDE, SIDE), beside(10), "whole")
    liver = liver_on(segmentation, lib.gridOf(whole).ijkToRas)
    finished = {each: what for each, what in held(segmentation).items() if each != liver}
    logic.setSegment(liver)
    set_masking(logic, masked=masked)
    click(logic, A, positive=False)
    lost = np.argwhere(~segments.readMask(segmentation, liver, whole))
    assert len(lost) == (~mask_of(logic)).sum() > 0
    assert A in [tuple(int(n) for n in voxel - 10) for voxel in lost]
    logic.undo()
    assert segments.readMask(segmentation, liver, whole).all()
    assert {each: held(segmentation)[each] for each in finished} == finished


def test_segments_of_another_grid_do_not_give_way(logic, segmentation):
    liver_on(segmentation, GRIDS["finer"])
    logic.nextSegment()
    click(logic, A)
    set_masking(logic, overwrite=EDITOR.OverwriteAllSegments)
    before = held(segmentation)
    with pytest.raises(UserError, match=r"'liver' lies on another grid.*stay as they are"):
        click(logic, (12, 20, 26))
    assert held(segmentation) == before
