"""Regions of interest: which voxels they hold, and how one is fitted to a volume."""

import numpy as np
import pytest

from FastSAM3DSlicerLib import regions
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.errors import UserError
from harness.mrml import TRANSFORMS, VOLUMES, make_volume, scene, under

__all__ = ["make_volume", "scene"]


@pytest.fixture(params=VOLUMES)
def volume(request, make_volume):
    return make_volume(*VOLUMES[request.param])


@pytest.fixture
def segmentation(scene):
    return scene.AddNewNodeByClass("vtkMRMLSegmentationNode")


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


def test_a_region_that_is_not_placed_yet_is_none(make_volume, scene):
    volume = make_volume()
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    assert lib.regionOf(roi, volume) is None
    roi.SetCenter(lib.centreOf(volume, (3, 4, 5)))
    assert lib.regionOf(roi, volume) is None


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_a_region_is_fitted_to_a_box_and_can_be_drawn_in(kind, volume, segmentation, scene):
    under(kind, volume, segmentation, scene)
    grid = lib.gridOf(volume)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    box = tuple(slice(n // 4, n // 4 + max(1, n // 3)) for n in grid.shapeKji)
    regions.fit(roi, volume, box)
    assert lib.regionOf(roi, volume) == box
    regions.fit(roi, volume, grid.whole)
    assert lib.regionOf(roi, volume) is None
    middles = np.add(grid.shapeKji, -1) / 2
    where = grid.ijkToRas @ [*middles[::-1], 1.0]
    np.testing.assert_allclose(
        roi.GetCenterWorld(), lib.worldOf(volume, tuple(where[:3])), atol=0.01
    )
    roi.SetSize(np.multiply(roi.GetSize(), 0.6))
    reach = np.multiply(grid.shapeKji, 0.3)
    ends = zip(np.ceil(middles - reach), np.floor(middles + reach) + 1, strict=True)
    assert lib.regionOf(roi, volume) == tuple(slice(int(low), int(high)) for low, high in ends)
    assert roi.GetDisplayNode().GetHandlesInteractive()


def test_the_box_round_an_object_has_a_margin_and_ends_with_the_volume(make_volume):
    grid = lib.gridOf(make_volume((24, 40, 40), np.diag([0.5, 1.0, 5.0, 1.0])))
    mask = np.zeros(grid.shapeKji, bool)
    assert regions.boxFor(mask, grid) == grid.whole
    mask[5:7, 12:15, 21:30] = True
    assert regions.boxFor(mask, grid) == np.s_[3:9, 2:25, 1:40]
