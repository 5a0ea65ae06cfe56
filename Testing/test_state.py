import numpy as np

from fastsam3d.geometry import Patch
from fastsam3d.mosaic import View
from fastsam3d.sight import Click
from fastsam3d.state import KEPT, State

CELLS = 4


def views_at(*places):
    logits = np.ones((CELLS,) * 3, np.float32)
    return [View(Patch((place, 0.0, 0.0), 1.0, 32), place * logits, 0.5) for place in places]


def click_at(place):
    return Click((place, 0.0, 0.0), positive=True)


def test_a_click_goes_to_the_cube_in_which_it_lies_deepest():
    state = State().after((), views_at(0, 10, 20))
    assert state.patch_at(click_at(12.0)).centre_ras[0] == 10
    assert state.patch_at(click_at(-5.0)).centre_ras[0] == 0
    assert state.patch_at(click_at(33.0)) is None


def test_what_was_seen_comes_back_the_newest_last():
    state = State().after((click_at(0.0),), views_at(1, 2, 3))
    assert [view.logits[0, 0, 0] for view in state.views(CELLS)] == [1, 2, 3]
    assert state.patch.centre_ras[0] == 3
    assert state.logits(state.patch, CELLS)[0, 0, 0] == 3
    assert state.logits(Patch((99.0, 0.0, 0.0)), CELLS) is None


def test_the_oldest_cubes_are_let_go():
    state = State().after((), views_at(*range(KEPT + 5)))
    assert len(state.seen) == KEPT
    assert state.seen[0][0].centre_ras[0] == 5
