import numpy as np

from fastsam3d.postprocess import Postprocessing

CLICK = np.array([[5.0, 5.0, 5.0]])


def block_with_cavity():
    mask = np.zeros((16, 16, 16), bool)
    mask[2:10, 2:10, 2:10] = True
    mask[6, 6, 6] = False
    mask[13:15, 13:15, 13:15] = True
    return mask


def test_all_that_is_done_may_be_left_out():
    mask = block_with_cavity()
    np.testing.assert_array_equal(Postprocessing(keep_clicked=False).apply(mask, CLICK), mask)


def test_a_cavity_is_filled():
    filled = Postprocessing(keep_clicked=False, fill_holes=True).apply(block_with_cavity(), CLICK)
    assert filled[6, 6, 6]
    assert filled.sum() == 8**3 + 2**3


def test_only_parts_that_were_clicked_are_kept():
    kept = Postprocessing().apply(block_with_cavity(), CLICK)
    assert kept.sum() == 8**3 - 1


def test_a_part_that_touches_what_stays_is_kept_without_a_click():
    firm = np.zeros((16, 16, 16), bool)
    firm[12, 13, 13] = True
    kept = Postprocessing().apply(block_with_cavity(), CLICK, firm)
    np.testing.assert_array_equal(kept, block_with_cavity())


def test_without_a_click_every_part_is_kept():
    mask = block_with_cavity()
    np.testing.assert_array_equal(Postprocessing().apply(mask, np.zeros((0, 3))), mask)


def test_a_click_beside_every_part_keeps_them_all():
    mask = block_with_cavity()
    kept = Postprocessing().apply(mask, np.array([[0.0, 0, 0], [99, 0, 0]]))
    np.testing.assert_array_equal(kept, mask)


def test_smoothing_rounds_a_corner_and_keeps_the_middle():
    smooth = Postprocessing(smooth_voxels=1.5).apply(block_with_cavity(), CLICK)
    assert not smooth[2, 2, 2]
    assert smooth[5, 5, 5]
