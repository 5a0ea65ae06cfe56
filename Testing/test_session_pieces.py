"""What a session keeps of an answer in pieces: those that the user has a word in."""

import numpy as np
import pytest

from fastsam3d.postprocess import Postprocessing
from fastsam3d.session import Session
from standins import BrightNetwork, volume_with

ORGAN = np.s_[12:24, 12:24, 18:30]
SPECK = np.s_[4:8, 4:8, 4:8]
IN_ORGAN, IN_SPECK = (24, 18, 18), (6, 6, 6)


class AllNetwork(BrightNetwork):
    """Takes all that is bright, wherever the clicks are, less excluded balls."""

    def predict(self, embedding, points, labels, mask_logits):
        inside, grid = embedding > 0.5, np.indices((16,) * 3)
        for point, label in zip(np.asarray(points) / 2, labels, strict=True):
            if not label:
                inside &= ((grid - point[:, None, None, None]) ** 2).sum(0) > 9
        return np.where(inside, 4.0, -4.0).astype(np.float32), 0.9


def session_on(*boxes):
    return Session(AllNetwork(), volume_with(*boxes), np.eye(4), spacing_mm=1.5)


@pytest.fixture
def session():
    return session_on(ORGAN, SPECK)


def click(session, point, *, positive=True):
    return session.click(point, positive=positive, space="ijk")


def test_a_piece_without_a_click_is_dropped_unless_one_says_otherwise(session):
    click(session, IN_ORGAN)
    assert session.mask[ORGAN].any()
    assert not session.mask[SPECK].any()
    session.postprocessing = Postprocessing(keep_clicked=False)
    click(session, IN_ORGAN)
    assert session.mask[SPECK].any()


def test_a_click_on_a_dropped_piece_brings_it_in_and_undo_and_redo_are_exact(session):
    click(session, IN_ORGAN)
    one = session.mask.copy()
    click(session, IN_SPECK)
    both = session.mask.copy()
    assert both[SPECK].any()
    assert both[ORGAN].any()
    session.undo()
    np.testing.assert_array_equal(session.mask, one)
    session.redo()
    np.testing.assert_array_equal(session.mask, both)


def test_nothing_vanishes_because_no_click_lies_in_the_answer(session):
    click(session, (13, 20, 20))
    assert session.mask[ORGAN].any()
    assert session.mask[SPECK].any()


def test_a_piece_that_an_exclude_cuts_off_is_dropped():
    bar = np.s_[16:24, 16:24, 2:38]
    session = session_on(bar)
    click(session, (8, 20, 20))
    assert session.mask[20, 20, 34]
    click(session, (22, 20, 20), positive=False)
    assert session.mask[20, 20, 8]
    assert not session.mask[:, :, 22:].any()


def test_a_mask_that_was_started_from_stays_though_a_click_lies_in_one_of_its_pieces(session):
    start = volume_with(ORGAN, SPECK) > 0
    session.start_from(start)
    click(session, IN_ORGAN)
    assert session.mask[start].all()
    session.refine()
    assert session.mask[SPECK].any()


def test_excludes_alone_leave_the_other_pieces_of_a_mask(session):
    start = volume_with(ORGAN, SPECK) > 0
    session.start_from(start)
    click(session, IN_ORGAN, positive=False)
    assert not session.mask[18, 18, 24]
    assert session.mask[SPECK].all()


def test_an_answer_round_what_was_painted_stays(session):
    click(session, IN_ORGAN)
    painted = session.mask.copy()
    painted[6, 6, 6] = True
    session.edit(painted)
    click(session, (22, 18, 18))
    assert session.mask[SPECK].sum() > 20


def test_a_piece_that_goes_on_beyond_the_region_stays():
    upper, bend, lower = (
        np.s_[16:24, 30:38, 4:14],
        np.s_[16:24, 10:38, 4:10],
        np.s_[16:24, 10:18, 4:34],
    )
    other = np.s_[16:24, 28:36, 22:28]
    session = session_on(upper, bend, lower, other)
    click(session, (8, 34, 20))
    before = session.mask[lower].copy()
    assert before.any()
    session.region = np.s_[0:40, 0:40, 20:40]
    click(session, (25, 32, 20))
    assert session.mask[20, 32, 25]
    np.testing.assert_array_equal(session.mask[lower], before)


def test_the_probability_still_shows_what_was_dropped(session):
    click(session, IN_ORGAN)
    assert session.probability()[SPECK].max() > 0.5


def test_reset_empties_the_masks_in_their_place(session):
    mask = session.mask
    session.click((20, 18, 20), space="ijk")
    edited = mask.copy()
    edited[2, 3, 4] = True
    session.edit(edited)
    session.undo()
    session.redo()
    box = session.reset()
    assert session.mask is mask
    assert mask[box].shape != (0, 0, 0)
    assert not mask.any()
    assert not session._by_hand.any()


def test_only_the_newest_step_may_be_large_until_there_is_time(session):
    for place in ((20, 18, 20), (21, 18, 20), (19, 18, 20)):
        session.click(place, space="ijk")
    kept = [step.mask.flipped for step in session._past._done]
    assert [isinstance(each, bytes) for each in kept] == [True, True, False]
    session.tidy()
    assert isinstance(session._past._done[-1].mask.flipped, bytes)
    assert session.undo() is not None
