"""A session that goes on from a mask, by hand or from a file, and what it says of its own."""

import numpy as np
import pytest

import blocks
from blocks import BLOCK
from fastsam3d.errors import InputError
from fastsam3d.session import Session
from standins import volume_with

network, session = blocks.network, blocks.session


def test_an_existing_mask_becomes_the_previous_one(session, network):
    mask = np.zeros(session.mask.shape, bool)
    mask[BLOCK] = True
    session.start_from(mask)
    session.click((20, 18, 20))
    assert network.previous[0].max() == pytest.approx(8.0, abs=0.5)
    assert network.previous[0].min() == -8.0


def test_voxels_edited_by_hand_stay_until_a_click_says_otherwise(session):
    session.click((20, 18, 20), space="ijk")
    painted = session.mask.copy()
    painted[5:8, 5:8, 5:8] = True
    session.edit(painted)
    session.click((21, 18, 20), space="ijk")
    assert session.mask[5:8, 5:8, 5:8].all()
    session.click((6, 6, 6), positive=False, space="ijk")
    assert not session.mask[5:8, 5:8, 5:8].any()


def test_probability_agrees_with_the_mask_and_uncertainty_is_small_when_passes_agree(session):
    session.click((20, 18, 20), space="ijk")
    probability = session.probability()
    assert probability[session.mask].mean() > 0.8
    assert probability[~session.mask].mean() < 0.1
    assert 0 <= session.uncertainty() < 0.3


def test_a_mask_of_another_shape_is_refused(session):
    with pytest.raises(InputError, match="shape"):
        session.start_from(np.zeros((3, 3, 3), bool))


def test_probability_is_there_after_an_edit_by_hand(session):
    session.click((20, 18, 20), space="ijk")
    painted = session.mask.copy()
    painted[20, 18, 20] = True
    session.edit(painted)
    assert session.probability()[session.mask].mean() > 0.5


FAR = np.s_[10:20, 10:20, 170:180]


@pytest.fixture
def far_away(network):
    """Give a session with a click on one object, started anew from another beyond its cube."""
    volume = volume_with(np.s_[10:20, 10:20, 10:20], FAR, shape=(30, 30, 200))
    session = Session(network, volume, np.eye(4), spacing_mm=1.0)
    session.click((15, 15, 15), space="ijk")
    session.start_from(volume_with(FAR, shape=volume.shape) > 0)
    return session


def test_the_first_click_on_a_started_mask_looks_round_both(far_away):
    far_away.click((165, 15, 15), space="ijk")
    assert far_away.patch.contains(np.array([[175, 15, 15], [165, 15, 15]])).all()


def test_a_mask_beyond_the_last_cube_is_refined_and_judged(far_away):
    assert far_away.probability()[FAR].mean() > 0.5
    far_away.refine()
    assert far_away.message == ""
    assert np.abs(far_away.patch.centre_ras[0] - 175) < 10


def test_after_an_edit_the_whole_of_a_long_mask_is_judged(network):
    bar = volume_with(np.s_[4:36, 4:36, 4:396], shape=(40, 40, 400))
    session = Session(network, bar, np.eye(4), spacing_mm=1.0)
    session.click((200, 20, 20), space="ijk")
    painted = session.mask.copy()
    painted[0, 0, 0] = True
    session.edit(painted)
    assert (session.probability()[session.mask] > 0).all()


def test_probability_is_the_mask_where_the_network_has_no_say(session):
    session.region = np.s_[0:40, 0:40, 0:20]
    session.click((18, 18, 20), space="ijk")
    painted = session.mask.copy()
    painted[20, 18, 17:19] = False
    painted[20, 18, 30] = True
    session.edit(painted)
    probability = session.probability()
    np.testing.assert_array_equal(probability[:, :, 20:], session.mask[:, :, 20:])
    assert not probability[20, 18, 17:19].any()
    assert 0 < probability[22, 18, 17] < 1


def test_probability_of_a_started_mask_is_the_mask_before_a_click(session):
    mask = volume_with(BLOCK) > 0
    session.start_from(mask)
    np.testing.assert_array_equal(session.probability(), mask)


LUMP = np.s_[16:22, 14:20, 28:34]


@pytest.fixture
def started(network):
    """Give a session that goes on from the block and a lump that does not belong to it."""
    session = Session(network, volume_with(BLOCK, shape=(40, 40, 60)), np.eye(4), spacing_mm=1.0)
    session.start_from(volume_with(BLOCK, LUMP, shape=(40, 40, 60)) > 0)
    return session


def test_an_exclude_click_takes_a_piece_of_a_started_mask_and_leaves_the_core(started):
    before = started.mask.copy()
    started.model.predict = lambda *_: (np.full((16, 16, 16), -4.0, np.float32), 0.9)
    started.click((30, 17, 19), positive=False, space="ijk")
    assert not started.mask[19, 17, 30]
    assert started.mask[14:26, 12:24, 16:26].all()
    assert not (started.mask & ~before).any()
    assert started._state.views(16)[0].logits.max() > 4


def test_an_include_click_adds_its_piece_and_no_other_to_a_started_mask(network):
    network.predict = lambda bright, *_: (np.where(bright > 0.5, 4, -4).astype(np.float32), 0.9)
    other = np.s_[4:10, 4:10, 4:10]
    session = Session(network, volume_with(BLOCK, other), np.eye(4), spacing_mm=1.0)
    session.start_from(volume_with(np.s_[14:26, 12:24, 16:22]) > 0)
    session.click((25, 18, 20), space="ijk")
    assert session.mask[16:24, 14:22, 16:27].all()
    assert not session.mask[other].any()


def test_an_undone_start_leaves_a_mask_of_the_networks_own(session):
    session.click((20, 18, 20), space="ijk")
    session.start_from(volume_with(np.s_[2:6, 2:6, 2:6]) > 0)
    session.undo()
    session.model.predict = lambda *_: (np.full((16, 16, 16), -4.0, np.float32), 0.9)
    session.click((20, 18, 20), positive=False, space="ijk")
    assert not session.mask.any()


def test_an_empty_start_is_as_a_new_object(session):
    session.click((20, 18, 20), space="ijk")
    own = session.mask.copy()
    session.reset()
    session.start_from(np.zeros_like(own))
    session.click((20, 18, 20), space="ijk")
    np.testing.assert_array_equal(session.mask, own)
