"""Small networks in the published ones' and our own's place, for the benchmark of speed."""

import pytest

from fastsam3d.benchmark import ceilings
from fastsam3d.benchmark.ceilings import measured
from fastsam3d.config import PRESETS, CompactConfig, ModelConfig

SMALL = {
    "fastsam3d": ModelConfig(
        attention=("none", "relative"), heads=2, shortcut=False, width=32, embedding=48
    ),
    "sam-med3d": ModelConfig(
        attention=("padded", "relative"), heads=2, shortcut=True, width=32, embedding=48
    ),
    "fastsam3d-default": CompactConfig(width=32, depth=3, heads=2, embedding=32, middle=8, fine=8),
}


@pytest.fixture
def small_networks(monkeypatch, tmp_path):
    """Measure small networks of random weights and small products, and keep no choice."""
    for name, config in SMALL.items():
        monkeypatch.setitem(PRESETS, name, config)
    monkeypatch.setitem(ceilings.SIDES, "cpu", 64)
    monkeypatch.setitem(ceilings.COPIED_BYTES, "cpu", 1 << 16)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path))
    measured.cache_clear()
    yield
    measured.cache_clear()
