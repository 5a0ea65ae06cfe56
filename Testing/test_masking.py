import numpy as np
import pytest
import slicer

from FastSAM3DSlicerLib import masking, segments
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from harness.mrml import BallNetwork, make_volume, scene

__all__ = ["make_volume", "scene"]

EDITOR = slicer.vtkMRMLSegmentEditorNode
NODE = slicer.vtkMRMLSegmentationNode
A, B = (12, 16, 20), (12, 18, 23)


@pytest.fixture
def volume(make_volume):
    node = make_volume()
    slicer.util.arrayFromVolume(node)[:] = np.arange(24)[:, None, None]
    slicer.util.arrayFromVolumeModified(node)
    return node


@pytest.fixture
def logic(volume):
    logic = FastSAM3DSlicerLogic(lambda preset, device: BallNetwork())
    logic.setVolume(volume)
    logic.setSegmentation(segments.newSegmentation(volume))
    yield logic
    logic.close()


@pytest.fixture
def neighbour(logic, volume):
    """A finished segment that the balls reach into."""
    segment = segments.newSegment(logic.segmentationNode, "finished")
    values = np.ones((8, 8, 8), bool)
    segments.writeMask(logic.segmentationNode, segment, volume, np.s_[12:20, 12:20, 16:24], values)
    return segment


def read(logic, segment=""):
    return segments.readMask(logic.segmentationNode, segment or logic.segmentId, logic.volumeNode)


def click(logic, voxel_kji=A, *, positive=True):
    return logic.addClick(lib.centreOf(logic.volumeNode, voxel_kji), positive)


def unmasked(volume):
    logic = FastSAM3DSlicerLogic(lambda preset, device: BallNetwork())
    node, segment = logic.segment(volume, [lib.centreOf(volume, A)], [1])
    logic.close()
    return segments.readMask(node, segment, volume)


def own(logic):
    return masking.editorNode(logic.segmentationNode, logic.volumeNode)


def segment_editor(scene, logic):
    """Return what the Segment Editor leaves in the scene."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode", "SegmentEditor")
    node.SetAndObserveSegmentationNode(logic.segmentationNode)
    node.SetOverwriteMode(EDITOR.OverwriteAllSegments)
    return node


def test_by_default_no_segment_is_overwritten_whatever_the_segment_editor_s_default(
    scene, logic, neighbour
):
    segment_editor(scene, logic)
    before = read(logic, neighbour)
    click(logic)
    assert (read(logic) & before).any()
    np.testing.assert_array_equal(read(logic, neighbour), before)
    assert own(logic).GetOverwriteMode() == EDITOR.OverwriteNone


def test_the_default_is_the_same_after_a_scene_was_closed(scene, make_volume):
    for _ in range(2):
        volume = make_volume()
        segmentation = segments.newSegmentation(volume)
        masking.editorNode(segmentation, volume)
        assert not masking.maskingOf(segmentation).isOn
        scene.Clear(False)


@pytest.mark.parametrize(
    ("mode", "inside"),
    [(NODE.EditAllowedInsideAllSegments, True), (NODE.EditAllowedOutsideAllSegments, False),
     (NODE.EditAllowedInsideSingleSegment, True), (NODE.EditAllowedInsideVisibleSegments, True)],
)  # fmt: skip
@pytest.mark.parametrize("whose", ["own", "segment editor's"])
def test_the_editable_area_is_obeyed(scene, logic, volume, neighbour, mode, inside, whose):
    editor = own(logic) if whose == "own" else segment_editor(scene, logic)
    editor.SetMaskMode(mode)
    editor.SetMaskSegmentID(neighbour)
    area = read(logic, neighbour)
    click(logic)
    wanted = unmasked(volume)
    np.testing.assert_array_equal(read(logic), wanted & (area if inside else ~area))
    np.testing.assert_array_equal(read(logic, neighbour), area)


def test_the_intensity_range_is_obeyed(logic, volume):
    own(logic).SetSourceVolumeIntensityMask(True)
    own(logic).SetSourceVolumeIntensityMaskRange(10, 13)
    click(logic)
    expected = unmasked(volume)
    expected[:10] = expected[14:] = False
    np.testing.assert_array_equal(read(logic), expected)


@pytest.mark.parametrize("factor", [1, 2])
def test_an_intensity_range_of_the_segment_editor_is_of_its_own_source_volume(
    scene, logic, volume, make_volume, factor
):
    grid = lib.gridOf(volume)
    shape = tuple(count // factor for count in grid.shapeKji)
    other = make_volume(shape, grid.ijkToRas @ np.diag([factor, factor, factor, 1.0]), "other")
    slicer.util.arrayFromVolume(other)[:, 14 // factor :] = 1000
    slicer.util.arrayFromVolumeModified(other)
    two_rows = np.eye(4)
    two_rows[:3, 3] = 2 * grid.ijkToRas[:3, 1]
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetMatrixTransformToParent(lib.matrixOfArray(two_rows))
    other.SetAndObserveTransformNodeID(transform.GetID())
    editor = segment_editor(scene, logic)
    editor.SetAndObserveSourceVolumeNode(other)
    editor.SetSourceVolumeIntensityMask(True)
    editor.SetSourceVolumeIntensityMaskRange(600, 2000)
    click(logic)
    expected = unmasked(volume)
    expected[:, :16] = False
    np.testing.assert_array_equal(read(logic), expected)


def test_an_intensity_range_of_a_volume_without_voxels_is_of_the_one_that_is_clicked(
    scene, logic, volume
):
    editor = segment_editor(scene, logic)
    editor.SetAndObserveSourceVolumeNode(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))
    editor.SetSourceVolumeIntensityMask(True)
    editor.SetSourceVolumeIntensityMaskRange(10, 13)
    click(logic)
    expected = unmasked(volume)
    expected[:10] = expected[14:] = False
    np.testing.assert_array_equal(read(logic), expected)


@pytest.mark.parametrize("mode", ["OverwriteAllSegments", "OverwriteVisibleSegments"])
def test_overwriting_takes_from_others_and_undo_gives_back(logic, neighbour, volume, mode):
    own(logic).SetOverwriteMode(getattr(EDITOR, mode))
    before = read(logic, neighbour)
    click(logic)
    taken = read(logic) & before
    assert taken.any()
    np.testing.assert_array_equal(read(logic, neighbour), before & ~taken)
    logic.undo()
    assert not read(logic).any()
    np.testing.assert_array_equal(read(logic, neighbour), before)
    logic.redo()
    np.testing.assert_array_equal(read(logic, neighbour), before & ~taken)


def test_what_masking_held_back_is_no_painting(logic, neighbour):
    own(logic).SetMaskMode(NODE.EditAllowedOutsideAllSegments)
    click(logic)
    first = read(logic)
    click(logic, B)
    logic.undo()
    np.testing.assert_array_equal(read(logic), first)
    logic.undo()
    assert not read(logic).any()
    assert logic.pointsNode().GetNumberOfControlPoints() == 0


def test_masked_writes_leave_no_nodes_behind(scene, logic, neighbour):
    own(logic).SetMaskMode(NODE.EditAllowedOutsideAllSegments)
    click(logic)
    count = scene.GetNumberOfNodes()
    click(logic, B)
    assert scene.GetNumberOfNodes() == count
