from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from fastsam3d.errors import InputError, out_of_memory
from fastsam3d.images import Volume
from fastsam3d.points import Point, Target
from fastsam3d.postprocess import Postprocessing
from fastsam3d.segment import Engine, Options, open_network, segment_targets


class HalfSession:
    """Takes all voxels beyond an include point along i."""

    confidence = 0.75

    def __init__(self, volume_kji, ijk_to_ras):
        self.mask = np.zeros(volume_kji.shape, bool)
        self.message = ""

    def reset(self):
        self.mask = np.zeros_like(self.mask)

    def start_from(self, mask):
        self.mask = mask.copy()

    def uncertainty(self):
        return 0.25

    def probability(self):
        return self.mask * np.float32(0.75)

    def click(self, point, *, positive=True, space="ras"):
        self.mask[:, :, int(point[0]) :] = positive


@pytest.fixture
def volume():
    return Volume(np.zeros((4, 5, 10), np.float32), np.diag([1.0, 2.0, 5.0, 1.0]), "scan")


def target(name, *x):
    return Target(name, tuple(Point((at, 0.0, 0.0)) for at in x))


def test_where_objects_overlap_the_earlier_keeps_its_voxels(volume):
    targets = [target("right", 6), target("all", 0)]
    outcome = segment_targets(HalfSession, volume, targets)
    assert np.unique(outcome.labels_kji[:, :, 6:]).tolist() == [1]
    assert np.unique(outcome.labels_kji[:, :, :6]).tolist() == [2]
    assert [found.voxels for found in outcome.objects] == [80, 120]
    assert [found.volume_ml for found in outcome.objects] == [0.8, 1.2]


def test_an_object_that_gets_no_voxels_says_so(volume):
    outcome = segment_targets(HalfSession, volume, [target("one", 3), target("two", 4)])
    assert outcome.objects[1].voxels == 0
    assert "nothing was found" in outcome.objects[1].message


def test_each_click_is_told(volume):
    told = []
    targets = [target("one", 6, 5), target("two", 0)]
    segment_targets(HalfSession, volume, targets, on_click=told.append)
    assert told == ["one", "one", "two"]


def test_the_network_says_how_sure_it_is(volume):
    (found,) = segment_targets(HalfSession, volume, [target("one", 6)]).objects
    assert (found.confidence, found.uncertainty) == (0.75, 0.25)


def test_the_likeliest_object_counts_in_the_probability_map(volume):
    targets = [target("one", 6), target("two", 3)]
    outcome = segment_targets(HalfSession, volume, targets, Options(probability=True))
    assert outcome.probability_kji.dtype == np.float32
    assert np.unique(outcome.probability_kji[:, :, 3:]).tolist() == [0.75]
    assert not outcome.probability_kji[:, :, :3].any()
    assert segment_targets(HalfSession, volume, targets).probability_kji is None


def test_each_object_goes_on_from_its_own_label(volume):
    start = np.zeros((4, 5, 10), np.uint8)
    start[:, :, 0], start[:, :, 1] = 1, 2
    targets = [target("one", 8), target("two", 9)]
    outcome = segment_targets(HalfSession, volume, targets, Options(start_kji=start))
    assert np.unique(outcome.labels_kji[:, :, [0, 8, 9]]).tolist() == [1]
    assert np.unique(outcome.labels_kji[:, :, 1]).tolist() == [2]


def test_options_reach_the_session(volume):
    sessions = []

    def open_session(*volume):
        sessions.append(HalfSession(*volume))
        return sessions[0]

    region = (slice(0, 2), slice(0, 3), slice(0, 4))
    options = Options(0.7, region, Postprocessing(fill_holes=True))
    segment_targets(open_session, volume, [target("one", 6)], options)
    assert sessions[0].spacing_mm == 0.7
    assert sessions[0].region == region
    assert sessions[0].postprocessing.fill_holes


@pytest.mark.parametrize("keep", [False, True])
def test_a_mask_to_start_from_is_tidied_by_its_points_only_where_asked_for(volume, keep):
    sessions, start = [], np.zeros((4, 5, 10), np.uint8)
    start[:, :, 0] = 1

    def open_session(*volume):
        sessions.append(HalfSession(*volume))
        return sessions[0]

    asked = Options(postprocessing=Postprocessing(keep_clicked=keep, smooth_voxels=1.0))
    options = replace(asked, start_kji=start)
    segment_targets(open_session, volume, [target("one", 6)], options)
    assert sessions[0].postprocessing == Postprocessing(keep_clicked=keep)
    assert options.of_whole() == Postprocessing(keep_clicked=False, smooth_voxels=1.0)
    assert replace(options, keep_start=False).of_whole() == asked.postprocessing


def test_a_session_goes_its_own_way_without_options(volume):
    session = HalfSession(volume.array_kji, volume.ijk_to_ras)
    session.postprocessing = Postprocessing(fill_holes=True)
    Options().apply(session)
    assert session.postprocessing == Postprocessing(fill_holes=True)


def test_an_engine_hands_its_postprocessing_on(volume, monkeypatch):
    network = SimpleNamespace(device="cpu", ct_clamp=False)
    monkeypatch.setattr("fastsam3d.loading.load_model", lambda *_, **__: network)
    for chosen in (Postprocessing(), Postprocessing(keep_clicked=False)):
        engine = Engine(postprocessing=chosen)
        session = engine.run(lambda opened: opened(volume.array_kji, volume.ijk_to_ras))
        assert session.postprocessing == chosen


def test_other_errors_are_not_taken_for_a_full_memory(volume):
    def open_session(*_):
        raise RuntimeError("shapes differ")

    engine = Engine(_open=open_session, place="cuda:0")
    with pytest.raises(RuntimeError, match="shapes differ"):
        engine.run(partial(segment_targets, volume=volume, targets=[target("one", 1)]))
    assert engine.notes == []


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated"), True),
        (MemoryError(), True),
        (RuntimeError("shapes differ"), False),
    ],
)
def test_a_full_memory_is_recognised(error, full):
    assert out_of_memory(error) == full


def test_an_unknown_network_or_device_is_refused():
    with pytest.raises(InputError, match="preset"):
        open_network("other", None, "cpu")
    with pytest.raises(InputError, match="device"):
        open_network("fastsam3d-default", None, "abacus")
