import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from fastsam3d.errors import InputError
from fastsam3d.geometry import Patch
from fastsam3d.grid import COARSEST_MM, FINEST_MM, Grid

GRID = Grid((200, 200, 200), np.eye(4))
PATCH = Patch((100.0, 100.0, 100.0), 1.0, 64)


def test_spacing_stays_within_what_was_trained_and_what_the_voxels_show():
    assert GRID.limit(100, 64) <= COARSEST_MM
    assert GRID.limit(1e-3, 64) == FINEST_MM
    assert Grid((50, 50, 20), np.diag([3, 3, 5, 1])).limit(1e-3, 64) == 0.75


def test_the_part_of_the_volume_under_a_mask_holds_all_its_voxels():
    inside = np.zeros((32, 32, 32), bool)
    inside[4:9, 10:12, 20:30] = True
    box = GRID.box_of(PATCH, inside)
    low, high = PATCH.to_ras([[8, 20, 40], [17, 23, 59]])
    assert [part.start for part in box] <= low[::-1].tolist()
    assert all(part.stop > end for part, end in zip(box, high[::-1], strict=True))


@pytest.mark.parametrize("turn", [0, 25])
def test_no_voxel_inside_lies_beyond_the_part_under_a_mask(turn):
    ijk_to_ras = np.diag([0.8, 1.1, 2.0, 1.0])
    ijk_to_ras[:3, :3] = (
        Rotation.from_euler("xyz", [turn] * 3, degrees=True).as_matrix() @ ijk_to_ras[:3, :3]
    )
    grid = Grid((60, 90, 120), ijk_to_ras)
    patch = Patch(tuple((ijk_to_ras @ (60, 45, 30, 1))[:3]), 1.0, 64)
    logits = np.full((32, 32, 32), -0.1, np.float32)
    logits[10:14, 12:20, 9:25] = 5
    whole, values = patch.paste(logits, grid.shape_kji, ijk_to_ras)
    inside = np.argwhere(values > 0) + [part.start for part in whole]
    box = grid.box_of(patch, logits > 0)
    assert (inside >= [part.start for part in box]).all()
    assert (inside < [part.stop for part in box]).all()
    wider = np.concatenate(
        [inside.min(0) - [part.start for part in box], [part.stop for part in box] - inside.max(0)]
    )
    assert wider.max() < 6


def test_a_region_is_spelt_out_within_the_volume():
    small = Grid((10, 20, 30), np.eye(4))
    assert small.part((slice(None), slice(-5, 99), slice(40, 8))) == np.s_[0:10, 15:20, 30:30]


@pytest.mark.parametrize(
    "region", [3, "abc", (slice(0, 2),) * 2, (slice(0, 2),) * 4, np.s_[0:2, 0.5:2, 0:2]]
)
def test_a_region_that_is_none_is_refused(region):
    with pytest.raises(InputError, match="three slices"):
        GRID.part(region)


def test_a_region_with_a_step_is_refused():
    with pytest.raises(InputError, match="three slices"):
        GRID.part(np.s_[0:9:2, 0:9, 0:9])


@pytest.mark.parametrize("point", ["abc", ["a", "b", "c"], [[1], [2, 3]], None])
def test_a_point_that_is_no_numbers_is_refused_in_a_sentence(point):
    with pytest.raises(InputError, match="give three finite numbers"):
        GRID.world(point, "ras")
