import numpy as np
import pytest

from fastsam3d.geometry import meet
from fastsam3d.history import NOTHING, Change, bounds, join, pack_logits, unpack_logits


@pytest.fixture
def mask():
    return np.random.default_rng(0).random((9, 10, 11)) > 0.5


def test_a_change_turned_twice_changes_nothing(mask):
    before, box = mask.copy(), np.s_[2:5, 1:7, 3:4]
    change = Change.between(mask, box, ~mask[box])
    change.turn(mask)
    np.testing.assert_array_equal(mask[box], ~before[box])
    change.turn(mask)
    np.testing.assert_array_equal(mask, before)


def test_a_change_that_was_packed_turns_the_same_voxels(mask):
    box, packed = np.s_[2:9, 1:7, 3:11], mask.copy()
    values = np.random.default_rng(1).random((7, 6, 8)) < 0.3
    change = Change.between(mask, box, values)
    change.turn(mask)
    change.pack()
    change.pack()
    assert isinstance(change.flipped, bytes)
    assert change.turn(packed) == change.box
    np.testing.assert_array_equal(packed, mask)
    np.testing.assert_array_equal(mask[box], values)


@pytest.mark.parametrize("share", [0, 0.002, 0.02, 0.5, 1])
def test_bounds_hold_what_is_true_and_nothing_beyond(share):
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = rng.random((9, 10, 11)) < share
        there = np.argwhere(mask)
        box = bounds(mask)
        if not len(there):
            assert box == NOTHING
            continue
        assert [part.start for part in box] == there.min(0).tolist()
        assert [part.stop for part in box] == (there.max(0) + 1).tolist()


def test_a_change_keeps_only_the_box_that_differs(mask):
    values = mask.copy()
    values[3, 4, 5] ^= True
    change = Change.between(mask, np.s_[0:9, 0:10, 0:11], values)
    assert change.box == np.s_[3:4, 4:5, 5:6]


def test_no_change_has_an_empty_box(mask):
    box = np.s_[0:9, 0:10, 0:11]
    assert bounds(mask ^ mask) == NOTHING
    assert Change.between(mask, box, mask).turn(mask.copy()) == NOTHING


def test_a_big_change_is_kept_small():
    mask = np.zeros((200, 200, 200), bool)
    ball = ((np.indices(mask.shape) - 100) ** 2).sum(0) < 80**2
    change = Change.between(mask, np.s_[0:200, 0:200, 0:200], ball)
    change.pack()
    assert len(change.flipped) < mask.size / 50


def test_boxes_join_and_meet():
    first, second = np.s_[0:3, 2:5, 1:2], np.s_[2:8, 0:3, 4:6]
    assert join(first, second) == np.s_[0:8, 0:5, 1:6]
    assert join(first, NOTHING) == first
    assert meet(first, second) == np.s_[2:3, 2:3, 4:4]


def test_logits_come_back_to_a_sixteenth():
    logits = np.random.default_rng(0).normal(0, 3, (8, 8, 8)).astype(np.float32)
    kept = unpack_logits(pack_logits(logits), 8)
    assert np.abs(kept - logits.clip(-127 / 16, 127 / 16)).max() <= 1 / 16
