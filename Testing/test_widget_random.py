"""Hundreds of random actions in panel and views: nothing breaks, nothing is left behind."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import random

import numpy as np
import pytest

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from harness import fastsam, fixtures
from harness.fastsam import mask_of, settle
from harness.views import DELETE

application, scene, views = fixtures.application, fixtures.scene, fixtures.views
volume, network, module = fixtures.volume, fastsam.network, fastsam.module
widget, red, panel, clicking = fastsam.widget, fastsam.red, fastsam.panel, fastsam.clicking

ACTIONS = 120
NODES_OF_A_SEGMENT = 2
"""Its points and their display."""


class Person:
    """Does one thing or another."""

    def __init__(self, panel, red, application, seed):
        self.panel, self.red, self.application = panel, red, application
        self.random = random.Random(seed)

    def act(self):
        """Do one thing, let the panel follow, and return what it was."""
        kinds = ["click"] * 5 + [
            "drag", "delete", "undo", "redo", "reset", "next", "choose", "uncertainty", "smooth",
            "keep", "leave", "copy",
        ]  # fmt: skip
        kind = self.random.choice(kinds)
        getattr(self, kind)()
        settle(self.application)
        return kind

    def pixel(self):
        return self.random.randrange(40, 260), self.random.randrange(40, 260)

    def press(self, name):
        getattr(self.panel.ui, f"{name}Button").click()

    def click(self):
        button = self.random.choice(["include", "include", "exclude"])
        if not getattr(self.panel.ui, f"{button}Button").checked:
            self.press(button)
        self.red.click(self.pixel())

    def place(self):
        """Return the pixel of a point, or any."""
        node = self.panel.placing.node
        count = node.GetNumberOfControlPoints() if node is not None else 0
        if not count:
            return self.pixel()
        n = self.random.randrange(count)
        return self.red.pixel_of(node.GetNthControlPointPositionWorld(n))

    def drag(self):
        self.panel.placing.stop()
        self.red.drag(self.place(), self.pixel())

    def delete(self):
        self.panel.placing.stop()
        self.red.press(DELETE, self.place())

    def undo(self):
        self.press("undo")

    def redo(self):
        self.press("redo")

    def reset(self):
        self.press("reset")

    def next(self):
        self.press("next")

    def uncertainty(self):
        self.press("uncertainty")

    def copy(self):
        self.press("start")

    def smooth(self):
        self.panel.ui.smoothSlider.setValue(self.random.choice([0.0, 1.0]))

    def keep(self):
        self.panel.ui.keepBox.click()

    def choose(self):
        ids = self.panel.ui.segmentsTable.displayedSegmentIDs()
        if ids:
            self.panel.ui.segmentsTable.setSelectedSegmentIDs([self.random.choice(ids)])

    def leave(self):
        self.panel.exit()
        self.panel.enter()


def masks_of(panel):
    """Return all segments as masks, by id."""
    node = panel.logic.segmentationNode
    ids = [] if node is None else node.GetSegmentation().GetSegmentIDs()
    return {each: mask_of(panel, each) for each in ids}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_random_actions_touch_the_segment_in_use_alone(panel, red, application, scene, seed):
    person, before = Person(panel, red, application, seed), masks_of(panel)
    nodes = scene.GetNumberOfNodes()
    for _ in range(ACTIONS):
        mine = {panel.logic.segmentId}
        kind = person.act()
        after = masks_of(panel)
        for each in before.keys() - mine - {panel.logic.segmentId}:
            np.testing.assert_array_equal(after[each], before[each], err_msg=kind)
        assert "should not have happened" not in panel.ui.statusLabel.text, kind
        assert "".join(panel.ui.segmentsTable.selectedSegmentIDs()) == panel.logic.segmentId
        before = after
    panel.logic.hideUncertainty()
    made = 5 + NODES_OF_A_SEGMENT * len(before)  # segmentation with two, editor, parameters
    assert scene.GetNumberOfNodes() - nodes <= made
