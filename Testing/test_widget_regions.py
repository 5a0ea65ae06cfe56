"""The panel's region of interest, chosen, made in its list, moved; and a volume that is moved."""
# ruff: noqa: E402, F403 -- packages are asked for before what needs them; what comes are fixtures

import numpy as np
import pytest
import slicer

from harness import packages

packages.require()

from harness.onpanel import *

# isort: split
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.parameters import Parameters
from harness.fastsam import FAR, MIDDLE, mask_of, settle


@pytest.fixture
def region(panel, scene, red):
    """A region of interest round the middle."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    node.SetCenter(red.point_of(MIDDLE))
    node.SetSize((6, 6, 6))
    return node


def test_a_region_keeps_the_mask_within_it_and_follows_when_it_is_moved(
    clicking, panel, red, region, volume, application
):
    clicking(MIDDLE)
    whole = mask_of(panel)
    panel.ui.regionSelector.setCurrentNode(region)
    expected = np.zeros_like(whole)
    box = lib.regionOf(region, volume)
    expected[box] = whole[box]
    np.testing.assert_array_equal(mask_of(panel), expected)
    region.SetSize((10, 10, 10))
    settle(application, 0.2)
    assert mask_of(panel).sum() > expected.sum()
    panel.ui.regionSelector.setCurrentNode(None)
    np.testing.assert_array_equal(mask_of(panel), whole)


def test_a_region_beside_the_volume_is_refused_in_words(clicking, panel, region):
    clicking(MIDDLE)
    before = mask_of(panel)
    region.SetCenter((900, 900, 900))
    panel.ui.regionSelector.setCurrentNode(region)
    assert "holds no voxel" in panel.ui.statusLabel.text
    np.testing.assert_array_equal(mask_of(panel), before)


def test_a_region_may_be_chosen_before_the_volume(widget, scene):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    widget.ui.regionSelector.setCurrentNode(node)
    assert Parameters().region is node


def test_a_region_made_in_the_list_lies_round_the_mask_and_is_drawn_in_by_its_handles(
    clicking, panel, application
):
    clicking(MIDDLE)
    whole = mask_of(panel)
    region = panel.ui.regionSelector.addNode()
    settle(application, 0.3)
    np.testing.assert_array_equal(mask_of(panel), whole)
    assert panel.ui.statusLabel.text.endswith("by their handles.")
    assert region.GetDisplayNode().GetHandlesInteractive()
    region.SetSize(np.multiply(region.GetSize(), 0.2))
    settle(application, 0.3)
    assert 0 < mask_of(panel).sum() < whole.sum()


def test_a_region_made_before_the_first_click_lies_round_the_volume(panel, clicking, volume):
    region = panel.ui.regionSelector.addNode()
    bounds, expected = [0.0] * 6, [0.0] * 6
    region.GetRASBounds(bounds)
    volume.GetRASBounds(expected)
    np.testing.assert_allclose(bounds, expected)
    assert panel.logic.options.region is None
    clicking(MIDDLE)
    assert mask_of(panel).any()


def test_a_region_that_is_not_placed_yet_changes_nothing_and_says_so(clicking, panel, scene):
    clicking(MIDDLE)
    before = mask_of(panel)
    panel.ui.regionSelector.setCurrentNode(scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box"))
    assert "'box' is not placed yet" in panel.ui.statusLabel.text
    np.testing.assert_array_equal(mask_of(panel), before)


def test_a_region_is_made_only_for_a_volume(widget, volume):
    assert not widget.ui.regionSelector.addEnabled
    widget.logic.setVolume(volume)
    widget.options.show()
    assert widget.ui.regionSelector.addEnabled


def test_a_region_that_a_transform_moves_is_followed(clicking, panel, region, volume, application):
    panel.ui.regionSelector.setCurrentNode(region)
    clicking(MIDDLE)
    before = mask_of(panel)
    transform, matrix = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode"), np.eye(4)
    matrix[:3, 3] = (3, 0, 0)
    transform.SetMatrixTransformToParent(lib.matrixOfArray(matrix))
    region.SetAndObserveTransformNodeID(transform.GetID())
    settle(application, 0.3)
    box, mask = lib.regionOf(region, volume), mask_of(panel)
    assert (mask & ~before).any()
    assert mask.sum() == mask[box].sum()


def test_a_region_is_where_it_is_in_the_next_volume_too(
    clicking, panel, region, views, application
):
    panel.ui.regionSelector.setCurrentNode(region)
    to_ras = np.diag([-1.0, -1, 1, 1])
    to_ras[:3, 3] = (30, 30, -40)
    fine = slicer.util.addVolumeFromArray(np.zeros((80, 60, 60), np.int16), ijkToRAS=to_ras)
    fine.CreateDefaultDisplayNodes()
    panel.ui.volumeSelector.setCurrentNode(fine)
    views.show(fine)
    settle(application, 0.3)
    clicking(MIDDLE)
    box, mask = lib.regionOf(region, fine), mask_of(panel)
    assert mask.any()
    assert mask.sum() == mask[box].sum()


def test_clicks_go_along_with_a_volume_that_comes_under_a_transform(
    clicking, panel, red, volume, application
):
    clicking(MIDDLE)
    before = mask_of(panel)
    transform, matrix = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode"), np.eye(4)
    matrix[:3, 3] = (12, 0, 0)
    transform.SetMatrixTransformToParent(lib.matrixOfArray(matrix))
    for node in (volume, panel.logic.segmentationNode):
        node.SetAndObserveTransformNodeID(transform.GetID())
    settle(application, 0.3)
    np.testing.assert_array_equal(mask_of(panel), before)
    red.logic.FitSliceToBackground()
    clicking(FAR)
    assert not (before & ~mask_of(panel)).any()
    assert mask_of(panel).sum() > before.sum()
