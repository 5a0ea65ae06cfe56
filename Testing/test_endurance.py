"""Five hundred random actions: nothing is raised, nothing left over, no other segment touched."""

import gc
import threading
from contextlib import suppress

import numpy as np
import pytest
import slicer

from endurance import act, check_nodes, check_rest, check_rests, rest
from fastsam3d.session import Session
from FastSAM3DSlicerLib.editing import Editing
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from FastSAM3DSlicerLib.prediction import Prediction
from FastSAM3DSlicerLib.watch import Watch
from harness import mrml
from harness.clicking import new_logic
from interruption import InterruptedNetwork, Interruption
from leftovers import alive, handlers, observers
from randomuser import WEIGHTS, RandomUser

scene = mrml.scene

ACTIONS, LOOK_EVERY = 500, 20
MEMORY_LIMIT = 1.10
GROWTH_KB = 300
"""What may stay of a quarter of the actions: the scene knows names."""
CLICKS = 5

LEAKS = {
    "an observer": lambda logic, kept: slicer.mrmlScene.AddObserver("UserEvent", print),
    "a node": lambda logic, kept: kept.append(logic.segmentationNode),
    "a wait for later": lambda logic, kept: kept.append(logic.cancel),
    "an array of 100 kB": lambda logic, kept: kept.append(np.zeros(100_000, np.uint8)),
}


@pytest.fixture
def interruption():
    return Interruption()


@pytest.fixture
def logic(scene, interruption):
    network = InterruptedNetwork(interruption)
    logic = FastSAM3DSlicerLogic(network.open, interruption.come)
    yield logic
    logic.close()


@pytest.fixture
def before(logic):
    """What is there after each action was done once, and the scene closed."""
    user = RandomUser(logic, seed=99)
    with pytest.raises(UserError):
        logic.addClick((1e4, 1e4, 1e4))
    for name in WEIGHTS:
        with suppress(UserError):
            user.include()
            getattr(user, name)()
    return rest(user)


def check_life(user, threads):
    gc.collect()
    segmentations = len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    follows = user.logic.volumeNode is not None
    assert handlers(Watch) == 3 + segmentations + follows
    assert threading.active_count() == threads
    for kind in (Prediction, Session, Editing):
        assert alive(kind) <= 1, kind


@pytest.mark.slow
def test_five_hundred_random_actions_leave_nothing_behind_and_harm_no_segment(
    logic, interruption, before
):
    user, rests = RandomUser(logic, 0, interruption), []
    for n in range(1, ACTIONS + 1):
        act(user)
        check_nodes(user, before.nodes)
        if n % LOOK_EVERY == 0:
            check_life(user, before.threads)
        if n % (ACTIONS // 4) == 0:
            rests.append(rest(user))
            user.load()
    check_rests(before, rests, GROWTH_KB)
    assert rests[-1].process_mb <= MEMORY_LIMIT * before.process_mb


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_what_a_click_leaves_behind_is_found(logic, leak):
    user, kept = RandomUser(logic, seed=0), []
    after_clicks(user, lambda: None)
    before = after_clicks(user, lambda: None)
    check_rest(before, after_clicks(user, lambda: None), GROWTH_KB)
    with pytest.raises(AssertionError):
        check_rest(before, after_clicks(user, lambda: leak(logic, kept)), GROWTH_KB)
    slicer.mrmlScene.RemoveObservers("UserEvent")


def after_clicks(user, leak):
    user.load()
    for _ in range(CLICKS):
        user.include()
        leak()
    return rest(user)


def test_a_closed_logic_listens_no_more(scene):
    listening = observers()
    logic = new_logic()
    RandomUser(logic, seed=0).include()
    assert observers() > listening
    logic.close()
    assert observers() == listening


def test_a_closed_scene_is_not_kept_in_memory(logic):
    RandomUser(logic, seed=0).include()
    slicer.mrmlScene.Clear(False)
    gc.collect()
    assert alive(Session) == 0
