import numpy as np
import pytest

from fastsam3d import load_model
from fastsam3d.clicks import next_click
from fastsam3d.geometry import Patch, spacing_of
from fastsam3d.grid import Grid
from fastsam3d.images import read_volume
from fastsam3d.mosaic import View
from fastsam3d.pursuit import CUBES, next_cube, prompts
from fastsam3d.session import Session
from fastsam3d.sight import Click
from standins import BrightNetwork, bent_tube, cut_across, cut_at_faces, volume_with

GRID = Grid((200, 200, 200), np.eye(4))
PATCH = Patch((100.0, 100.0, 100.0), 1.0, 64)
INSIDE = (Click((100.0, 100.0, 100.0), positive=True),)


def view_of(box, patch=PATCH):
    logits = np.full((32, 32, 32), -5.0, np.float32)
    logits[box] = 5
    return View(patch, logits, 0.9)


def patches_of(session):
    return [patch for patch, _ in session._state.seen]


@pytest.fixture
def network():
    return BrightNetwork()


def test_a_cube_is_put_over_the_middle_of_a_cut():
    patch = next_cube([view_of(np.s_[10:20, 10:20, 10:32])], INSIDE, GRID)
    assert patch.spacing_mm == PATCH.spacing_mm
    assert patch.centre_ras == pytest.approx((98, 98, 133), abs=1)


def test_a_cut_that_another_cube_shows_is_none():
    further = Patch((100.0, 100.0, 132.0), 1.0, 64)
    views = [view_of(np.s_[10:20, 10:20, 10:32]), view_of(np.s_[10:20, 10:20, 0:20], further)]
    assert next_cube(views, INSIDE, GRID) is None


def test_a_part_that_nobody_clicked_is_not_followed():
    view = view_of(np.s_[10:20, 10:20, 10:20])
    view.logits[26:30, 26:30, 28:32] = 5
    assert next_cube([view], INSIDE, GRID) is None


def test_a_cube_without_a_click_is_asked_about_the_middle_of_the_mask_so_far():
    previous = view_of(np.s_[4:13, 4:13, 4:13]).logits
    patch = Patch((300.0, 100.0, 100.0), 1.0, 64)
    *_, own = prompts(patch, INSIDE, previous)
    assert own.positive
    assert patch.to_patch([own.point_ras])[0] == pytest.approx((16.5, 16.5, 16.5))


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_an_object_of_many_cubes_is_found_whole_at_one_click(network, turn):
    bar = np.moveaxis(volume_with(np.s_[4:36, 4:36, 4:396], shape=(40, 40, 400)), 2, turn)
    session = Session(network, bar, np.eye(4), spacing_mm=1.0)
    session.click(np.insert([20, 20], 2 - turn, 200), space="ijk")
    along = np.flatnonzero(session.mask.any(tuple({0, 1, 2} - {turn})))
    assert (along[0], along[-1]) == pytest.approx((4, 395), abs=8)
    assert cut_at_faces(session.mask, patches_of(session), np.eye(4)) < 0.5
    assert len(session.clicks) == 1


def test_a_bent_tube_is_followed_round_its_bends(network):
    path = [(10, 20, 20), (90, 50, 25), (170, 25, 50), (250, 50, 50), (310, 25, 25)]
    tube, line = bent_tube((320, 70, 70), path, 13)
    session = Session(network, tube.astype(np.float32), np.eye(4), spacing_mm=1.5)
    session.click(np.rint(line[300])[::-1], space="ijk")
    along = np.flatnonzero(session.mask.any((1, 2)))
    assert (along[0], along[-1]) == pytest.approx((3, 317), abs=12)
    assert cut_at_faces(session.mask, patches_of(session), np.eye(4)) < 0.5


def test_a_click_looks_into_so_many_cubes_and_says_that_the_object_goes_on(network):
    endless = volume_with(np.s_[4:36, 4:36, :], shape=(40, 40, 1000))
    session = Session(network, endless, np.eye(4), spacing_mm=1.0)
    session.click((100, 20, 20), space="ijk")
    assert len(patches_of(session)) == CUBES
    assert "goes on" in session.message
    session.click((session.mask.any((0, 1)).nonzero()[0][-1] - 8, 20, 20), space="ijk")
    assert session.mask[:, :, 990].any()
    assert session.message == ""


def test_a_click_in_one_cube_leaves_what_the_others_show(network):
    bar = volume_with(np.s_[4:36, 4:36, 4:396], shape=(40, 40, 400))
    session = Session(network, bar, np.eye(4), spacing_mm=1.0)
    session.click((200, 20, 20), space="ijk")
    before, encoded = session.mask.copy(), network.encoded
    session.click((40, 20, 20), positive=False, space="ijk")
    assert not session.mask[20, 20, 40]
    assert network.encoded == encoded
    np.testing.assert_array_equal(session.mask[:, :, 200:], before[:, :, 200:])


def test_a_click_beyond_the_patch_adds_a_cube_as_fine(network):
    volume = volume_with(np.s_[10:22, 10:22, 10:22], np.s_[10:22, 10:22, 60:72], shape=(32, 32, 90))
    session = Session(network, volume, np.eye(4), spacing_mm=1.0)
    session.click((16, 16, 16), space="ijk")
    session.click((66, 16, 16), space="ijk")
    assert session.patch.spacing_mm == 1.0
    assert session.mask[16, 16, 16]
    assert session.mask[16, 16, 66]


def test_undo_takes_all_the_cubes_of_a_click_back(network):
    bar = volume_with(np.s_[4:36, 4:36, 4:396], shape=(40, 40, 400))
    session = Session(network, bar, np.eye(4), spacing_mm=1.0)
    session.click((200, 20, 20), space="ijk")
    whole = session.mask.copy()
    session.undo()
    assert not session.mask.any()
    session.redo()
    np.testing.assert_array_equal(session.mask, whole)


TUBES = {
    "300 mm": (110, [(4, 20, 30), (30, 37, 23), (55, 23, 37), (80, 20, 27), (104, 33, 30)]),
    "700 mm": (240, [(4, 20, 30), (50, 37, 23), (120, 23, 37), (183, 20, 27), (236, 33, 30)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TUBES)
def test_a_tube_longer_than_a_patch_is_found_to_both_ends(name, default_weights):
    length, path = TUBES[name]
    shape = (length, 60, 60)
    tube, line = bent_tube(shape, path, 6.5)
    noise = np.random.default_rng(0).normal(0, 25, shape)
    scan = (130 * tube + noise).astype(np.int16)
    session = Session(load_model(device="cpu"), scan, np.diag([3.0, 3.0, 3.0, 1.0]))
    step_mm = 3 * np.linalg.norm(np.diff(line, axis=0), axis=1).sum() / 600
    stops = np.arange(30 / step_mm, 600 - 30 / step_mm, 60 / step_mm).astype(int)
    for stop in (*stops, int(600 - 30 / step_mm)):
        session.click(np.rint(line[stop])[::-1], space="ijk")
    along = np.flatnonzero((session.mask & tube).any((1, 2)))
    ends = np.flatnonzero(tube.any((1, 2)))
    assert 3 * (along[0] - ends[0]) < 40
    assert 3 * (ends[-1] - along[-1]) < 40
    within = slice(8, -8)  # the ends are round
    assert cut_across(session.mask[within], tube[within]) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("label", [5, 18])  # liver, colon
def test_a_large_organ_is_not_cut_straight(label, data_folder, default_weights):
    folder = data_folder / "dev" / "totalsegmentator"
    scan = read_volume(folder / "example_ct_3mm_image.nii.gz")
    truth = read_volume(folder / "example_ct_3mm_label.nii.gz").array_kji == label
    session = Session(load_model(device="cpu"), scan.array_kji, scan.ijk_to_ras)
    i, j, k = (float(mm) for mm in spacing_of(scan.ijk_to_ras))
    for _ in range(5):
        click = next_click(truth, session.mask, spacing_kji_mm=(k, j, i))
        session.click(click.voxel_kji[::-1], positive=click.positive, space="ijk")
    assert session.mask.any()
    assert cut_at_faces(session.mask, patches_of(session), scan.ijk_to_ras) < 0.75
