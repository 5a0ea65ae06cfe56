import numpy as np
import pytest

from fastsam3d.geometry import Patch, box_shape
from fastsam3d.grid import Grid
from fastsam3d.metrics import dice
from fastsam3d.mosaic import View
from fastsam3d.refinement import TILES, finer_cubes, refine, tiles
from fastsam3d.session import Session
from fastsam3d.sight import Click, Sight
from standins import BrightNetwork, bent_tube, cut_at_faces


@pytest.fixture
def network():
    return BrightNetwork()


@pytest.fixture
def tube():
    path = [(10, 30, 30), (50, 70, 30), (90, 70, 70), (120, 40, 60)]
    return bent_tube((130, 100, 100), path, 9)


@pytest.fixture
def session(network, tube):
    mask, line = tube
    session = Session(network, mask.astype(np.float32), np.eye(4), spacing_mm=4.0)
    session.click(np.rint(line[300])[::-1], space="ijk")
    return session


def test_the_border_is_drawn_in_finer_cells(session, tube):
    truth, _ = tube
    before, spacing_mm = dice(session.mask, truth), session.patch.spacing_mm
    session.refine()
    assert session.patch.spacing_mm <= 0.6 * spacing_mm
    assert dice(session.mask, truth) > before + 0.03


def test_no_seam_and_no_cut_is_left_where_cubes_meet(session):
    session.refine()
    patches = [patch for patch, _ in session._state.seen]
    assert len(patches) > 1
    assert cut_at_faces(session.mask, patches, np.eye(4)) < 0.5


def test_refining_is_one_step_and_no_click(session):
    before, after = session.mask.copy(), None
    box = session.refine()
    after = session.mask.copy()
    assert len(session.clicks) == 1
    assert (after != before)[box].sum() == (after != before).sum() > 0
    session.undo()
    np.testing.assert_array_equal(session.mask, before)
    session.redo()
    np.testing.assert_array_equal(session.mask, after)


def test_the_cube_of_the_newest_click_is_the_last_and_the_sureness_that_of_all(
    session, network, tube
):
    points = [np.rint(tube[1][n])[::-1] for n in (80, 520)]
    predict, told = network.predict, iter([0.6, 0.8] * 99)
    for point in points:
        session.click(point, space="ijk")
        network.predict = lambda *asked: (predict(*asked)[0], next(told))
        session.refine()
        network.predict = predict
        assert session.patch.contains(point, margin_mm=2 * session.patch.spacing_mm)
        assert 0.6 < session.confidence < 0.8
        session.undo()


def test_a_cube_that_the_mask_does_not_reach_is_left_as_it_is(network):
    view = ball(Patch((0.0, 0.0, 0.0), 4.0, 32))
    empty = np.full((16, 16, 16), -5.0, np.float32)
    sight = Sight(network, np.zeros((9, 9, 9), np.float32), Grid((9, 9, 9), np.eye(4)))
    inside = [Click((0.0, 0.0, 0.0), positive=True)]
    assert refine(sight, [view], inside, lambda _: empty) == ()
    assert network.encoded == 0


def test_a_later_click_stays_in_the_finer_cubes(session, network, tube):
    session.refine()
    fine, encoded = session.patch.spacing_mm, network.encoded
    session.click(np.rint(tube[1][290])[::-1], space="ijk")
    assert session.patch.spacing_mm == fine
    assert network.encoded == encoded


def test_a_mask_from_elsewhere_is_refined_too(network, tube):
    truth, _ = tube
    session = Session(network, truth.astype(np.float32), np.eye(4))
    session.start_from(np.roll(truth, 1, 0))
    session.refine()
    assert dice(session.mask, truth) > 0.9
    assert session.clicks == ()


def test_what_was_edited_by_hand_stays(session):
    painted = session.mask.copy()
    painted[2:5, 2:5, 2:5] = True
    session.edit(painted)
    session.refine()
    assert session.mask[2:5, 2:5, 2:5].all()


def test_cubes_that_show_something_else_are_not_believed(session, network):
    before = session.mask.copy()
    network.predict = lambda *_: (np.full((16, 16, 16), 4.0, np.float32), 0.9)
    assert 0 in box_shape(session.refine())
    assert "nothing to refine" in session.message
    np.testing.assert_array_equal(session.mask, before)


def test_an_empty_mask_has_nothing_to_refine(network):
    session = Session(network, np.zeros((30, 30, 30), np.float32), np.eye(4))
    assert 0 in box_shape(session.refine())
    assert "nothing to refine" in session.message
    assert session.undo() is None


def ball(patch, cells=16):
    grid = np.indices((cells,) * 3) - (cells - 1) / 2
    logits = np.where((grid**2).sum(0) < (0.3 * cells) ** 2, 5, -5).astype(np.float32)
    return View(patch, logits, 0.9)


def test_cells_get_no_finer_than_the_voxels():
    view = ball(Patch((0, 0, 0), 4.0, 32))
    coarse, fine = (Grid((40, 40, 40), np.diag([mm, mm, mm, 1])) for mm in (8.0, 3.0))
    assert finer_cubes([view], coarse) == []
    assert {patch.spacing_mm for patch in finer_cubes([view], fine)} == {2.0}


def test_cubes_are_few_however_large_the_object():
    full = View(Patch((0, 0, 0), 4.0, 32), np.full((16, 16, 16), 5, np.float32), 0.9)
    patches = finer_cubes([full], Grid((400, 400, 400), np.diag([0.3, 0.3, 0.3, 1])))
    assert 1 < len(patches) <= TILES
    assert patches[0].spacing_mm < 4


def test_tiles_hold_all_the_points_away_from_outer_faces():
    points = np.random.default_rng(0).uniform(-100, 200, (500, 3)) * (1, 0.2, 0.5)
    patches = tiles(points, 1.0, 64)
    held = [patch.contains(points, margin_mm=7.9) for patch in patches]
    assert np.any(held, 0).all()
    assert all(each.any() for each in held)
