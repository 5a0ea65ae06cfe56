"""Clicks, as the person makes them: real mouse events in real views, and the panel that follows."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import numpy as np

from harness import packages

packages.require()

from harness import fastsam, fixtures
from harness.fastsam import ASIDE, FAR, MIDDLE, mask_of, settle, signs, stop_placing, voxel
from harness.views import DELETE

application, scene, views = fixtures.application, fixtures.scene, fixtures.views
volume, network, module = fixtures.volume, fastsam.network, fastsam.module
widget, red, panel, clicking = fastsam.widget, fastsam.red, fastsam.panel, fastsam.clicking


def coloured(picture):
    """Return where a picture is not grey."""
    return np.ptp(picture.astype(int), axis=-1) > 20


def test_the_volume_that_is_shown_is_taken(panel, volume):
    assert panel.ui.volumeSelector.currentNode() is volume
    assert panel.logic.volumeNode is volume


def test_a_volume_that_was_chosen_is_kept(panel, volume, scene):
    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    panel.ui.volumeSelector.setCurrentNode(other)
    panel.exit()
    panel.enter()
    assert panel.logic.volumeNode is other


def test_a_click_makes_a_mask_in_the_view(clicking, panel, red):
    assert not coloured(red.picture()).any()
    clicking(MIDDLE)
    assert mask_of(panel)[voxel(panel, red, MIDDLE)]
    panel.placing.node.GetDisplayNode().SetVisibility(False)
    picture = coloured(red.picture())
    assert picture[red.size[1] - MIDDLE[1], MIDDLE[0]]
    assert not picture[5, 5]


def test_placing_goes_on_and_takes_the_sign_of_the_button(clicking, panel, red):
    clicking(MIDDLE)
    red.click(FAR)
    clicking(ASIDE, positive=False)
    assert signs(panel) == [True, True, False]
    assert not mask_of(panel)[voxel(panel, red, ASIDE)]


def test_the_point_at_the_mouse_shows_the_sign_before_the_click(clicking, panel, red):
    clicking(MIDDLE)
    red.hover(ASIDE)
    node, last = panel.placing.node, panel.placing.node.GetNumberOfControlPoints() - 1
    assert node.GetNthControlPointSelected(last)
    panel.ui.excludeButton.click()
    assert not node.GetNthControlPointSelected(last)


def test_pressing_the_button_again_ends_placing(clicking, panel, red, application):
    clicking(MIDDLE)
    panel.ui.includeButton.click()
    assert not panel.placing.isOn
    red.click(FAR)
    settle(application)
    assert signs(panel) == [True]


def test_leaving_place_mode_elsewhere_lifts_the_buttons(clicking, panel, application):
    clicking(MIDDLE)
    assert panel.ui.includeButton.checked
    stop_placing(application)
    assert not panel.ui.includeButton.checked


def test_dragging_a_point_takes_the_mask_along(clicking, panel, red, application):
    clicking(MIDDLE)
    stop_placing(application)
    red.drag(MIDDLE, FAR)
    settle(application)
    mask = mask_of(panel)
    assert mask[voxel(panel, red, FAR)]
    assert not mask[voxel(panel, red, MIDDLE)]


def test_a_drag_predicts_at_its_end_and_after_pauses_alone(clicking, panel, red, network):
    clicking(MIDDLE)
    panel.placing.stop()
    decoded = network.decoded
    red.drag(MIDDLE, FAR, steps=30)
    assert network.decoded == decoded


def test_deleting_a_point_takes_its_mask_away(clicking, panel, red, application):
    clicking(MIDDLE)
    clicking(FAR)
    stop_placing(application)
    red.press(DELETE, FAR)
    settle(application)
    assert signs(panel) == [True]
    assert not mask_of(panel)[voxel(panel, red, FAR)]


def test_undo_and_redo_by_buttons(clicking, panel):
    clicking(MIDDLE)
    first = mask_of(panel)
    clicking(FAR)
    second = mask_of(panel)
    panel.ui.undoButton.click()
    np.testing.assert_array_equal(mask_of(panel), first)
    panel.ui.redoButton.click()
    np.testing.assert_array_equal(mask_of(panel), second)


def test_what_undo_put_back_keeps_its_sign_while_the_other_is_chosen(clicking, panel, application):
    clicking(MIDDLE)
    clicking(FAR)
    panel.ui.undoButton.click()
    panel.ui.excludeButton.click()
    panel.ui.redoButton.click()
    settle(application)
    assert signs(panel) == [True, True]


def test_reset_takes_all_points_away_and_can_be_undone(clicking, panel):
    clicking(MIDDLE)
    before = mask_of(panel)
    panel.ui.resetButton.click()
    assert signs(panel) == []
    assert not mask_of(panel).any()
    panel.ui.undoButton.click()
    np.testing.assert_array_equal(mask_of(panel), before)


def test_the_next_segment_begins_with_plus_and_placing_goes_on(clicking, panel, red, application):
    clicking(MIDDLE)
    clicking(ASIDE, positive=False)
    first, before = panel.logic.segmentId, mask_of(panel)
    panel.ui.nextButton.click()
    assert panel.ui.includeButton.checked
    red.click(FAR)
    settle(application)
    assert panel.logic.segmentId != first
    assert signs(panel) == [True]
    assert mask_of(panel)[voxel(panel, red, FAR)]
    np.testing.assert_array_equal(mask_of(panel, first), before)


def test_the_next_segment_may_be_clicked_on_in_the_same_place(clicking, panel):
    clicking(MIDDLE)
    first = mask_of(panel)
    panel.ui.nextButton.click()
    clicking(MIDDLE)
    np.testing.assert_array_equal(mask_of(panel), first)


def test_a_segment_chosen_in_the_table_is_gone_on_with(clicking, panel, red, application):
    clicking(MIDDLE)
    first = panel.logic.segmentId
    panel.ui.nextButton.click()
    clicking(FAR)
    second = mask_of(panel)
    panel.ui.segmentsTable.setSelectedSegmentIDs([first])
    assert panel.logic.segmentId == first
    assert signs(panel) == [True]
    assert panel.placing.isOn
    red.click(ASIDE)
    settle(application)
    assert signs(panel) == [True, True]
    other = next(i for i in panel.ui.segmentsTable.displayedSegmentIDs() if i != first)
    np.testing.assert_array_equal(mask_of(panel, other), second)


def test_the_table_shows_the_segment_in_use(clicking, panel):
    clicking(MIDDLE)
    panel.ui.nextButton.click()
    assert panel.ui.segmentsTable.selectedSegmentIDs() == [panel.logic.segmentId]
    assert panel.ui.segmentationSelector.currentNode() is panel.logic.segmentationNode


def test_the_status_tells_figures_and_what_to_do_next(clicking, panel):
    clicking(MIDDLE)
    assert "go to the next segment" in panel.ui.statusLabel.text
    text = panel.ui.detailLabel.text.replace("\N{NO-BREAK SPACE}", " ")
    for part in ("mL", "confidence 0.90", "fake", "encode", "decode"):
        assert part in text
    clicking(ASIDE)
    assert "encode" not in panel.ui.detailLabel.text


def test_a_first_click_that_excludes_gets_a_message(clicking, panel):
    clicking(MIDDLE, positive=False)
    assert "include" in panel.ui.statusLabel.text
    assert not mask_of(panel).any()


def test_a_click_beside_the_volume_is_refused_in_words(clicking, panel, red):
    clicking(MIDDLE)
    before = mask_of(panel)
    red.node.SetFieldOfView(400.0, 400.0, 1.0)
    clicking((5, 5))
    assert "outside the volume" in panel.ui.statusLabel.text
    assert signs(panel) == [True]
    np.testing.assert_array_equal(mask_of(panel), before)


def test_leaving_the_module_ends_placing(clicking, panel):
    clicking(MIDDLE)
    panel.exit()
    assert not panel.placing.isOn
