import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from fastsam3d.geometry import Patch
from fastsam3d.grid import Grid
from fastsam3d.pieces import (
    clicked_pieces,
    holding,
    largest_piece,
    pieces_at,
    pieces_meeting,
    row_ends,
)

SHAPE = (6, 7, 8)
INSIDE = (slice(2, 4), slice(2, 5), slice(3, 6))


def signs(answer):
    return answer > 0, answer > -np.inf


def labelled(mask, voxels, firm):
    """Say the same in the plain way: label all voxels."""
    parts, _ = ndimage.label(mask | firm)
    if not any(parts[voxel] for voxel in voxels):
        return mask
    inside = np.argwhere(parts)
    nearest = [inside[((inside - voxel) ** 2).sum(1).argmin()] for voxel in voxels]
    clicked = [parts[tuple(voxel)] for voxel in nearest]
    return mask & np.isin(parts, [*clicked, *parts[firm]])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(0, 3), st.booleans())
def test_pieces_are_those_of_labelled_voxels(seed, share, count, some_stay):
    rng = np.random.default_rng(seed)
    mask = rng.random(SHAPE) < share
    firm = (rng.random(SHAPE) < 0.05) & some_stay
    voxels = [tuple(rng.integers(0, SHAPE)) for _ in range(count)]
    wanted = labelled(mask, voxels, firm)
    found = clicked_pieces(mask, np.reshape(voxels, (-1, 3)).astype(float), firm)
    np.testing.assert_array_equal(found, wanted)
    if not firm.any():
        found = clicked_pieces(mask, np.reshape(voxels, (-1, 3)).astype(float))
        np.testing.assert_array_equal(found, wanted)


def test_pieces_meet_at_faces_and_neither_at_edges_nor_round_the_end_of_a_row_or_slice():
    mask = np.zeros((2, 2, 3), bool)
    mask[0, 0, 2] = mask[0, 1, 0] = mask[1, 1, 2] = mask[1, 0, 0] = True
    found = clicked_pieces(mask, np.array([[0.0, 0, 2]]))
    assert np.argwhere(found).tolist() == [[0, 0, 2]]


def test_a_point_beside_all_pieces_speaks_for_the_nearest_if_another_is_met():
    mask = np.zeros(SHAPE, bool)
    mask[0, 0, 0] = mask[3, 3, 0:2] = mask[5, 6, 7] = True
    points = np.array([[0, 0, 0.4], [3, 3, 4], [-1.0, -1, -1]])
    assert np.argwhere(clicked_pieces(mask, points[[0, 2]])).tolist() == [[0, 0, 0]]
    found = clicked_pieces(mask, points)
    assert np.argwhere(found).tolist() == [[0, 0, 0], [3, 3, 0], [3, 3, 1]]
    np.testing.assert_array_equal(clicked_pieces(mask, points[1:]), mask)


@pytest.fixture
def answer():
    """Give an answer in a box of a volume, 4 all over it."""
    return np.full((2, 3, 3), 4.0, np.float32)


def test_nothing_holds_where_the_answer_may_change_everything(answer):
    mask, fixed = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    mask[INSIDE] = mask[0, 0, 0] = True
    assert holding(*signs(answer), INSIDE, mask, fixed) is None


@pytest.mark.parametrize("why", ["fixed", "unseen"])
def test_what_is_fixed_or_unseen_stays_where_it_is_in_the_mask(answer, why):
    mask, fixed = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    mask[2, 3, 4] = True
    if why == "fixed":
        fixed[2, 3, 3:5] = True
    else:
        answer[0, 1, 0:2] = -np.inf
    firm = holding(*signs(answer), INSIDE, mask, fixed)
    assert np.argwhere(firm).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize(
    ("beside", "face"),
    [
        ((1, 3, 4), (0, 1, 1)),
        ((4, 3, 4), (1, 1, 1)),
        ((2, 1, 4), (0, 0, 1)),
        ((2, 5, 4), (0, 2, 1)),
        ((2, 3, 2), (0, 1, 0)),
        ((2, 3, 6), (0, 1, 2)),
    ],
)
def test_an_answer_holds_on_where_it_meets_the_mask_beyond_its_box(answer, beside, face):
    mask, fixed = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    mask[beside] = True
    assert np.argwhere(holding(*signs(answer), INSIDE, mask, fixed)).tolist() == [list(face)]
    answer[face] = -1
    assert holding(*signs(answer), INSIDE, mask, fixed) is None


def test_the_volume_ends_where_the_box_does():
    whole = (slice(0, 6), slice(0, 7), slice(0, 8))
    mask = np.ones(SHAPE, bool)
    assert holding(*signs(np.ones(SHAPE, np.float32)), whole, mask, ~mask) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_single_pieces_are_those_of_labelled_voxels(seed, share):
    rng = np.random.default_rng(seed)
    mask = rng.random(SHAPE) < share
    parts, count = ndimage.label(mask)
    voxels = rng.integers(-1, np.add(SHAPE, 1), (3, 3))
    inside = voxels[((voxels >= 0) & (voxels < SHAPE)).all(1)]
    wanted = np.isin(parts, parts[tuple(inside.T)]) & mask
    found = pieces_at(mask, voxels)
    np.testing.assert_array_equal(np.zeros(SHAPE, bool) if found is None else found, wanted)
    assert (found is None) == (not wanted.any())
    known = rng.random(SHAPE) < 0.1
    wanted = np.isin(parts, parts[known]) & mask
    np.testing.assert_array_equal(pieces_meeting(mask, known), wanted)
    if count:
        wanted = parts == np.bincount(parts[mask]).argmax()
        np.testing.assert_array_equal(largest_piece(mask), wanted)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.3), st.booleans())
def test_the_ends_of_rows_reach_as_far_as_the_whole_mask(seed, share, is_turned):
    rng = np.random.default_rng(seed)
    inside = ndimage.binary_dilation(rng.random((16,) * 3) < share**3)
    turn = Rotation.random(random_state=seed % 1000).as_matrix() if is_turned else np.eye(3)
    affine = np.eye(4)
    affine[:3, :3] = turn * rng.uniform(0.5, 2, 3)
    grid, patch = Grid((60, 70, 80), affine), Patch((20.0, 25.0, 30.0), 1.3, 32)
    assert grid.box_of(patch, row_ends(inside)) == grid.box_of(patch, inside)
