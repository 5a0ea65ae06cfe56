"""A session from click to click: what is marked, taken back, refused and looked at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import blocks
from blocks import BLOCK
from fastsam3d.errors import InputError
from fastsam3d.geometry import box_shape
from fastsam3d.session import Session
from standins import BrightNetwork, volume_with

network, session = blocks.network, blocks.session


def test_a_click_marks_the_object_under_it(session):
    box = session.click((20, 18, 20), space="ijk")
    truth = session.volume_kji > 0.5
    assert (session.mask & truth).sum() > 0.7 * truth.sum()
    assert session.mask[box].sum() == session.mask.sum()


def test_the_changed_box_is_the_smallest(session):
    before = session.mask.copy()
    box = session.click((20, 18, 20))
    changed = np.argwhere(session.mask != before)
    assert [part.start for part in box] == changed.min(0).tolist()
    assert [part.stop for part in box] == (changed.max(0) + 1).tolist()


def test_second_click_in_the_same_patch_does_not_encode_again(session, network):
    session.click((20, 18, 20))
    encoded = network.encoded
    session.click((21, 18, 20))
    assert network.encoded == encoded


def test_the_previous_logits_are_fed_back(session, network):
    session.click((20, 18, 20))
    session.click((21, 18, 20))
    assert network.previous[-1].max() == pytest.approx(4.0, abs=0.1)


AFFINES = {
    "axial": np.diag([1.0, 1.0, 1.0, 1.0]),
    "left-handed": np.diag([-1.0, 1.0, 1.0, 1.0]),
    "stored sagittally": np.array([[0, 0, 1.0, 3], [1, 0, 0, -5], [0, 1, 0, 9], [0, 0, 0, 1]]),
    "thick slices": np.diag([0.8, 0.8, 1.4, 1.0]),
    "oblique": np.array(
        [[0.94, -0.342, 0, 10], [0.342, 0.94, 0, -20], [0, 0, 1.2, 30], [0, 0, 0, 1]]
    ),
}


@pytest.mark.parametrize("name", AFFINES)
def test_an_asymmetric_object_is_found_in_its_place_under_any_affine(network, name):
    truth = volume_with(np.s_[12:28, 14:22, 16:24], np.s_[12:16, 14:30, 16:24])
    session = Session(network, truth, AFFINES[name], spacing_mm=1.0)
    session.click((20, 18, 14), space="ijk")
    inside = truth > 0.5
    overlap = 2 * (session.mask & inside).sum() / (session.mask.sum() + inside.sum())
    away = np.argwhere(session.mask).mean(0) - np.argwhere(inside).mean(0)
    assert overlap > 0.8
    assert np.abs(away).max() < 1


def test_a_small_object_makes_the_patch_zoom_in(network):
    session = Session(network, volume_with(np.s_[18:22, 18:22, 18:22]), np.eye(4), spacing_mm=2.0)
    session.click((20, 20, 20))
    assert session.patch.spacing_mm < 1.0


def test_an_object_that_leaves_the_patch_makes_it_zoom_out(network):
    tube = np.s_[10:34, 10:34, 5:115]
    session = Session(network, volume_with(tube, shape=(44, 44, 120)), np.eye(4), spacing_mm=1.0)
    session.click((30, 21, 21), space="ijk")
    found = np.flatnonzero(session.mask.any((0, 1)))
    assert found[0] <= 12
    assert found[-1] >= 98


def test_a_first_click_that_excludes_is_kept_and_explained(session):
    box = session.click((20, 18, 20), positive=False)
    assert 0 in box_shape(box)
    assert "nothing to exclude" in session.message
    assert len(session.clicks) == 1
    session.click((21, 18, 20))
    assert session.message == ""
    assert session.mask.any()


def test_undo_and_redo_go_back_and_forth_without_limit(session):
    states = [session.mask.copy()]
    for i in range(17, 27):
        session.click((i, 18, 20), positive=i % 3 != 0, space="ijk")
        states.append(session.mask.copy())
    for state in states[-2::-1]:
        session.undo()
        np.testing.assert_array_equal(session.mask, state)
    assert session.undo() is None
    for state in states[1:]:
        session.redo()
        np.testing.assert_array_equal(session.mask, state)
    assert session.redo() is None


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["in", "out", "undo", "redo", "edit", "reset"]), max_size=14))
def test_any_sequence_of_actions_agrees_with_a_list_of_masks(actions):
    rng = np.random.default_rng(0)
    session = Session(BrightNetwork(), volume_with(BLOCK), np.eye(4), spacing_mm=1.0)
    masks, now = [session.mask.copy()], 0
    for action in actions:
        if action == "undo":
            session.undo()
            now = max(now - 1, 0)
        elif action == "redo":
            session.redo()
            now = min(now + 1, len(masks) - 1)
        elif action == "reset":
            session.reset()
            masks, now = [np.zeros_like(session.mask)], 0
        else:
            if action == "edit":
                painted = session.mask.copy()
                painted[tuple(rng.integers(0, 40, 3))] ^= True
                session.edit(painted)
            else:
                session.click(rng.integers(14, 26, 3), positive=action == "in")
            masks, now = [*masks[: now + 1], session.mask.copy()], now + 1
        np.testing.assert_array_equal(session.mask, masks[now])


def test_nothing_is_written_beyond_the_region(network):
    region = (slice(0, 40), slice(0, 40), slice(0, 20))
    session = Session(network, volume_with(BLOCK), np.eye(4), spacing_mm=1.0, region=region)
    session.click((18, 18, 20), space="ijk")
    assert session.mask[:, :, :20].any()
    assert not session.mask[:, :, 20:].any()


def test_reset_forgets_the_clicks_but_not_the_embeddings(session, network):
    session.click((20, 18, 20))
    encoded = network.encoded
    session.reset()
    assert not session.mask.any()
    assert session.clicks == ()
    session.click((20, 18, 20))
    assert network.encoded == encoded


@pytest.mark.parametrize("point", [(99, 0, 0), (0, 0, float("nan")), (1, 2), "abc"])
def test_a_point_outside_or_no_point_is_refused_and_changes_nothing(session, point):
    with pytest.raises(InputError):
        session.click(point)
    assert session.clicks == ()
    assert session.undo() is None


def test_a_click_far_beyond_the_reach_of_a_patch_starts_there_and_keeps_the_rest(network):
    near, far = np.s_[10:20, 10:20, 10:20], np.s_[380:390, 10:20, 10:20]
    volume = volume_with(near, far, shape=(400, 30, 30))
    session = Session(network, volume, np.eye(4), spacing_mm=1.0)
    session.click((15, 15, 15), space="ijk")
    first = session.mask.copy()
    session.click((15, 15, 385), space="ijk")
    assert session.mask[385, 15, 15]
    assert (session.mask & first)[near].any()


def test_a_click_after_undo_to_nothing_is_as_a_first_click(network):
    small = volume_with(np.s_[18:22, 18:22, 18:22])
    session = Session(network, small, np.eye(4), spacing_mm=2.0)
    session.click((20, 20, 20))
    first, patch = session.mask.copy(), session.patch
    session.undo()
    session.click((20, 20, 20))
    np.testing.assert_array_equal(session.mask, first)
    assert session.patch == patch


def test_an_open_ended_region_is_the_whole_volume(network):
    region = (slice(None),) * 3
    session = Session(network, volume_with(BLOCK), np.eye(4), spacing_mm=1.0, region=region)
    session.click((20, 18, 20), space="ijk")
    assert session.mask.any()


def test_an_unknown_space_is_refused(session):
    with pytest.raises(InputError, match="lps"):
        session.click((20, 18, 20), space="lps")


@pytest.mark.parametrize("corner", [(-0.5, -0.5, -0.5), (39.5, 39.5, 39.5)])
def test_the_very_border_of_the_volume_can_be_clicked(session, corner):
    session.click(corner, space="ijk")
    assert len(session.clicks) == 1


def test_a_region_given_later_counts_like_one_given_at_once(session):
    session.region = (slice(None), slice(None), slice(-40, 20))
    session.click((18, 18, 20), space="ijk")
    assert session.region == np.s_[0:40, 0:40, 0:20]
    assert session.mask.any()
    assert not session.mask[:, :, 20:].any()
    with pytest.raises(InputError, match="three slices"):
        session.region = 5


def test_a_picture_in_place_of_a_volume_is_refused_whatever_the_region(network):
    with pytest.raises(InputError, match="3D volume"):
        Session(network, np.zeros((5, 5)), np.eye(4), region=(slice(0, 1),) * 3)
