import numpy as np
import pytest
import slicer
import vtk

from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib import segments
from FastSAM3DSlicerLib.errors import UserError
from harness.mrml import (
    TRANSFORMS,
    VOLUMES,
    make_volume,
    scene,
    under,
    warping_transform,
)

__all__ = ["make_volume", "scene"]


def voxels_of(shape_kji):
    """Return a voxel inside, one on the border, one outside."""
    middle = tuple(length // 2 for length in shape_kji)
    border = (0, shape_kji[1] - 1, shape_kji[2] // 3)
    outside = (-3, shape_kji[1] + 2, 5)
    return middle, border, outside


@pytest.fixture(params=VOLUMES)
def volume(request, make_volume):
    return make_volume(*VOLUMES[request.param])


@pytest.fixture
def segmentation(scene):
    return scene.AddNewNodeByClass("vtkMRMLSegmentationNode")


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_a_click_on_a_voxel_comes_back_to_that_voxel(kind, volume, segmentation, scene):
    under(kind, volume, segmentation, scene)
    for voxel_kji in voxels_of(lib.gridOf(volume).shapeKji):
        assert lib.voxelAt(volume, lib.centreOf(volume, voxel_kji)) == voxel_kji


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_one_voxel_written_lies_in_the_world_where_it_was_clicked(
    kind, volume, segmentation, scene
):
    under(kind, volume, segmentation, scene)
    middle, border, _ = voxels_of(lib.gridOf(volume).shapeKji)
    segments.place(segmentation, volume)
    for voxel_kji in (middle, border):
        segment = segments.newSegment(segmentation)
        box = tuple(slice(n, n + 1) for n in voxel_kji)
        segments.writeMask(segmentation, segment, volume, box, np.ones((1, 1, 1), bool))
        np.testing.assert_allclose(
            centre_in_world(segmentation, segment), lib.centreOf(volume, voxel_kji), atol=0.02
        )


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_a_box_mask_comes_back_voxel_by_voxel(kind, volume, segmentation, scene):
    under(kind, volume, segmentation, scene)
    segments.place(segmentation, volume)
    segment = segments.newSegment(segmentation)
    shape = np.array(lib.gridOf(volume).shapeKji)
    box = tuple(
        slice(int(n), int(n) + int(m))
        for n, m in zip(shape // 3, np.minimum(shape // 2, 9), strict=True)
    )
    values = np.random.default_rng(0).random([part.stop - part.start for part in box]) < 0.5
    segments.writeMask(segmentation, segment, volume, box, values)
    back = segments.readMask(segmentation, segment, volume)
    np.testing.assert_array_equal(back[box], values)
    assert back.sum() == values.sum()


@pytest.mark.parametrize("kind", ["on volume", "on segmentation", "on both"])
def test_finished_segments_stay_where_they_are_under_other_transforms(
    kind, make_volume, scene, segmentation
):
    volume = make_volume(*VOLUMES["oblique by 20 degrees"])
    other = make_volume((20, 20, 20), np.eye(4), "other")
    segments.place(segmentation, other)
    done = segments.newSegment(segmentation)
    segments.writeMask(segmentation, done, other, np.s_[4:9, 4:9, 4:9], np.ones((5, 5, 5), bool))
    before = segments.readMask(segmentation, done, other)
    transform = segmentation.GetTransformNodeID()
    under(kind, volume, segmentation, scene)
    where = segmentation.GetTransformNodeID()
    segments.place(segmentation, volume)
    segment = segments.newSegment(segmentation)
    box = np.s_[3:8, 10:16, 20:27]
    values = np.random.default_rng(1).random((5, 6, 7)) < 0.5
    segments.writeMask(segmentation, segment, volume, box, values)
    back = segments.readMask(segmentation, segment, volume)
    np.testing.assert_array_equal(back[box], values)
    assert back.sum() == values.sum()
    voxel = segments.newSegment(segmentation)
    box = np.s_[6:7, 11:12, 30:31]
    segments.writeMask(segmentation, voxel, volume, box, np.ones((1, 1, 1), bool))
    np.testing.assert_allclose(
        centre_in_world(segmentation, voxel), lib.centreOf(volume, (6, 11, 30)), atol=1e-3
    )
    assert segmentation.GetTransformNodeID() == where
    segmentation.SetAndObserveTransformNodeID(transform)
    np.testing.assert_array_equal(segments.readMask(segmentation, done, other), before)


def test_a_filled_segmentation_beyond_a_warp_is_refused_with_a_reason(
    make_volume, scene, segmentation
):
    volume = make_volume()
    segments.place(segmentation, volume)
    segment = segments.newSegment(segmentation)
    segments.writeMask(
        segmentation, segment, volume, np.s_[2:3, 2:3, 2:3], np.ones((1, 1, 1), bool)
    )
    volume.SetAndObserveTransformNodeID(warping_transform(scene).GetID())
    with pytest.raises(UserError, match="not linear"):
        segments.place(segmentation, volume)


def centre_in_world(segmentation, segment):
    """Ask Slicer itself where the middle of a segment lies in the world."""
    image = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation(segment, image)
    k, j, i = np.argwhere(lib.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(
        image.GetDimensions()[::-1]))[0]  # fmt: skip
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    extent = image.GetExtent()
    local = matrix.MultiplyPoint((i + extent[0], j + extent[2], k + extent[4], 1))[:3]
    return lib.carried(local, segmentation, None)


def test_several_components_a_voxel_are_refused_with_the_way_out(scene):
    volume = slicer.util.addVolumeFromArray(
        np.zeros((4, 5, 6, 3), np.uint8), nodeClassName="vtkMRMLVectorVolumeNode"
    )
    with pytest.raises(UserError, match=r"3 components.*Vector to Scalar"):
        lib.imageArray(volume)


@pytest.mark.parametrize("empty", [True, False])
def test_no_volume_and_no_voxels_are_refused(scene, empty):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow") if empty else None
    with pytest.raises(UserError, match="hollow" if empty else "choose one"):
        lib.imageArray(node)


def test_the_voxels_of_a_volume_are_not_copied(make_volume):
    volume = make_volume()
    slicer.util.arrayFromVolume(volume)[3, 4, 5] = 77
    assert lib.imageArray(volume)[3, 4, 5] == 77


def test_the_stamp_of_a_volume_tells_of_new_voxels_and_new_places(make_volume):
    volume = make_volume()
    stamps = [lib.stampOf(volume)]
    assert lib.stampOf(volume) == stamps[0]
    slicer.util.arrayFromVolume(volume)[0, 0, 0] = 9
    slicer.util.arrayFromVolumeModified(volume)
    stamps.append(lib.stampOf(volume))
    volume.SetSpacing(3, 3, 3)
    stamps.append(lib.stampOf(volume))
    slicer.util.updateVolumeFromArray(volume, np.ones((3, 4, 5)))
    stamps.append(lib.stampOf(volume))
    assert len(set(stamps)) == 4
