import numpy as np
import pytest
from scipy import ndimage

from fastsam3d.errors import InputError
from fastsam3d.geometry import kji_to_ras
from fastsam3d.phantom import ORGANS, make_phantom


@pytest.fixture(scope="module")
def phantom():
    return make_phantom()


def test_it_is_the_same_every_time(phantom):
    again = make_phantom()
    np.testing.assert_array_equal(again.array_kji, phantom.array_kji)
    np.testing.assert_array_equal(again.labels_kji, phantom.labels_kji)


def test_another_seed_draws_another(phantom):
    assert (make_phantom(seed=2).labels_kji != phantom.labels_kji).any()


@pytest.mark.parametrize(
    ("organ", "low_ml", "high_ml"),
    [
        ("liver", 900, 1900),
        ("spleen", 80, 350),
        ("right kidney", 90, 250),
        ("left kidney", 90, 250),
        ("stomach", 100, 700),
        ("gallbladder", 10, 60),
        ("aorta", 40, 200),
    ],
)
def test_organs_are_in_one_piece_and_of_human_size(phantom, organ, low_ml, high_ml):
    mask = phantom.organ(organ)
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels[mask])
    assert sizes.max() > 0.97 * mask.sum()
    assert low_ml < mask.sum() * phantom.voxel_ml < high_ml


def test_organs_are_where_they_belong(phantom):
    right, front, top = {}, {}, {}
    for organ in ORGANS:
        centre = np.argwhere(phantom.organ(organ)).mean(axis=0)
        right[organ], front[organ], top[organ] = kji_to_ras([centre], phantom.ijk_to_ras)[0]
    assert right["liver"] > 20 > -20 > right["spleen"]
    assert right["right kidney"] > 20 > -20 > right["left kidney"]
    assert front["stomach"] > front["aorta"]
    assert top["liver"] > top["right kidney"]


def test_neighbours_touch_with_little_contrast_and_there_is_noise(phantom):
    scan = phantom.array_kji.astype(float)
    liver, spleen = scan[phantom.organ("liver")], scan[phantom.organ("spleen")]
    assert abs(np.median(liver) - np.median(spleen)) < 2 * liver.std()
    assert liver.std() > 10
    assert scan.min() < -800
    assert scan.max() > 300


def test_an_organ_it_does_not_have_is_refused(phantom):
    with pytest.raises(InputError, match="no 'heart'; expected one of liver"):
        phantom.organ("heart")
