# ruff: noqa: E402 -- packages are asked for before what needs them is imported
"""Five hundred random actions with the panel open, which follows them all."""

import gc
import random

import pytest

from harness import packages

packages.require()

import slicer

from endurance import act, check_nodes
from FastSAM3DSlicerLib.placing import Placing
from FastSAM3DSlicerLib.watch import Watch
from harness import fastsam, fixtures
from harness.mrml import BallNetwork
from leftovers import handlers, kinds
from randomuser import RandomUser

application, scene = fixtures.application, fixtures.scene
module, widget = fastsam.module, fastsam.widget

ACTIONS, LOOK_EVERY = 500, 20


@pytest.fixture
def network():
    return BallNetwork(radius_cells=6)


@pytest.fixture
def user(widget, application):
    slicer.mrmlScene.Clear(False)
    application.processEvents()
    gc.collect()
    return RandomUser(widget.logic, seed=0)


def press_something(ui, chance):
    """Press one of the buttons that can be pressed, now and then."""
    buttons = [ui.includeButton, ui.excludeButton, ui.undoButton, ui.redoButton, ui.nextButton]
    button = chance.choice(buttons)
    if chance.random() < 0.4 and button.enabled:
        button.click()


@pytest.mark.slow
def test_five_hundred_random_actions_leave_nothing_behind_the_panel(user, widget, application):
    chance = random.Random(0)
    slicer.mrmlScene.Clear(False)
    empty, watching, placing = kinds(), handlers(Watch), handlers(Placing)
    user.load()
    for n in range(ACTIONS):
        act(user, widget.attempt)
        press_something(widget.ui, chance)
        fastsam.settle(application)
        check_nodes(user, empty)
        if n % LOOK_EVERY == 0:
            gc.collect()
            assert handlers(Watch) == watching + (user.logic.segmentationNode is not None)
            assert handlers(Placing) in (placing, placing + 5)
    slicer.mrmlScene.Clear(False)
    fastsam.settle(application)
    gc.collect()
    assert kinds() == empty
    assert (handlers(Watch), handlers(Placing)) == (watching, placing)
