"""Five hundred random actions: nothing is raised, nothing left over, no other segment touched."""

import gc
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import pytest
import slicer

from endurance import act, check_nodes
from fastsam3d.session import Session
from FastSAM3DSlicerLib.editing import Editing
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.prediction import Prediction
from FastSAM3DSlicerLib.watch import Watch
from harness import mrml
from harness.clicking import new_logic
from harness.mrml import BallNetwork
from leftovers import alive, handlers, kinds, memory_mb, observers
from randomuser import WEIGHTS, RandomUser

scene = mrml.scene

ACTIONS, LOOK_EVERY = 500, 20
MEMORY_LIMIT = 1.10


@dataclass(frozen=True)
class Found:
    """What is there while a logic is at rest and the scene closed."""

    kinds: Counter[str]
    observers: int
    handlers: int
    threads: int
    megabytes: float


def found():
    megabytes = memory_mb()
    return Found(kinds(), observers(), handlers(Watch), threading.active_count(), megabytes)


@pytest.fixture
def logic(scene):
    logic = new_logic(BallNetwork(radius_cells=6))
    yield logic
    logic.close()


@pytest.fixture
def before(logic):
    """What is there after each action was done once, and the scene closed."""
    user = RandomUser(logic, seed=99)
    with pytest.raises(UserError):
        logic.addClick((1e4, 1e4, 1e4))
    for name in WEIGHTS:
        user.include()
        with suppress(UserError):
            getattr(user, name)()
    slicer.mrmlScene.Clear(False)
    return found()


def check_life(user, before):
    gc.collect()
    follows = user.logic.segmentationNode is not None
    assert observers() == before.observers
    assert handlers(Watch) == before.handlers + follows
    assert threading.active_count() == before.threads
    for kind in (Prediction, Session, Editing):
        assert alive(kind) <= 1, kind


def test_five_hundred_random_actions_leave_nothing_behind_and_harm_no_segment(logic, before):
    user = RandomUser(logic, seed=0)
    for n in range(ACTIONS):
        act(user)
        check_nodes(user, before.kinds)
        if n % LOOK_EVERY == 0:
            check_life(user, before)
    slicer.mrmlScene.Clear(False)
    after = found()
    assert after.megabytes <= MEMORY_LIMIT * before.megabytes
    assert after.kinds == before.kinds
    assert (after.observers, after.handlers) == (before.observers, before.handlers)


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
