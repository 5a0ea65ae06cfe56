"""A region of interest is a box in the world: in any volume, and wherever it is moved."""

import numpy as np
import pytest

from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib import segments
from FastSAM3DSlicerLib.errors import UserError
from harness import clicking, mrml
from harness.clicking import A, B, click, mask_of
from harness.mrml import AXIAL, linear_transform

events, logic, volume = clicking.events, clicking.slow_logic, clicking.volume
make_volume, scene = mrml.make_volume, mrml.scene


@pytest.fixture
def region(scene, volume):
    """A box of 7 mm round A."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    node.SetCenter(*lib.centreOf(volume, A))
    node.SetSize(7, 7, 7)
    return node


def beyond(box, mask):
    """Count a mask's voxels outside a box."""
    return int(mask.sum() - mask[box].sum())


@pytest.mark.parametrize("transform", [None, linear_transform])
def test_a_region_is_the_same_box_of_the_world_in_the_next_volume(
    transform, logic, volume, region, make_volume, scene
):
    logic.setRegion(region)
    fine = make_volume((48, 64, 80), AXIAL @ np.diag([0.5, 0.5, 0.5, 1]), "fine")
    if transform is not None:
        fine.SetAndObserveTransformNodeID(transform(scene, 2.0).GetID())
    logic.setVolume(fine)
    logic.setSegmentation(None)
    region.SetCenter(*lib.centreOf(fine, (24, 32, 40)))
    click(logic, (24, 32, 40))
    box = lib.regionOf(region, fine)
    assert logic.options.region == box
    assert mask_of(logic)[box].any()
    assert beyond(box, mask_of(logic)) == 0


def test_a_region_is_heeded_by_a_script_in_another_volume(logic, volume, region, make_volume):
    logic.setRegion(region)
    fine = make_volume((48, 64, 80), AXIAL @ np.diag([0.5, 0.5, 0.5, 1]), "fine")
    node, segment = logic.segment(fine, [lib.centreOf(volume, A)], [1])
    mask = segments.readMask(node, segment, fine)
    assert mask.any()
    assert beyond(lib.regionOf(region, fine), mask) == 0


def test_a_region_without_a_voxel_of_the_next_volume_refuses_clicks_and_says_why(
    logic, region, make_volume
):
    logic.setRegion(region)
    far = make_volume((7, 9, 11), AXIAL + np.diag([0.0, 0, 0, 0]), "far")
    far.SetOrigin(900, 900, 900)
    logic.setVolume(far)
    logic.setSegmentation(None)
    with pytest.raises(UserError, match="'box' holds no voxel of 'far'"):
        click(logic, (3, 4, 5))
    assert not mask_of(logic).any()
    logic.setRegion(None)
    click(logic, (3, 4, 5))
    assert mask_of(logic).any()


@pytest.mark.parametrize("moved", ["region", "volume", "region under the volume"])
def test_a_region_is_heeded_where_a_transform_puts_it(moved, logic, volume, region, scene):
    logic.setRegion(region)
    transform, matrix = scene.AddNewNodeByClass("vtkMRMLTransformNode"), np.eye(4)
    matrix[:3, 3] = (-6, -4, 0)
    transform.SetMatrixTransformToParent(lib.matrixOfArray(matrix))
    nodes = {
        "region": [region],
        "volume": [volume, logic.segmentationNode],
        "region under the volume": [volume, logic.segmentationNode, region],
    }[moved]
    for node in nodes:
        node.SetAndObserveTransformNodeID(transform.GetID())
    logic.nextSegment()
    click(logic, B if moved == "region" else A)
    box = lib.regionOf(region, volume)
    assert mask_of(logic)[box].any()
    assert beyond(box, mask_of(logic)) == 0


def test_a_region_that_was_removed_bounds_nothing(logic, region, scene):
    logic.setRegion(region)
    box = logic.options.region
    scene.RemoveNode(region)
    click(logic, B)
    assert logic.options.region is None
    assert beyond(box, mask_of(logic)) > 0


def test_a_click_is_completed_with_the_region_in_its_own_volume(
    logic, events, volume, region, make_volume
):
    logic.setRegion(region)
    fine = make_volume((48, 64, 80), AXIAL @ np.diag([0.5, 0.5, 0.5, 1]), "fine")
    events.next = lambda: logic.setVolume(fine)
    logic.addClick(lib.centreOf(volume, B))
    logic.setVolume(volume)
    assert beyond(lib.regionOf(region, volume), mask_of(logic)) == 0
