import numpy as np
import pytest

from fastsam3d.edits import Said, agreed, as_logits, keep_edits
from fastsam3d.geometry import Patch
from fastsam3d.metrics import dice
from fastsam3d.mosaic import View

WHOLE = np.s_[0:30, 0:30, 0:60]
CORE = np.s_[5:25, 5:25, 5:25]
LEAK = np.s_[12:18, 12:18, 25:31]


def mask_of(*boxes):
    mask = np.zeros((30, 30, 60), bool)
    for box in boxes:
        mask[box] = True
    return mask


def said(voxel, *included, positive=False, spacing=(1.0, 1.0, 1.0)):
    return Said(
        np.array(voxel), positive, np.reshape(included, (-1, 3)).astype(float), np.array(spacing)
    )


def kept(mask, values, click, by_hand=None, foreign=True):
    by_hand = np.zeros_like(mask) if by_hand is None else by_hand
    return keep_edits(mask, by_hand, WHOLE, values, click, foreign=foreign)[0]


def test_a_network_that_sees_nothing_takes_the_leak_and_not_the_core():
    now = kept(mask_of(CORE, LEAK), mask_of(), said((15, 15, 29)))
    assert not now[13:17, 13:17, 28:30].any()
    assert now[CORE].sum() > 0.98 * 20**3


def test_what_is_nearer_to_an_include_click_stays():
    mask, click = mask_of(CORE, LEAK), (15, 15, 29)
    without = kept(mask, mask_of(), said(click))
    near = kept(mask, mask_of(), said(click, (15, 15, 27)))
    assert not without[15, 15, 28:31].any()
    assert near[15, 15, :28].sum() > without[15, 15, :28].sum()
    assert not near[15, 15, 29]


def test_distances_are_measured_in_mm():
    mask = mask_of(np.s_[5:25, 5:25, 5:55])
    thick = kept(mask, mask_of(), said((15, 15, 50), spacing=(3.0, 1.0, 1.0)))
    removed = np.argwhere(mask & ~thick)
    assert np.ptp(removed[:, 0]) < np.ptp(removed[:, 1])


def test_nothing_is_added_but_the_clicked_piece():
    near, other = np.s_[10:20, 10:20, 25:30], np.s_[0:3, 0:3, 50:55]
    now = kept(mask_of(CORE), mask_of(CORE, near, other), said((15, 15, 27), positive=True))
    np.testing.assert_array_equal(now, mask_of(CORE, near))


def test_a_leak_of_the_network_is_added_no_farther_than_the_click_reaches():
    now = kept(mask_of(CORE), mask_of(np.s_[5:25, 5:25, 5:60]), said((15, 15, 27), positive=True))
    assert now[15, 15, 25:30].all()
    assert not now[:, :, 32:].any()


def test_an_include_click_takes_nothing_and_an_exclude_click_adds_nothing():
    mask, values = mask_of(CORE), mask_of(np.s_[5:15, 5:25, 5:30])
    assert (kept(mask, values, said((20, 15, 15), positive=True)) >= mask).all()
    assert (kept(mask, values, said((15, 15, 28))) <= mask).all()


def test_a_foreign_mask_is_redrawn_where_no_click_was_made():
    values = mask_of(np.s_[6:24, 5:25, 5:25])
    np.testing.assert_array_equal(kept(mask_of(CORE), values, None), values)


def test_a_click_beyond_the_box_gives_nothing_up():
    mask, by_hand = mask_of(CORE), mask_of(CORE)
    now, marks = keep_edits(
        mask, by_hand, np.s_[0:30, 0:30, 0:30], mask_of()[:, :, :30], said((15, 15, 50))
    )
    assert now.sum() == marks.sum() == 20**3


def test_a_piece_given_up_is_no_longer_edited_by_hand():
    mask = mask_of(CORE, LEAK)
    now, marks = keep_edits(mask, mask_of(LEAK), WHOLE, mask_of(CORE), said((15, 15, 29)))
    assert not (marks & ~now)[LEAK].any()
    assert marks[LEAK].sum() < 6**3
    assert now[CORE].all()


@pytest.mark.parametrize("overruled", [False, True])
def test_what_is_remembered_shows_the_mask_that_was_kept(overruled):
    patch, mask = Patch((29.5, 14.5, 14.5), 2.0, 32), mask_of(CORE)
    view = View(patch, np.full((16, 16, 16), -4.0, np.float32), 0.9)
    values = mask_of() if overruled else mask
    (shown,) = agreed([view], WHOLE, values, mask, np.eye(4))
    assert (shown.logits > 0).any() == overruled
    same = as_logits(mask, np.eye(4), patch, 16) > 0
    np.testing.assert_array_equal(shown.logits > 0, same & overruled)


def test_a_part_of_the_volume_is_remembered_in_its_place():
    patch, box = Patch((29.5, 14.5, 14.5), 2.0, 32), np.s_[8:30, 10:30, 20:60]
    mask = mask_of(np.s_[10:28, 12:28, 24:56])
    view = View(patch, np.full((16, 16, 16), -4.0, np.float32), 0.9)
    (shown,) = agreed([view], box, mask_of()[box], mask[box], np.eye(4))
    assert dice(shown.logits > 0, as_logits(mask, np.eye(4), patch, 16) > 0) > 0.85
