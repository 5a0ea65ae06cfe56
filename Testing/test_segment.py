import numpy as np
import pytest

from fastsam3d.errors import InputError
from fastsam3d.images import Volume
from fastsam3d.points import Point, Target
from fastsam3d.segment import Engine, open_network, out_of_memory, segment_targets


class HalfSession:
    """Takes all voxels beyond an include point along i."""

    confidence = 0.75

    def __init__(self, volume_kji, ijk_to_ras):
        self.mask = np.zeros(volume_kji.shape, bool)
        self.message = ""

    def reset(self):
        self.mask = np.zeros_like(self.mask)

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


def test_other_errors_are_not_taken_for_a_full_memory(volume):
    def open_session(*_):
        raise RuntimeError("shapes differ")

    engine = Engine(_open=open_session, place="cuda:0")
    with pytest.raises(RuntimeError, match="shapes differ"):
        engine.segment(volume, [target("one", 1)])
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
