from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from fastsam3d import ondevice
from fastsam3d.config import CompactConfig
from fastsam3d.geometry import Patch
from fastsam3d.model import CompactNetwork, FastSAM3D
from fastsam3d.mosaic import View
from fastsam3d.ondevice import ScanOnDevice
from fastsam3d.scan import ScanOnHost
from fastsam3d.session import Session
from standins import BrightNetwork

CPU = torch.device("cpu")
PATCH = Patch((10.0, -12.0, 8.0), 1.1, 32)
FULL = "CUDA out of memory"
TINY = CompactConfig(width=16, depth=1, heads=2, embedding=32, middle=8, fine=8)


def oblique():
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", [20, -30, 10], degrees=True).as_matrix()
    return turn @ np.diag([-0.9, 0.8, 1.3, 1.0])


AFFINES = {"along the axes": np.diag([0.9, -1.1, 1.4, 1.0]), "oblique": oblique()}


@pytest.fixture(params=AFFINES)
def host(request):
    volume = np.zeros((40, 48, 44), np.int16)
    volume[10:30, 12:36, 14:34] = 1
    ijk_to_ras = AFFINES[request.param].copy()
    ijk_to_ras[:3, 3] -= ijk_to_ras[:3, :3] @ [22, 24, 20]
    return ScanOnHost(volume, ijk_to_ras)


@pytest.fixture
def view():
    axis = np.linspace(-1, 1, 16)
    ball = 0.8 - np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    return View(PATCH, ball.astype(np.float32), 0.9)


WHOLE = (slice(0, 40), slice(0, 48), slice(0, 44))


def test_a_device_cuts_the_host_s_patches_and_shows_its_masks(host, view):
    scan = ScanOnDevice(host, CPU)
    torch.testing.assert_close(
        scan.sample(PATCH), torch.from_numpy(host.sample(PATCH)), rtol=0, atol=1e-4
    )
    for ours, theirs in zip(scan.signs([view], WHOLE), host.signs([view], WHOLE), strict=True):
        assert (ours != theirs).mean() < 1e-4


def test_what_a_view_does_not_show_is_known(host, view):
    inside, shown = host.signs([view], WHOLE)
    assert inside.any()
    assert shown.any()
    assert not shown.all()
    assert not (inside & ~shown).any()


def test_a_full_device_leaves_the_work_to_the_computer(host, view, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError(FULL)

    scan = ScanOnDevice(host, CPU)
    monkeypatch.setattr(ondevice, "resample_on", lambda *_, **__: full())
    monkeypatch.setattr(ondevice, "mask_on", full)
    np.testing.assert_array_equal(scan.sample(PATCH), host.sample(PATCH))
    for ours, theirs in zip(scan.signs([view], WHOLE), host.signs([view], WHOLE), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_network_on_a_cpu_leaves_the_volume_where_it_is(host):
    assert CompactNetwork(TINY).scan(host) is host


def test_a_network_on_a_cuda_gpu_brings_the_volume_there(host, monkeypatch):
    monkeypatch.setattr(FastSAM3D, "device", torch.device("cuda"))
    monkeypatch.setattr(ondevice, "room_on", lambda device: 1 << 20)
    assert isinstance(CompactNetwork(TINY).scan(host), ScanOnDevice)


class Embedding(BrightNetwork):
    """Takes tensors as well, and has a device that changes."""

    def __init__(self):
        super().__init__()
        self.device = SimpleNamespace(type="cpu")

    def embed_patch(self, patch):
        return super().embed_patch(np.asarray(patch))


def play(host, network):
    session = Session(network, host.volume_kji, host.ijk_to_ras, spacing_mm=1.4)
    masks = []
    for place, positive in (((22, 24, 20), True), ((16, 30, 25), False), ((30, 15, 14), True)):
        session.click(place, positive=positive, space="ijk")
        masks.append(session.mask.copy())
    session.undo()
    return [*masks, session.mask.copy(), session.probability() > 0.5]


class OnDevice(Embedding):
    """Brings volumes to a device, which is the CPU's memory again."""

    def scan(self, host):
        return ScanOnDevice(host, CPU)


def test_a_session_on_a_device_makes_the_masks_of_one_on_the_host(host):
    for ours, theirs in zip(play(host, OnDevice()), play(host, Embedding()), strict=True):
        assert theirs.any()
        assert (ours != theirs).mean() < 1e-4


def test_a_network_that_moves_sees_everything_anew(host):
    network = Embedding()
    session = Session(network, host.volume_kji, host.ijk_to_ras, spacing_mm=1.4)
    session.click((22, 24, 20), space="ijk")
    seen = network.encoded
    session.click((20, 24, 20), space="ijk")
    assert network.encoded == seen
    network.device = SimpleNamespace(type="mps")
    session.click((24, 24, 20), space="ijk")
    assert network.encoded == seen + 1
