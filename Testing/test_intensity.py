import numpy as np
import pytest

from fastsam3d.errors import InputError
from fastsam3d.intensity import NORMALISATIONS, normalise


@pytest.fixture
def patch():
    values = np.random.default_rng(0).normal(100, 300, (20, 20, 20)).astype(np.float32)
    values[0, 0] = 30_000
    return values


def test_published_normalisation_measures_the_voxels_above_zero(patch):
    found = normalise(patch, "zscore-positive")
    above = patch[patch > 0]
    np.testing.assert_allclose(found, (patch - above.mean()) / above.std(), rtol=1e-3, atol=1e-5)


def test_clipped_normalisation_keeps_outliers_from_flattening_the_rest(patch):
    found = normalise(patch, "zscore-clipped")
    assert found.mean() == pytest.approx(0, abs=1e-5)
    assert found.std() == pytest.approx(1, abs=1e-5)
    assert found.max() < 4
    assert np.corrcoef(found[1:].ravel(), patch[1:].ravel())[0, 1] > 0.99


def test_ct_is_clamped_only_when_asked(patch):
    clamped = normalise(patch, "zscore-positive", ct_clamp=True)
    np.testing.assert_array_equal(clamped, normalise(patch.clip(-1000, 1000), "zscore-positive"))
    assert np.ptp(clamped) != np.ptp(normalise(patch, "zscore-positive"))


@pytest.mark.parametrize("how", NORMALISATIONS)
@pytest.mark.parametrize("value", [0, 3.7, -1024])
def test_constant_patch_becomes_zero(how, value):
    found = normalise(np.full((8, 8, 8), value, np.float32), how)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, 0)


def test_patch_with_nothing_above_zero_is_measured_whole(patch):
    found = normalise(-np.abs(patch), "zscore-positive")
    assert found.std() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("how", NORMALISATIONS)
def test_patch_itself_is_left_as_it_was(how, patch):
    before = patch.copy()
    normalise(patch, how, ct_clamp=True)
    np.testing.assert_array_equal(patch, before)


def test_unknown_normalisation_is_refused():
    with pytest.raises(InputError, match="zscore-positive"):
        normalise(np.zeros((2, 2, 2), np.float32), "minmax")
