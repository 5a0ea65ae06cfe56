import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fastsam3d.benchmark import ceilings
from fastsam3d.benchmark.ceilings import measured
from fastsam3d.benchmark.speed import DECODE, ENCODE, MASK, PARTS, Speed
from fastsam3d.config import PRESETS, CompactConfig, ModelConfig

ROW = Speed("fastsam3d", ENCODE, "random", "a GPU", "float16", 0.3, 3.0, 0.001, 0.1)
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
def script(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "device")
    yield importlib.import_module("speed")
    sys.modules.pop("speed")


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path):
    for name, config in SMALL.items():
        monkeypatch.setitem(PRESETS, name, config)
    monkeypatch.setitem(ceilings.SIDES, "cpu", 64)
    monkeypatch.setitem(ceilings.COPIED_BYTES, "cpu", 1 << 16)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path))
    measured.cache_clear()
    yield
    measured.cache_clear()


def test_rehearsal_measures_the_parts_and_sweeps(script, tmp_path, capsys):
    arguments = ["--device", "cpu", "--network", "fastsam3d", "--runs", "1", "--seconds", "0"]
    assert script.main([str(tmp_path / "out"), *arguments, "--counts", "1", "5"]) == 0
    found = json.loads((tmp_path / "out" / "speed.json").read_text())
    assert [row["part"] for row in found["speeds"]] == list(PARTS)
    rows = json.loads((tmp_path / "out" / "sweep.json").read_text())["rows"]
    plain = [row for row in rows if row["precision"] == "float32"]
    assert [(row["part"], row["clicks"], row["patch_size"]) for row in plain] == [
        (ENCODE, 3, 128),
        (MASK, 3, 128),
        (DECODE, 1, 128),
        (DECODE, 5, 128),
        (ENCODE, 3, 256),
        (MASK, 3, 256),
    ]
    assert all(row["ms"] > 0 for row in rows)
    assert "MISSED" not in capsys.readouterr().out


def test_without_a_gpu_it_says_so_at_once(script, tmp_path, capsys):
    assert script.main([str(tmp_path / "out")]) == 2
    assert "Got device 'cuda'" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_each_network_is_swept_over_the_sizes_of_patches_that_it_takes(script):
    rows = list(script.swept(script.NETWORKS, "cpu", script.Pace(1, 0), (), script.SIZES))
    sizes = {(row.network, row.patch_size) for row in rows}
    assert sizes == {
        *((name, size) for name in ("fastsam3d", "fastsam3d-default") for size in (128, 256)),
        ("sam-med3d", 128),
    }


def test_what_is_asked_is_told_to_be_met_or_missed(script):
    assert script.verdict(ROW) == (
        "fastsam3d: encode: 0.3 ms, met: 0.4 ms; 10.0 times as fast as plain, met: 5"
    )
    slow = script.verdict(replace(ROW, ms=1.0))
    assert "1 ms, MISSED: 0.4 ms; 3.0 times as fast as plain, MISSED: 5" in slow
    assert script.verdict(replace(ROW, part=DECODE)).endswith("nothing is asked")


def test_clicks_include_and_exclude_in_turn_within_the_patch(script):
    places, labels = script.clicks(5, 128)
    assert labels == [1, 0, 1, 0, 1]
    assert all(0 <= value < 128 for place in places for value in place)
    assert script.clicks(5, 128) == (places, labels)
