import numpy as np
import pytest
import slicer
import vtk

from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib import segments
from FastSAM3DSlicerLib.errors import UserError
from harness.mrml import (
    OBLIQUE,
    TRANSFORMS,
    VOLUMES,
    linear_transform,
    make_volume,
    scene,
    warping_transform,
)

__all__ = ["make_volume", "scene"]


def under(kind, volume, segmentation, scene):
    """Put a transform where `kind` says."""
    on_volume = {"on volume": linear_transform, "on both": linear_transform}.get(kind)
    on_segmentation = {"on segmentation": linear_transform}.get(kind)
    if kind == "not linear":
        on_volume = warping_transform
    if on_volume is not None:
        volume.SetAndObserveTransformNodeID(on_volume(scene).GetID())
    if kind == "on both":
        segmentation.SetAndObserveTransformNodeID(linear_transform(scene, -6.0).GetID())
    if on_segmentation is not None:
        segmentation.SetAndObserveTransformNodeID(on_segmentation(scene).GetID())
    return volume


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


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_a_region_holds_the_voxels_whose_centres_lie_in_the_roi(
    kind, make_volume, segmentation, scene
):
    volume = make_volume(*VOLUMES["stored sagittally"])
    under(kind, volume, segmentation, scene)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    low, high = (
        lib.gridOf(volume).ijkToRas @ [[i], [j], [k], [1]] for k, j, i in ((3, 5, 7), (9, 12, 20))
    )
    roi.SetCenter(((low + high) / 2)[:3, 0])
    roi.SetSize(np.abs(high - low)[:3, 0] + 0.2)
    expected = np.s_[3:10, 5:13, 7:21]
    assert lib.regionOf(roi, volume) == expected


def test_a_region_beside_the_volume_is_refused(make_volume, scene):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    roi.SetCenter((500, 500, 500))
    roi.SetSize((5, 5, 5))
    with pytest.raises(UserError, match="'box' holds no voxel"):
        lib.regionOf(roi, make_volume())


def test_an_overlay_lies_on_its_box_and_goes_away_with_its_colours(make_volume, scene):
    volume = make_volume(ijk_to_ras=OBLIQUE)
    volume.SetAndObserveTransformNodeID(linear_transform(scene).GetID())
    view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    before = scene.GetNumberOfNodes()
    values = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
    for _ in range(2):
        overlay = lib.showOverlay(volume, values, np.s_[5:7, 6:9, 7:11])
    np.testing.assert_array_equal(lib.imageArray(overlay), values)
    np.testing.assert_allclose(lib.centreOf(overlay, (0, 0, 0)), lib.centreOf(volume, (5, 6, 7)))
    assert overlay.GetDisplayNode().GetColorNode() is not None
    assert view.GetForegroundVolumeID() == overlay.GetID()
    lib.hideOverlay(volume)
    assert view.GetForegroundVolumeID() is None
    assert scene.GetNumberOfNodes() == before


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
