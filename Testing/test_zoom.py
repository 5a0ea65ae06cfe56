import numpy as np
import pytest

from fastsam3d.geometry import Patch
from fastsam3d.grid import Grid
from fastsam3d.zoom import first_patch, next_patch, patch_round

GRID = Grid((200, 200, 200), np.eye(4))
PATCH = Patch((100.0, 100.0, 100.0), 1.0, 64)
MIDDLE = np.array([[31.5, 31.5, 31.5]])


def logits_of(*boxes):
    logits = np.full((32, 32, 32), -5.0, np.float32)
    for box in boxes:
        logits[box] = 5
    return logits


def test_an_object_that_fills_half_of_the_patch_is_left_as_it_is():
    assert next_patch(PATCH, logits_of(np.s_[8:24, 8:24, 8:24]), MIDDLE, GRID) is None


def test_a_small_object_is_looked_at_more_closely_round_its_middle():
    better = next_patch(
        PATCH, logits_of(np.s_[14:18, 14:18, 18:22]), np.array([[31, 31, 39]]), GRID
    )
    assert better.spacing_mm < PATCH.spacing_mm
    assert better.centre_ras == pytest.approx((100, 100, 108))


def test_nothing_found_makes_it_look_more_closely():
    assert next_patch(PATCH, logits_of(), MIDDLE, GRID).spacing_mm == 0.5


def test_an_object_cut_by_a_face_is_looked_at_from_farther():
    better = next_patch(PATCH, logits_of(np.s_[12:20, 12:20, 12:32]), MIDDLE, GRID)
    assert better.spacing_mm > PATCH.spacing_mm
    assert better.centre_ras[2] > 100


def test_a_face_at_the_border_of_the_volume_cuts_nothing():
    patch = Patch((32.0, 100.0, 100.0), 1.0, 64)
    touching = logits_of(np.s_[0:16, 8:24, 8:24])
    points = np.array([[10, 31, 31]])
    assert next_patch(patch, touching, points, GRID) is None


def test_only_the_part_that_was_clicked_counts():
    logits = logits_of(np.s_[8:24, 8:24, 8:24], np.s_[30:32, 30:32, 30:32])
    assert next_patch(PATCH, logits, MIDDLE, GRID) is None


def test_the_first_patch_is_no_larger_than_a_small_volume_needs():
    small = Grid((35, 55, 32), np.eye(4))
    patch = first_patch(np.array([10.0, 20, 10]), small, 1.5, 128)
    assert patch.spacing_mm * patch.size <= 55 + 1e-9


def test_a_patch_round_points_holds_them_all():
    points = np.array([[10.0, 20, 30], [60, 40, 35]])
    assert patch_round(points, GRID, 64).contains(points).all()
