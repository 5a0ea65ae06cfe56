"""Options, weights, uncertainty, surface; and what a saved scene brings back."""
# ruff: noqa: E402, F403 -- packages are asked for before what needs them; what comes are fixtures

import numpy as np
import pytest
import slicer

from harness import packages

packages.require()

from harness.onpanel import *

# isort: split
from FastSAM3DSlicerLib import masking, segments, weights
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.parameters import Parameters
from harness.fastsam import ASIDE, FAR, MIDDLE, mask_of, settle, signs
from harness.mrml import reload_from_mrb

PAUSE_S = 0.9
"""Seconds after which a surface has been brought up to date."""


def test_smoothing_changes_the_mask_of_the_clicks_that_are_there(clicking, panel):
    clicking(MIDDLE)
    plain = mask_of(panel)
    panel.ui.smoothSlider.setValue(2.0)
    assert (mask_of(panel) != plain).any()
    panel.ui.smoothSlider.setValue(0.0)
    np.testing.assert_array_equal(mask_of(panel), plain)


@pytest.mark.parametrize(("box", "option"), [("keepBox", "keepClicked"), ("fillBox", "fillHoles")])
def test_a_box_that_is_ticked_is_an_option_of_the_next_clicks(panel, box, option):
    before = getattr(panel.logic.options, option)
    assert getattr(panel.ui, box).checked == before == (box == "keepBox")
    getattr(panel.ui, box).click()
    assert getattr(panel.logic.options, option) != before
    getattr(panel.ui, box).click()
    assert getattr(panel.logic.options, option) == before


def test_other_segments_stay_as_they_are_unless_one_says_otherwise(clicking, panel):
    clicking(MIDDLE)
    first, before = panel.logic.segmentId, mask_of(panel)
    assert panel.ui.overwriteBox.currentIndex == 0
    panel.ui.nextButton.click()
    clicking(ASIDE)
    np.testing.assert_array_equal(mask_of(panel, first), before)
    panel.ui.overwriteBox.currentIndex = 2
    assert masking.maskingOf(panel.logic.segmentationNode).takesFromOthers
    panel.ui.nextButton.click()
    clicking(ASIDE)
    assert mask_of(panel, first).sum() < before.sum()


def test_before_there_is_a_segmentation_nothing_can_give_way(panel):
    assert not panel.ui.overwriteBox.enabled


def test_a_copy_of_another_segment_can_be_gone_on_from(clicking, panel):
    clicking(MIDDLE)
    first, before = panel.logic.segmentId, mask_of(panel)
    panel.ui.nextButton.click()
    names = [panel.ui.startBox.itemText(row) for row in range(panel.ui.startBox.count)]
    assert names == ["Segment_1"]
    panel.ui.startButton.click()
    np.testing.assert_array_equal(mask_of(panel), before)
    panel.ui.undoButton.click()
    assert not mask_of(panel).any()
    np.testing.assert_array_equal(mask_of(panel, first), before)


def test_segments_of_other_segmentations_are_offered_by_both_names(panel, volume):
    node = segments.newSegmentation(volume)
    node.SetName("old work")
    segments.newSegment(node, "liver")
    panel.options.show()
    assert panel.ui.startBox.currentText == "liver (old work)"


def test_uncertainty_is_shown_in_colour_and_as_a_number_until_the_next_click(
    clicking, panel, volume, application
):
    clicking(MIDDLE)
    panel.ui.uncertaintyButton.click()
    assert panel.ui.uncertaintyButton.checked
    assert "Uncertainty 0." in panel.ui.statusLabel.text
    assert lib.overlayOf(volume) is not None
    settle(application)
    assert lib.overlayOf(volume) is not None
    clicking(FAR)
    assert not panel.ui.uncertaintyButton.checked
    assert lib.overlayOf(volume) is None


def test_pressing_again_removes_the_colours_and_leaves_nothing(clicking, panel, volume, scene):
    clicking(MIDDLE)
    nodes = scene.GetNumberOfNodes()
    panel.ui.uncertaintyButton.click()
    panel.ui.uncertaintyButton.click()
    assert not panel.ui.uncertaintyButton.checked
    assert lib.overlayOf(volume) is None
    assert scene.GetNumberOfNodes() == nodes


def test_the_surface_follows_after_a_pause_and_not_in_the_click(clicking, panel, application):
    clicking(MIDDLE)
    panel.ui.show3DButton.click()
    before = surface_of(panel)
    clicking(ASIDE)
    assert surface_of(panel) == before
    settle(application, PAUSE_S)
    assert surface_of(panel) > before


def surface_of(panel):
    """Return the number of points of the surface of the segment in use."""
    segmentation = panel.logic.segmentationNode.GetSegmentation()
    surface = segmentation.GetSegment(panel.logic.segmentId).GetRepresentation("Closed surface")
    return surface.GetNumberOfPoints()


def test_refining_says_where_there_is_nothing_to_refine(clicking, panel):
    clicking(MIDDLE)
    before = mask_of(panel)
    panel.ui.refineButton.click()
    assert "nothing to refine" in panel.ui.statusLabel.text
    np.testing.assert_array_equal(mask_of(panel), before)


def test_a_saved_scene_opens_where_it_was(clicking, panel, scene, application, tmp_path):
    panel.ui.keepBox.click()
    clicking(MIDDLE)
    clicking(ASIDE, positive=False)
    mask, segment = mask_of(panel), panel.logic.segmentId
    reload_from_mrb(scene, tmp_path / "work.mrb")
    settle(application)
    logic = panel.logic
    assert logic.volumeNode is slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[0]
    assert logic.segmentId == segment
    assert not panel.ui.keepBox.checked
    assert not logic.options.keepClicked
    np.testing.assert_array_equal(mask_of(panel), mask)
    clicking(FAR)
    assert signs(panel) == [True, False, True]
    panel.ui.undoButton.click()
    np.testing.assert_array_equal(mask_of(panel), mask)


class TestWeights:
    @pytest.fixture
    def store(self, monkeypatch, tmp_path):
        monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path))
        return tmp_path

    def choose(self, panel, name):
        panel.ui.weightsBox.currentText = name

    def test_each_tells_its_source_its_licence_and_its_size(self, store, panel):
        self.choose(panel, "sam-med3d")
        assert "huggingface.co/blueyo0/SAM-Med3D" in panel.ui.sourceLabel.text
        assert "Apache-2.0" in panel.ui.licenceLabel.text
        assert "402 MB" in panel.ui.sizeLabel.text
        assert panel.ui.downloadButton.enabled
        assert not panel.ui.removeButton.enabled

    def test_the_default_is_here_and_stays(self, store, panel):
        assert panel.ui.weightsBox.currentText == "fastsam3d-default"
        assert not panel.ui.downloadButton.enabled
        assert not panel.ui.removeButton.enabled

    def test_weights_that_are_not_here_are_not_used(self, store, panel):
        self.choose(panel, "sam-med3d")
        assert panel.logic.engine.preset == "fastsam3d-default"
        assert "press Download" in panel.ui.statusLabel.text

    def test_weights_that_were_fetched_are_used_and_can_be_removed(self, store, panel, monkeypatch):
        def fetch(name, progress):
            assert progress(0.5)
            (store / "sam_med3d_turbo.pth").touch()
            return True

        monkeypatch.setattr(weights, "fetch", fetch)
        self.choose(panel, "sam-med3d")
        panel.ui.downloadButton.click()
        assert panel.logic.engine.preset == Parameters().preset == "sam-med3d"
        panel.ui.removeButton.click()
        assert list(store.glob("*.pth")) == []
        assert panel.logic.engine.preset == "fastsam3d-default"
        assert "removed" in panel.ui.statusLabel.text

    def test_a_download_can_be_cancelled(self, store, panel, monkeypatch):
        def fetch(name, progress):
            panel.ui.cancelButton.click()
            return progress(0.5)

        monkeypatch.setattr(weights, "fetch", fetch)
        self.choose(panel, "sam-med3d")
        panel.ui.downloadButton.click()
        assert "left off" in panel.ui.statusLabel.text
        assert panel.logic.engine.preset == "fastsam3d-default"

    def test_a_scene_that_used_weights_which_are_not_here_goes_on_with_the_default(
        self, store, panel
    ):
        Parameters().preset = "sam-med3d"
        panel.onSceneChanged()
        assert panel.logic.engine.preset == panel.ui.weightsBox.currentText == "fastsam3d-default"

    def test_weights_without_a_checksum_need_the_users_word(self, store, panel, monkeypatch):
        asked, fetched = [], []
        monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", asked.append)
        monkeypatch.setattr(weights, "fetch", lambda *_: fetched.append(1))
        self.choose(panel, "fastsam3d")
        panel.ui.downloadButton.click()
        assert "a checksum of fastsam3d. Accept" in asked[0]
        assert fetched == []
