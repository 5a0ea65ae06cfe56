import sys

import numpy as np
import pytest

from fastsam3d.classical import TOOLS, FastMarching, GrowFromSeeds, RegionGrowing, draw_ball
from fastsam3d.errors import InputError
from fastsam3d.metrics import dice

SHAPE = (30, 44, 40)
AFFINE = np.diag([-1.0, -1.0, 1.5, 1.0])
ORGAN, VESSEL = (14, 20, 14), (14, 30, 30)


def ball(centre_kji, radius):
    offset = np.indices(SHAPE) - np.reshape(centre_kji, (3, 1, 1, 1))
    return (offset**2).sum(axis=0) <= radius**2


@pytest.fixture
def truth():
    return ball(ORGAN, 9)


@pytest.fixture
def volume(truth):
    noise = np.random.default_rng(0).normal(0, 5, SHAPE)
    return (100 * (truth | ball(VESSEL, 6)) + noise).astype(np.int16)


@pytest.fixture(params=TOOLS)
def tool(request):
    if request.param == GrowFromSeeds.name:
        pytest.importorskip("slicer", reason="Grow from seeds needs slicer-core.")
    return TOOLS[request.param]()


def test_include_and_exclude_clicks_find_the_organ(tool, volume, truth):
    tool.start(volume, AFFINE)
    for voxel, positive in [(ORGAN, True), (VESSEL, False), ((4, 4, 4), False)]:
        mask = tool.click(voxel, positive=positive)
    assert mask.shape == SHAPE
    assert mask.dtype == bool
    assert dice(mask, truth) > 0.8


def test_next_object_starts_afresh(tool, volume):
    tool.start(volume, AFFINE)
    first = tool.click(ORGAN, positive=True).copy()
    tool.click(VESSEL, positive=True)
    tool.start(volume, AFFINE)
    np.testing.assert_array_equal(tool.click(ORGAN, positive=True), first)


def test_nothing_is_marked_outside_the_cube_until_a_click_widens_it(tool):
    rod = np.zeros((9, 9, 240), np.float32)
    rod[3:6, 3:6] = 100
    tool.start(rod, np.diag([2.0, 2.0, 2.0, 1.0]))
    assert not tool.click((4, 4, 20), positive=True)[..., 80:].any()
    mask = tool.click((4, 4, 200), positive=True)
    assert mask[4, 4, 20]
    assert mask[4, 4, 195:203].all()


def test_excluding_first_gives_no_object(tool, volume):
    tool.start(volume, AFFINE)
    assert not tool.click(VESSEL, positive=False).any()


def test_two_slices_are_enough(tool, volume):
    tool.start(volume[14:16], AFFINE)
    assert tool.click((0, *ORGAN[1:]), positive=True).any()


def test_seeds_grow_on_as_if_all_had_been_there_at_once(volume):
    pytest.importorskip("slicer", reason="Grow from seeds needs slicer-core.")
    grown, fresh = GrowFromSeeds(), GrowFromSeeds()
    grown.start(volume, AFFINE)
    for voxel, positive in [(ORGAN, True), (VESSEL, False), ((4, 4, 4), False)]:
        mask = grown.click(voxel, positive=positive)
    fresh.start(volume, AFFINE)
    fresh._clicks = grown._clicks[:-1]
    assert dice(mask, fresh.click(voxel, positive=positive)) > 0.98


def test_grow_from_seeds_reaches_the_edge_of_the_volume(volume, truth):
    pytest.importorskip("slicer", reason="Grow from seeds needs slicer-core.")
    part = (slice(0, 24), slice(10, 30), slice(4, 24))
    tool = GrowFromSeeds()
    tool.start(np.where(truth[part], volume[part], volume[part] - 300), AFFINE)
    tool.click((14, 10, 10), positive=True)
    assert dice(tool.click((22, 1, 1), positive=False), truth[part]) > 0.9


def test_grow_from_seeds_without_slicer_core_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer", None)
    with pytest.raises(InputError, match="pip install"):
        GrowFromSeeds()


def test_region_growing_narrows_its_band_until_no_exclude_click_is_in_it(volume, truth):
    bridged = volume.copy()
    bridged[12:17, 20:30, 14:31] = np.maximum(bridged[12:17, 20:30, 14:31], 88)
    tool = RegionGrowing()
    tool.start(bridged, AFFINE)
    assert tool.click(ORGAN, positive=True)[VESSEL]
    assert not tool.click(VESSEL, positive=False)[VESSEL]


def test_fast_marching_stops_early_without_a_difference(volume):
    clicks = [(ORGAN, True), (VESSEL, False), ((20, 20, 14), True), ((4, 4, 4), False)]
    tool = FastMarching()
    tool.start(volume, AFFINE)
    masks = [tool.click(voxel, positive=positive) for voxel, positive in clicks]
    march = FastMarching._march
    tool._march = lambda starts, latest: march(tool, starts, np.inf)
    tool.start(volume, AFFINE)
    for (voxel, positive), mask in zip(clicks, masks, strict=True):
        np.testing.assert_array_equal(tool.click(voxel, positive=positive), mask)


def test_ball_is_cut_at_the_edge_of_the_array():
    array = np.zeros((5, 5, 5), np.uint8)
    draw_ball(array, (2, 2, 2), 1)
    assert array.sum() == 33
    draw_ball(array, (0, 0, 0), 2)
    assert (array == 2).sum() == 11
