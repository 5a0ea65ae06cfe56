import numpy as np

from fastsam3d.geometry import Patch
from fastsam3d.mosaic import View
from fastsam3d.refinement import TILES
from fastsam3d.sight import EMBEDDINGS, Click
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


def test_cubes_far_from_the_newest_are_let_go_whenever_they_were_seen():
    places = [*range(30, 30 + KEPT), 0, 1, 50.5]
    state = State().after((), views_at(*places))
    kept = [patch.centre_ras[0] for patch, _ in state.seen]
    assert len(kept) == KEPT
    assert kept[-1] == 50.5
    assert min(kept) > 1


def test_all_the_cubes_of_a_refined_object_are_kept():
    assert KEPT >= TILES
    assert EMBEDDINGS >= TILES


def test_steps_share_what_did_not_change():
    first = State().after((), views_at(1, 2, 3))
    old, changed, _ = first.views(CELLS)
    second = first.after((), [old, changed._replace(logits=-changed.logits), *views_at(4)])
    before, after = dict(first.seen), dict(second.seen)
    assert after[old.patch] is before[old.patch]
    assert after[changed.patch] != before[changed.patch]


def test_the_oldest_cubes_are_let_go():
    state = State().after((), views_at(*range(KEPT + 5)))
    assert len(state.seen) == KEPT
    assert state.seen[0][0].centre_ras[0] == 5
