import numpy as np
import pytest

from fastsam3d.errors import InputError
from fastsam3d.images import Volume
from fastsam3d.samegrid import check_on_grid, grid_text, same_grid

OBLIQUE = np.array([[0, -1.4, 0.3, 10], [1, 0.2, 0, -20], [0, 0.1, 2, 5], [0, 0, 0, 1.0]])


def volume(ijk_to_ras=OBLIQUE, shape=(4, 5, 6)):
    return Volume(np.zeros(shape, np.uint8), ijk_to_ras, "scan")


@pytest.mark.parametrize(("moved_mm", "same"), [(0.05, True), (0.3, False)])
def test_grids_are_the_same_to_a_tenth_of_a_voxel(moved_mm, same):
    moved = OBLIQUE.copy()
    moved[:3, 3] += moved_mm
    assert same_grid(volume(moved), volume()) == same


def test_a_little_turn_that_moves_far_voxels_is_another_grid():
    turned = OBLIQUE.copy()
    turned[0, 2] += 0.01
    assert same_grid(volume(turned), volume())
    assert not same_grid(volume(turned, (400, 5, 6)), volume(shape=(400, 5, 6)))


def test_another_shape_is_another_grid():
    assert not same_grid(volume(shape=(4, 5, 7)), volume())


def test_a_grid_is_told_with_its_size_and_place():
    text = grid_text(volume(np.array([[-2, 0, 0, 9], [0, 1, 0, 0], [0, 0, 3, -1], [0, 0, 0, 1.0]])))
    assert text == "6 x 5 x 4 voxels of 2 x 1 x 3 mm from 9.0,0.0,-1.0 to -1.0,4.0,8.0"


def test_labels_elsewhere_are_refused_with_both_grids():
    check_on_grid(volume(), volume())
    with pytest.raises(InputError, match=r"6 x 5 x 4 .* not on the grid .*7 x 5 x 4 .*; resample"):
        check_on_grid(volume(), volume(shape=(4, 5, 7)))
