# ruff: noqa: E402 -- packages are asked for before what needs them is imported
"""Five hundred random actions at the panel, with mouse and buttons and while others act, too."""

import gc

import pytest
import slicer

from harness import packages

packages.require()

from endurance import act, check_nodes, check_rests, rest
from FastSAM3DSlicerLib.placing import Placing
from FastSAM3DSlicerLib.watch import Watch
from harness import fastsam, fixtures
from interruption import InterruptedNetwork, Interruption
from leftovers import handlers
from paneluser import PanelUser

application, scene = fixtures.application, fixtures.scene
module, widget = fastsam.module, fastsam.widget

ACTIONS, LOOK_EVERY = 500, 20
GROWTH_KB = 500
"""What may stay of a quarter of the actions: VTK remembers fonts and shaders."""
PLACING = 7
"""Handlers of a panel that follows a points node."""


@pytest.fixture
def interruption(application, monkeypatch):
    """Comes where the panel lets events through and views are drawn."""
    planned, draw = Interruption(), application.layout.render_scheduled

    def draw_and_come():
        draw()
        planned.come()

    monkeypatch.setattr(application.layout, "render_scheduled", draw_and_come)
    return planned


@pytest.fixture
def network(interruption):
    return InterruptedNetwork(interruption)


@pytest.fixture
def user(widget, network, application, interruption):
    widget.logic.engine.open = network.open
    return PanelUser(widget, application, 0, interruption)


@pytest.fixture
def before(user):
    """What is there after much was done, and the scene closed."""
    for name in user.weights:
        user.perform("include")
        user.perform(name)
    return rest(user)


@pytest.mark.slow
def test_five_hundred_random_actions_leave_nothing_behind_the_panel(user, before):
    rests = []
    user.load()
    for n in range(1, ACTIONS + 1):
        act(user)
        check_nodes(user, before.nodes)
        check_panel(user)
        if n % LOOK_EVERY == 0:
            gc.collect()
            segmentations = len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
            follows = user.logic.volumeNode is not None
            assert handlers(Watch) == 3 + segmentations + follows
            assert handlers(Placing) in (PLACING - 5, PLACING)
        if n % (ACTIONS // 4) == 0:
            rests.append(rest(user))
            user.load()
    check_rests(before, rests, GROWTH_KB)


def check_panel(user):
    """Look whether the panel shows what is in use, and no surprise."""
    assert "should not have happened" not in user.ui.statusLabel.text, user.done
    selected = user.ui.segmentsTable.selectedSegmentIDs()
    assert list(selected) == ([user.logic.segmentId] if user.logic.segmentId else []), user.done
