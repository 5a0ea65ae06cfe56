"""What the panel is about goes away, in the middle of a click or after it; or is no good."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import numpy as np
import pytest
import slicer
import vtk

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from FastSAM3DSlicerLib import wording
from FastSAM3DSlicerLib.binding import Lost
from FastSAM3DSlicerLib.statuspanel import REST
from harness import slowpanel
from harness.fastsam import FAR, MIDDLE, mask_of, settle

globals().update(slowpanel.FIXTURES)


@pytest.mark.parametrize("is_during", [True, False])
@pytest.mark.parametrize("what", ["volume", "segmentation", "segment", "scene"])
def test_what_is_gone_is_told_and_no_longer_shown(
    clicking, panel, slow, scene, volume, application, during, what, is_during
):
    clicking(MIDDLE)
    node, segment = panel.logic.segmentationNode, panel.logic.segmentId
    gone = {
        "volume": lambda: scene.RemoveNode(volume),
        "segmentation": lambda: scene.RemoveNode(node),
        "segment": lambda: node.GetSegmentation().RemoveSegment(segment),
        "scene": lambda: scene.Clear(False),
    }[what]
    if is_during:
        during(gone)
        clicking(FAR)
    else:
        gone()
    settle(application)
    assert panel.ui.statusLabel.text == Lost(what).text
    assert panel.ui.busyStack.currentIndex == REST
    assert panel.ui.volumeSelector.currentNode() is panel.logic.volumeNode
    assert panel.ui.segmentationSelector.currentNode() is panel.logic.segmentationNode
    assert "".join(panel.ui.segmentsTable.selectedSegmentIDs()) == panel.logic.segmentId
    assert not panel.placing.isOn
    assert panel.ui.includeButton.enabled == (what in ("segmentation", "segment"))


def test_after_the_scene_was_closed_one_can_begin_anew(clicking, panel, scene, application, views):
    clicking(MIDDLE)
    scene.Clear(False)
    settle(application)
    other = slicer.util.addVolumeFromArray(np.zeros((20, 60, 60), np.int16), name="other")
    views.show(other)
    panel.exit()
    panel.enter()
    clicking(MIDDLE)
    assert panel.logic.volumeNode is other
    assert mask_of(panel).any()


def test_a_panel_that_is_closed_in_the_middle_of_a_click_goes_quietly(
    clicking, panel, slow, during
):
    clicking(MIDDLE)
    closed = during(panel.cleanup)
    clicking(FAR)
    assert closed


@pytest.mark.parametrize(("components", "said"), [(3, "3 components"), (0, "no voxels")])
def test_a_volume_that_cannot_be_segmented_is_refused_in_words(panel, scene, components, said):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "odd")
    if components:
        image = vtk.vtkImageData()
        image.SetDimensions(6, 5, 4)
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, components)
        node.SetAndObserveImageData(image)
    panel.ui.volumeSelector.setCurrentNode(node)
    panel.ui.includeButton.click()
    assert said in panel.ui.statusLabel.text
    assert not panel.ui.includeButton.checked


def test_a_volume_whose_image_is_exchanged_keeps_its_segment(clicking, panel, volume):
    clicking(MIDDLE)
    before = mask_of(panel)
    slicer.util.updateVolumeFromArray(volume, np.full((40, 60, 60), 7, np.int16))
    clicking(FAR)
    assert wording.imageChanged() in panel.ui.statusLabel.text
    assert (mask_of(panel) & before).any()
