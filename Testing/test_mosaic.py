import numpy as np
import pytest

from fastsam3d.geometry import Patch
from fastsam3d.mosaic import View, blend, in_patch, resample_logits

LEFT, RIGHT = Patch((20.0, 20.0, 20.0), 1.0, 32), Patch((36.0, 20.0, 20.0), 1.0, 32)
SHAPE = (40, 40, 60)
WHOLE = tuple(slice(0, n) for n in SHAPE)


def view(patch, value):
    return View(patch, np.full((16, 16, 16), value, np.float32), 0.9)


def along_i(*views, **kinds):
    return blend(views, SHAPE, np.eye(4), WHOLE, **kinds)[20, 20]


def test_cubes_that_agree_show_what_each_shows():
    values = along_i(view(LEFT, 3.0), view(RIGHT, 3.0))
    np.testing.assert_allclose(values[5:52], 3, rtol=1e-5)
    assert np.isneginf(values[[0, 59]]).all()


def test_one_cube_gives_way_to_the_other_without_a_step():
    values = along_i(view(LEFT, 4.0), view(RIGHT, -4.0))
    assert values[8] == pytest.approx(4)
    assert values[48] == pytest.approx(-4)
    assert values[28] == pytest.approx(0, abs=1)
    assert np.abs(np.diff(values[5:52])).max() < 2


def test_a_lone_cube_is_pasted_as_it_is():
    rng = np.random.default_rng(0)
    own = View(LEFT, rng.normal(size=(16, 16, 16)).astype(np.float32), 0.9)
    box, plain = LEFT.paste(own.logits, SHAPE, np.eye(4))
    np.testing.assert_array_equal(blend([own], SHAPE, np.eye(4), box), plain)


def test_what_is_fed_back_fades_towards_the_faces_and_is_unknown_beyond():
    fed = in_patch([view(LEFT, 8.0)], RIGHT, 16)
    assert fed[:, 8, 8][0] == pytest.approx(8)
    assert np.abs(np.diff(fed[:, 8, 8])).max() < 6
    np.testing.assert_array_equal(fed[8:], 0)


def test_logits_come_along_to_another_patch():
    logits = np.full((16, 16, 16), -5.0, np.float32)
    logits[8:] = 5
    moved = resample_logits(logits, LEFT, RIGHT)
    assert moved[:8].min() > 0
    np.testing.assert_array_equal(moved[8:], 0)
