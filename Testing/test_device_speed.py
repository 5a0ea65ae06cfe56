import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fastsam3d.benchmark.speed import DECODE, ENCODE, MASK, PARTS, Speed
from smallnets import small_networks as small_networks

ROW = Speed("fastsam3d", ENCODE, "random", "a GPU", "float16", 0.3, 3.0, 0.001, 0.1)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "device")
    yield importlib.import_module("speed")
    sys.modules.pop("speed")


@pytest.fixture(autouse=True)
def _small(small_networks):
    """Measure small networks."""


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
