import importlib
import json
import re
import sys
from pathlib import Path

import pytest

from fastsam3d.benchmark import ablation, efficiency
from fastsam3d.benchmark.measurement import Counted, Outcome, Timed

GIVEN = Outcome(Counted(5_000_000, 7, 9), Timed((2.0, 3.0), 64.0, "some memory"))
SMALL = (
    "--system", "fastsam3d-default", "--geometry", "fastsam3d-default", "--tokens", "4",
    "--segments", "16", "--dilations", "4",
)  # fmt: skip
MOST_FILES, MOST_BYTES = 8, 16 * 2**20


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "device"))
    yield importlib.import_module("benchmark")
    sys.modules.pop("benchmark", None)


@pytest.fixture
def requests(monkeypatch):
    """Answer measurements at once; keeps what they were."""
    asked = []

    def watched(request, limit_s):
        asked.append(request)
        return GIVEN

    for module in (ablation, efficiency):
        monkeypatch.setattr(module, "watched", watched)
    return asked


def run(script, folder, *more, seconds=600):
    assert script.main([str(folder), f"--seconds={seconds}", *more]) == 0


def rows(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def test_rehearsal_measures_the_first_form_in_a_process_of_its_own(script, tmp_path, capsys):
    once = ("--device=cpu", "--part=ablation", "--runs=1", "--limit-seconds=600")
    run(script, tmp_path, *once, *SMALL, seconds=0.001)
    (row,) = rows(tmp_path, "ablation")
    assert (row["form"], row["tokens"], row["skipped"]) == ("plain", 4, "")
    assert row["ms_median"] > 0
    assert row["peak_mb"] > 0
    said = capsys.readouterr().err
    assert "fastsam3d-default, 4³ tokens, neither, cpu: " in said
    assert "Next: the same command again" in said


def test_everything_for_a_gpu_fits_into_the_files_that_come_back(
    script, requests, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("fastsam3d.inputs._available", lambda: ["cuda", "cpu"])
    run(script, tmp_path, "--segments", "64", "256", "--dilations", "1", "2")
    files = sorted(path.name for path in tmp_path.iterdir())
    sweeps = [
        f"sweep-{geometry}-{tokens}-cuda-bfloat16.png"
        for geometry in ("fastsam3d-default", "published")
        for tokens in (16, 8)
    ]
    assert files == ["ablation.jsonl", "efficiency.jsonl", *sweeps, "table3-cuda.png"]
    assert len(files) <= MOST_FILES
    assert max(path.stat().st_size for path in tmp_path.iterdir()) < MOST_BYTES / 10
    assert {request.device for request in requests} == {"cuda"}
    said = capsys.readouterr().err
    assert "published, 16³ tokens, cuda-bfloat16: sparse and flash takes 1.00" in said
    assert "Next: nothing is left; `fastsam3d benchmark report`" in said


def test_time_that_is_up_stops_after_the_measurement_and_another_run_goes_on(
    script, requests, tmp_path
):
    first, second = tmp_path / "first", tmp_path / "second"
    run(script, first, "--device=cpu", *SMALL, seconds=1e-6)
    assert len(requests) == 1
    assert len(rows(first, "efficiency")) == 1
    for path in [*first.iterdir(), first]:
        path.chmod(0o555)
    run(script, second, "--device=cpu", *SMALL, "--resume", str(first))
    assert len(requests) == len(rows(second, "efficiency")) + len(rows(second, "ablation")) == 6
    assert (second / "efficiency.jsonl").stat().st_mode & 0o200
    run(script, second, "--device=cpu", *SMALL)
    assert len(requests) == 6


def test_the_same_command_with_resume_keeps_what_the_first_call_of_it_measured(
    script, requests, tmp_path
):
    first, second = tmp_path / "first", tmp_path / "second"
    run(script, first, "--device=cpu", *SMALL, seconds=1e-6)
    again = (script, second, "--device=cpu", *SMALL, "--resume", str(first))
    run(*again)
    there = {name: rows(second, name) for name in ("efficiency", "ablation")}
    run(*again)
    assert len(requests) == 6
    assert {name: rows(second, name) for name in there} == there


def test_a_row_measured_again_stands_behind_that_of_the_earlier_run(
    script, requests, tmp_path, monkeypatch
):
    first, second = tmp_path / "first", tmp_path / "second"
    once = ("--device=cpu", "--part=ablation", *SMALL, "--segments")
    with monkeypatch.context() as patch:
        patch.setattr(ablation, "watched", lambda request, limit_s: Outcome(skipped="too slow"))
        run(script, first, *once)
    for _ in range(2):
        run(script, second, *once, "--resume", str(first))
    assert [row.skipped for row in ablation.read_rows(second / "ablation.jsonl")] == [""] * 2
    assert len(requests) == 2


def test_the_readme_says_how_many_measurements_there_are():
    text = " ".join((Path(__file__).parent / "device" / "README.md").read_text().split())
    told = re.search(r"these are (\d+) .* systems, and of forms (\d+) on CUDA or (\d+) on", text)
    forms = [
        len(list(ablation.planned(ablation.Sweep(Path()), device, "")))
        for device in ("cuda", "cpu")
    ]
    systems = len(list(efficiency.planned(efficiency.Efforts(Path()), "cuda", "")))
    assert [int(number) for number in told.groups()] == [systems, *forms]


def test_parts_systems_and_times_are_as_asked(script, requests, tmp_path):
    options = ("--part", "efficiency", "--system", "sam", "--slices", "2", "--runs", "3")
    run(script, tmp_path, "--device=cpu", *options, "--run-seconds", "1.5")
    assert not (tmp_path / "ablation.jsonl").exists()
    assert {(r.passes, r.runs, r.seconds) for r in requests} == {(2, 3, 1.5)}
