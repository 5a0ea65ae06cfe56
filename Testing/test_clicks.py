import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from fastsam3d.clicks import Click, bounding_box, largest_error, next_click, paired_rng


@pytest.fixture
def empty():
    return np.zeros((24, 28, 32), bool)


def ball(shape, centre_kji, radius):
    offset = np.indices(shape) - np.reshape(centre_kji, (3, 1, 1, 1))
    return (offset**2).sum(axis=0) <= radius**2


def test_first_click_lies_in_the_thickest_part(empty):
    truth = ball(empty.shape, (12, 18, 20), 7)
    truth[12, 18, 2:20] = True
    assert next_click(truth, empty) == Click((12, 18, 20), positive=True)


def test_depth_is_measured_in_mm(empty):
    flat, thick = empty.copy(), empty.copy()
    flat[4, 2:11, 2:20] = True
    thick[10:13, 20:23, 25:28] = True
    thick[5:10, 10, 19] = thick[9, 10:21, 19] = thick[9, 20, 19:26] = True
    truth = flat | thick
    assert next_click(truth, empty).voxel_kji == (11, 21, 26)
    k, j, _ = next_click(truth, empty, spacing_kji_mm=(8.0, 1.0, 1.0)).voxel_kji
    assert (k, j) == (4, 6)


def test_edge_of_the_volume_is_a_border(empty):
    empty[:9, :9, :9] = True
    assert next_click(empty, np.zeros_like(empty)).voxel_kji == (4, 4, 4)


def test_click_includes_what_was_missed_and_excludes_what_was_wrong(empty):
    truth = ball(empty.shape, (12, 14, 9), 6)
    wrong = ball(empty.shape, (12, 14, 24), 4)
    assert next_click(truth, wrong) == Click((12, 14, 9), positive=True)
    assert next_click(truth, truth | wrong) == Click((12, 14, 24), positive=False)


def test_click_goes_to_the_largest_piece_and_not_to_the_sum_of_small_ones(empty):
    truth = ball(empty.shape, (12, 14, 20), 5)
    dust = empty.copy()
    dust[::3, ::3, :12:3] = True
    assert next_click(truth, dust).voxel_kji == (12, 14, 20)


@pytest.mark.parametrize("fill", [False, True])
def test_perfect_mask_needs_no_click(empty, fill):
    mask = np.full_like(empty, fill)
    assert next_click(mask, mask.copy()) is None


def test_random_click_lies_in_the_inner_half_and_comes_again_with_its_seed(empty):
    truth = ball(empty.shape, (12, 14, 16), 10)

    def draw(seed):
        rng = paired_rng(seed, "case", 1)
        clicks = (next_click(truth, empty, strategy="random", rng=rng) for _ in range(20))
        return [click.voxel_kji for click in clicks]

    assert draw(0) == draw(0) != draw(1)
    away = np.linalg.norm(np.array(draw(0)) - (12, 14, 16), axis=1)
    assert away.max() < 6
    assert away.max() > 2


def test_objects_and_cases_have_generators_of_their_own():
    draws = {paired_rng(0, case, label).integers(1 << 60) for case in "ab" for label in (1, 2)}
    assert len(draws) == 4


@given(st.integers(0, 2**32), st.floats(0.02, 0.6))
def test_click_is_the_deepest_voxel_of_the_largest_piece(seed, density):
    rng = np.random.default_rng(seed)
    truth, mask = rng.random((2, 7, 6, 8)) < density
    spacing = (3.0, 0.7, 1.0)
    click = next_click(truth, mask, spacing_kji_mm=spacing)
    sides = [truth & ~mask, mask & ~truth]
    if click is None:
        assert not any(side.any() for side in sides)
        return
    side = sides[0 if click.positive else 1]
    labels, _ = ndimage.label(side)
    piece = labels == labels[click.voxel_kji]
    assert side[click.voxel_kji]
    assert piece.sum() == max(np.bincount(ndimage.label(s)[0][s]).max(initial=0) for s in sides)
    depth = ndimage.distance_transform_edt(np.pad(piece, 1), spacing)[1:-1, 1:-1, 1:-1]
    assert depth[click.voxel_kji] == pytest.approx(depth.max())


def test_piece_of_error_is_cut_to_its_own_box(empty):
    truth = empty.copy()
    truth[20, 25, 30] = truth[3:6, 7:9, 11:15] = True
    corner, piece = largest_error(truth, empty)
    assert (corner, piece.shape) == ((3, 7, 11), (3, 2, 4))
    assert piece.all()


def test_bounding_box_holds_every_true_voxel_and_no_more(empty):
    assert bounding_box(empty) is None
    empty[2, 9, 30] = empty[17, 4, 5] = True
    assert bounding_box(empty) == (slice(2, 18), slice(4, 10), slice(5, 31))
