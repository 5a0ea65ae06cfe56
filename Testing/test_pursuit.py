import numpy as np
import pytest

from fastsam3d import load_model, pursuit, zoom
from fastsam3d.clicks import next_click
from fastsam3d.geometry import Patch, spacing_of
from fastsam3d.grid import Grid
from fastsam3d.images import read_volume
from fastsam3d.mosaic import View
from fastsam3d.pursuit import CUBES, Cuts, next_cube
from fastsam3d.session import Session
from fastsam3d.sight import Click, Sight, prompts
from standins import (
    BrightNetwork,
    CuttingNetwork,
    SheetNetwork,
    bent_tube,
    cut_across,
    cut_at_faces,
    volume_with,
)

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
    patch = next_cube([view_of(np.s_[10:20, 10:20, 10:32])], Cuts(INSIDE, GRID))
    assert patch.spacing_mm == PATCH.spacing_mm
    assert patch.centre_ras == pytest.approx((98, 98, 133), abs=1)


def test_a_cut_that_another_cube_shows_is_none():
    further = Patch((100.0, 100.0, 132.0), 1.0, 64)
    views = [view_of(np.s_[10:20, 10:20, 10:32]), view_of(np.s_[10:20, 10:20, 0:20], further)]
    assert next_cube(views, Cuts(INSIDE, GRID)) is None


def test_each_view_is_asked_once_where_it_goes_on_however_long_the_object_is(network, monkeypatch):
    asked = []

    def clicked_part(inside, places):
        asked.append(inside)
        return zoom.clicked_part(inside, places)

    monkeypatch.setattr(pursuit, "clicked_part", clicked_part)
    endless = volume_with(np.s_[4:36, 4:36, :], shape=(40, 40, 1000))
    session = Session(network, endless, np.eye(4), spacing_mm=1.0)
    session.click((100, 20, 20), space="ijk")
    assert len(patches_of(session)) == CUBES
    assert len(asked) == CUBES


def test_a_part_that_nobody_clicked_is_not_followed():
    view = view_of(np.s_[10:20, 10:20, 10:20])
    view.logits[26:30, 26:30, 28:32] = 5
    assert next_cube([view], Cuts(INSIDE, GRID)) is None


def test_a_cube_without_a_click_is_asked_about_the_middle_of_the_mask_so_far():
    previous = view_of(np.s_[4:13, 4:13, 4:13]).logits
    patch = Patch((300.0, 100.0, 100.0), 1.0, 64)
    *_, own = prompts(patch, INSIDE, previous)
    assert own.positive
    assert patch.to_patch([own.point_ras])[0] == pytest.approx((16.5, 16.5, 16.5))


def test_a_click_of_our_own_lies_near_the_exclude_on_the_side_of_the_object():
    previous = view_of(np.s_[12:20, 12:20, :]).logits
    clicks = [
        Click((100.0, 100.0, 20.0), positive=True),
        Click((100.0, 108.0, 90.0), positive=False),
    ]
    *_, own = prompts(PATCH, clicks, previous)
    assert 66 < own.point_ras[2] < 90
    assert 7 < np.linalg.norm(np.subtract(own.point_ras, clicks[1].point_ras)) < 20


def test_a_cube_that_holds_no_click_and_no_mask_is_asked_nothing(network):
    far = Patch((300.0, 100.0, 100.0), 1.0, 32)
    empty = np.full((16, 16, 16), -3.0, np.float32)
    view = Sight(network, np.ones((9, 9, 9), np.float32), GRID).decode(far, INSIDE, empty)
    np.testing.assert_array_equal(view.logits, empty)
    assert network.encoded == 0


def test_a_cube_that_the_mask_does_not_reach_is_neither_added_nor_asked_for_again():
    rng = np.random.default_rng(0)
    for _ in range(12):
        angle = rng.uniform(0, 1.2)
        k, j = np.indices((80, 80)) - 40
        sheet = np.zeros((80, 80, 300), np.float32)
        sheet[np.abs(k * np.cos(angle) + j * np.sin(angle)) < 1.2] = 1
        session = Session(SheetNetwork(), sheet, np.eye(4), spacing_mm=rng.uniform(0.6, 1.5))
        session.click((150, 40, 40), space="ijk")
        assert 0 < len(patches_of(session)) <= CUBES
        assert session.model.encoded < 20


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


def test_an_exclude_near_the_rim_of_a_further_cube_takes_away_only_what_is_near(network):
    bar = volume_with(np.s_[4:36, 4:36, 4:396], shape=(40, 40, 400))
    session = Session(network, bar, np.eye(4), spacing_mm=1.0)
    session.click((200, 20, 20), space="ijk")
    before = session.mask.copy()
    for i in (24, 330):
        session.click((i, 7, 7), positive=False, space="ijk")
    lost = np.argwhere(before & ~session.mask)
    away = [np.linalg.norm(lost - (7, 7, i), axis=1) for i in (24, 330)]
    assert len(lost) > 0
    assert np.min(away, 0).max() < 60


def test_an_exclude_in_a_mask_from_elsewhere_takes_away_only_what_is_near(network):
    block = volume_with(np.s_[8:32, 8:32, 8:32])
    session = Session(network, block, np.eye(4))
    session.start_from(block > 0)
    session.click((10, 10, 10), positive=False, space="ijk")
    assert not session.mask[10, 10, 10]
    assert session.mask[16:30, 16:30, 16:30].all()


@pytest.mark.parametrize("neck", [90, 150, 250])
def test_a_leak_cut_at_its_neck_is_gone_from_all_the_cubes_it_went_through(neck):
    bar = volume_with(np.s_[4:36, 4:36, 4:596], shape=(40, 40, 600))
    session = Session(CuttingNetwork(), bar, np.eye(4), spacing_mm=1.0)
    session.click((60, 20, 20), space="ijk")
    assert session.mask[20, 20, 590]
    session.click((neck, 20, 20), positive=False, space="ijk")
    along = np.flatnonzero(session.mask.any((0, 1)))
    assert along[0] < 8
    assert neck - 60 < along[-1] < neck
    session.undo()
    assert session.mask[20, 20, 590]


def test_cubes_without_a_click_have_probabilities_too(network):
    bar = volume_with(np.s_[4:36, 4:36, 4:396], shape=(40, 40, 400))
    session = Session(network, bar, np.eye(4), spacing_mm=1.0)
    session.click((200, 20, 20), space="ijk")
    assert 0 <= session.uncertainty() < 0.3
    assert session.probability()[session.mask].mean() > 0.7


def test_passes_over_an_empty_cube_give_its_own_probabilities(network):
    logits = np.full((16, 16, 16), -3.0, np.float32)
    view = View(Patch((300.0, 100.0, 100.0), 1.0, 32), logits, 0.9)
    soft = Sight(network, np.ones((9, 9, 9), np.float32), GRID).passes(view, INSIDE)
    assert soft == pytest.approx(1 / (1 + np.exp(3)), abs=1e-6)


def test_clicks_that_are_moved_stay_in_the_cube(network, monkeypatch):
    asked = []
    monkeypatch.setattr(
        network,
        "predict",
        lambda _, points, *__: (asked.append(points), (np.ones((16,) * 3, np.float32), 0.9))[1],
    )
    patch = Patch((100.0, 100.0, 100.0), 1.0, 32)
    rim = [Click((100.0, 100.0, 116.0), positive=True), Click((90.0, 84.0, 100.0), positive=False)]
    view = View(patch, np.ones((16, 16, 16), np.float32), 0.9)
    Sight(network, np.ones((9, 9, 9), np.float32), GRID).passes(view, rim)
    assert len(asked) == 4
    assert all(len(points) == 2 and patch.contains(patch.to_ras(points)).all() for points in asked)


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
