from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from fastsam3d import ondevice_mask
from fastsam3d.geometry import Patch, box_shape, kji_to_ras, meet
from fastsam3d.history import join
from fastsam3d.mosaic import View, blend
from fastsam3d.ondevice_mask import mask_on
from test_geometry import affines, centres_ras
from test_ondevice import CPU, META, turned
from watching import Watched

few = settings(deadline=None, max_examples=60, derandomize=True, database=None)

SHAPE = (21, 26, 30)
WHOLE = tuple(slice(0, n) for n in SHAPE)


def view(place, ijk_to_ras, seed=0, cells=8):
    centre = kji_to_ras([np.multiply(place, SHAPE)], ijk_to_ras)[0]
    noise = np.random.default_rng(seed).normal(size=(cells,) * 3)
    logits = 20 * ndimage.gaussian_filter(noise, 1).astype(np.float32)
    return View(Patch(tuple(centre), 1.5, 16), logits, 0.9)


def in_numpy(views, ijk_to_ras, within):
    logits = blend(views, SHAPE, ijk_to_ras, within)
    return logits, ~np.isneginf(logits)


def away_from_the_faces(views, ijk_to_ras, within):
    """Tell which voxels lie clearly in or clearly out of each cube."""
    points = centres_ras(SHAPE, ijk_to_ras)[within]
    sure = [
        view.patch.contains(points, 0.01) == view.patch.contains(points, -0.01) for view in views
    ]
    return np.all(sure, axis=0)


def check(views, ijk_to_ras, within):
    """Compare both ways; return what was seen."""
    values, known = mask_on(views, SHAPE, ijk_to_ras, within, CPU)
    logits, shown = in_numpy(views, ijk_to_ras, within)
    sure = away_from_the_faces(views, ijk_to_ras, within)
    assert values.dtype == known.dtype == bool
    assert values.shape == known.shape == box_shape(within)
    np.testing.assert_array_equal(known[sure], shown[sure])
    sure &= np.abs(logits) > 1e-3
    np.testing.assert_array_equal(values[sure], logits[sure] > 0)
    return values, known


@few
@given(
    affines(finest=0.5, coarsest=3),
    st.lists(st.tuples(*[st.floats(-0.3, 1.3)] * 3), min_size=1, max_size=3),
    st.integers(0, 99),
)
def test_mask_by_way_of_a_device_is_where_the_blend_is_positive(ijk_to_ras, places, seed):
    views = [view(place, ijk_to_ras, seed + n) for n, place in enumerate(places)]
    reached = [each.patch.box_in(SHAPE, ijk_to_ras) for each in views]
    for within in (WHOLE, reduce(join, reached), reached[0]):
        check(views, ijk_to_ras, within)


@pytest.mark.parametrize("turn", [0, 15])
def test_lone_cube_shows_both_signs_and_what_it_does_not_reach(turn):
    values, known = check([view((0.5, 0.5, 0.8), turned(turn))], turned(turn), WHOLE)
    assert 0.02 < values.mean() < known.mean() < 0.9
    assert not (values & ~known).any()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("turn", [0, 15])
def test_box_of_any_number_of_voxels_is_packed_whole(turn, count):
    ijk_to_ras = turned(turn)
    views = [view((0.5, 0.5, 0.6), ijk_to_ras), view((0.5, 0.5, 0.3), ijk_to_ras, 1)][:count]
    for side in range(1, 10):
        box = (slice(8, 9), slice(10, 13), slice(12, 12 + side))
        values, _ = check(views, ijk_to_ras, box)
        assert values.size == 3 * side


@pytest.mark.parametrize("within", [np.s_[3:3, 0:9, 0:9], np.s_[0:9, 0:9, 30:30]])
def test_nothing_is_shown_of_an_empty_box(within):
    for views in ([], [view((0.5, 0.5, 0.5), np.eye(4))] * 2):
        values, known = mask_on(views, SHAPE, np.eye(4), within, CPU)
        assert values.shape == known.shape == box_shape(within)


def test_no_cube_shows_nothing():
    values, known = mask_on([], SHAPE, np.eye(4), WHOLE, CPU)
    assert not values.any()
    assert not known.any()


def test_cube_that_reaches_no_voxel_of_the_box_is_not_brought_to_the_device():
    views = [view((0.5, 0.5, 5.0), np.eye(4))] * 2
    with Watched(META) as watched, pytest.raises(NotImplementedError, match="copy out of meta"):
        mask_on(views, SHAPE, np.eye(4), WHOLE, META)
    assert watched.uploads == []


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("turn", [0, 15])
def test_large_box_is_brought_back_in_slabs(turn, count, monkeypatch):
    ijk_to_ras = turned(turn)
    views = [view((0.5, 0.5, 0.6), ijk_to_ras), view((0.5, 0.5, 0.3), ijk_to_ras, 1)][:count]
    within = meet(WHOLE, views[0].patch.box_in(SHAPE, ijk_to_ras))
    whole = mask_on(views, SHAPE, ijk_to_ras, within, CPU)
    _, *plane = box_shape(within)
    monkeypatch.setattr(ondevice_mask, "_SLAB_VOXELS", 3 * plane[0] * plane[1])
    for slabs, one in zip(check(views, ijk_to_ras, within), whole, strict=True):
        np.testing.assert_array_equal(slabs, one)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("turn", [0, 15])
def test_mask_needs_no_float64_and_waits_only_for_its_bits(turn, count):
    ijk_to_ras = turned(turn)
    views = [view((0.5, 0.5, 0.6), ijk_to_ras), view((0.5, 0.5, 0.3), ijk_to_ras, 1)][:count]
    within = views[0].patch.box_in(SHAPE, ijk_to_ras)
    with Watched(CPU):
        mask_on(views, SHAPE, ijk_to_ras, within, CPU)
    # Of the meta device nothing can be copied back: that comes last.
    with Watched(META) as watched, pytest.raises(NotImplementedError, match="copy out of meta"):
        mask_on(views, SHAPE, ijk_to_ras, within, META)
    assert watched.kernels[-3:] == ["add", "add", "add"]
    assert len(watched.kernels) <= 25 * count
    assert max(watched.uploads) <= 4 * 128 * 8
