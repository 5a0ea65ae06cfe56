# ruff: noqa: E402 -- packages are asked for before what needs them is imported
import json
import os
from functools import partial

import numpy as np
import pytest
import torch

from harness import packages

packages.require()

import bench
import bench_growth_patch
import bench_growth_session
import bench_growth_slicer
from bench_growth import Curve, freshly, most_mb

SHAPES_KJI = ((48, 64, 64), (64, 64, 64), (160, 64, 64))
SIZES = (1, 2, 4, 8)


def curve(*values):
    return Curve.of("what", "ms", SIZES, values)


@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_straight_lines_and_better_are_no_faster_than_one(power):
    grown = curve(*(3 * size**power for size in SIZES))
    assert grown.power == pytest.approx(power, abs=1e-3)
    assert grown.is_straight
    assert "no faster" in grown.verdict


@pytest.mark.parametrize("power", [1.5, 2])
def test_what_grows_faster_than_a_straight_line_is_told(power):
    grown = curve(*(3 * size**power for size in SIZES))
    assert not grown.is_straight
    assert "FASTER" in grown.verdict
    assert not curve(*(100 + size**3 for size in SIZES)).is_straight


def test_noise_and_a_fall_before_a_level_are_not_held_against_it():
    assert curve(100, 110, 95, 108).is_straight
    assert curve(100, 80, 60, 60).excess == pytest.approx(0.75, abs=1e-3)


def test_fresh_process_is_another_one_with_as_many_threads():
    assert freshly(os.getpid) != os.getpid()
    assert freshly(torch.get_num_threads) == torch.get_num_threads()


def test_most_memory_is_that_of_the_action_alone():
    assert 78 < freshly(most_mb, partial(np.ones, 10_000_000)) < 90


@pytest.fixture
def small(monkeypatch, default_weights):
    """Have growth measured at small sizes; only what is drawn in views in a fresh process."""
    monkeypatch.setattr(bench_growth_session, "GAMES", 1)
    monkeypatch.setattr(bench_growth_patch, "REPEATS", 1)
    for module, name, sizes in (
        (bench_growth_session, "volumes", (SHAPES_KJI, here)),
        (bench_growth_session, "clicks", ((1, 2, 4), SHAPES_KJI[0])),
        (bench_growth_slicer, "segments", ((1, 2),)),
        (bench_growth_patch, "patches", ((32, 64, 96), here)),
    ):
        measure = getattr(module, name)
        monkeypatch.setattr(module, name, lambda own=measure, given=sizes: own(*given))


def here(action, *arguments):
    return action(*arguments)


@pytest.mark.slow
def test_growth_is_measured_told_and_drawn(small, tmp_path, capsys):
    picture, figures = tmp_path / "growth.png", tmp_path / "growth.json"
    threads = torch.get_num_threads()
    bench.main([bench.Part.GROWTH], threads=threads, picture=picture, json_file=figures)
    told = capsys.readouterr().out
    panels = json.loads(figures.read_text())["growth"]
    assert [panel["title"] for panel in panels] == ["Volume", "Clicks", "Segments", "Patch"]
    assert [len(panel["names"]) for panel in panels] == [3, 3, 2, 3]
    for panel in panels:
        assert {each["unit"] for each in panel["curves"]} == {"ms", "MB"}
        for each in panel["curves"]:
            sizes, values = zip(*each["points"], strict=True)
            assert len(sizes) == len(panel["names"])
            assert list(sizes) == sorted(sizes)
            assert min(values) > 0 or each["unit"] == "MB"
            assert f"{each['what']}, {each['unit']} " in told
            assert f"\n{each['what']}: {'time' if each['unit'] == 'ms' else 'memory'} grows" in told
    assert picture.read_bytes().startswith(b"\x89PNG")
