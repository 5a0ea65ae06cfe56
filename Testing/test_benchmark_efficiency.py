import json
import os
from dataclasses import replace

import pytest
import torch

from fakewatch import GIVEN, TOO_SLOW, FakeWatch
from fastsam3d.benchmark import efficiency
from fastsam3d.benchmark.efficiency import (
    PADDED,
    SLICES,
    SPARSE_FLASH,
    Efficiency,
    Efforts,
    filled,
    measure_all,
    planned,
    read_rows,
)
from fastsam3d.benchmark.machine import machine
from fastsam3d.benchmark.measure import measure
from fastsam3d.benchmark.measurement import Outcome
from fastsam3d.errors import InputError
from fastsam3d.inputs import _available


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "efficiency.jsonl"


@pytest.fixture
def watched(monkeypatch):
    """Take the place of the process that measures; keeps what it was asked."""
    fake = FakeWatch()
    monkeypatch.setattr(efficiency, "watched", fake)
    return fake


def run(path, **kinds):
    told = []
    rows = measure_all(Efforts(path, device="cpu", **kinds), told.append)
    assert told == rows
    return rows


def test_every_part_of_every_system_gets_a_row_in_the_order_of_the_paper(path, watched):
    rows = run(path)
    assert [row.system for row in rows if row.part == "decoder"] == list(efficiency.SYSTEMS)
    assert [row.part for row in rows[:2]] == ["encoder", "decoder"]
    assert read_rows(path) == rows


def test_a_2d_system_is_timed_on_all_slices_of_a_volume(path, watched):
    encoder, _ = run(path, systems=("sam",), slices=SLICES)
    assert watched[0].passes == SLICES
    assert (encoder.ms_median, encoder.scaled_from) == (20.0, None)
    assert encoder.per_slice_ms == pytest.approx(20 / 128)


@pytest.mark.parametrize(("device", "slices"), [("cpu", 4), ("cuda:1", 128), ("mps", 128)])
def test_unless_asked_a_cpu_is_spared_all_slices_and_a_gpu_is_not(path, device, slices):
    row, request = next(planned(Efforts(path, systems=("sam",)), device, "here"))
    assert request.passes == slices
    assert row.scaled_from == (4 if device == "cpu" else None)


def test_times_of_some_slices_are_scaled_to_all_and_the_row_says_so(path, watched):
    encoder, _ = run(path, systems=("sam",), slices=4)
    assert watched[0].passes == 4
    assert (encoder.ms_median, encoder.scaled_from) == (640.0, 4)
    assert encoder.per_slice_ms == pytest.approx(5.0)
    assert (encoder.ms_low, encoder.ms_high) == pytest.approx((32 * 11, 32 * 29))
    assert (encoder.gflops_published, encoder.peak_mb) == (2.0, 64.0)


def test_one_slice_is_scaled_too(path, watched):
    encoder, _ = run(path, systems=("sam-med2d",), slices=1)
    assert (encoder.ms_median, encoder.per_slice_ms, encoder.scaled_from) == (2560.0, 20.0, 1)


def test_a_3d_system_is_timed_on_one_patch_whatever_the_slices(path, watched):
    row = run(path, systems=("fastsam3d",), slices=4)[0]
    assert watched[0].passes == 1
    assert row == Efficiency(
        "fastsam3d", "encoder", "cpu", ms_median=20.0, ms_low=11.0, ms_high=29.0, runs=3,
        gflops_published=2.0, gflops_exact=4.0, peak_mb=64.0, parameters_m=5.0,
        peak_kind="some memory", machine=machine(),
    )  # fmt: skip


def test_the_teacher_is_timed_in_the_published_form_too(path, watched):
    rows = run(path, systems=("sam-med3d",))
    assert [row.system for row in rows] == ["sam-med3d", "sam-med3d", "sam-med3d" + PADDED]
    assert [request.arguments["padded"] for request in watched] == [False, False, True]
    assert len(run(path.with_name("other"), systems=("sam-med3d",), variants=False)) == 2


def test_the_student_is_timed_in_the_form_of_the_papers_row_too(path, watched):
    rows = run(path, systems=("fastsam3d",))
    assert [row.system for row in rows] == ["fastsam3d", "fastsam3d", "fastsam3d" + SPARSE_FLASH]
    counted = next(measure(watched[2]))
    assert round(counted.published / 1e9, 3) == 21.935


def test_another_call_measures_only_what_is_missing(path, watched):
    first = run(path, systems=("sam-med2d",))
    rows = run(path, systems=("sam-med2d", "fastsam3d-default"))
    assert rows[:2] == first
    assert [request.arguments["system"] for request in watched] == ["sam-med2d"] * 2 + [
        "fastsam3d-default"
    ] * 2


def test_another_number_of_slices_another_machine_and_what_was_skipped_are_measured(
    path, watched, monkeypatch
):
    watched.outcome = TOO_SLOW
    skipped = run(path, systems=("sam",))
    assert {row.skipped for row in skipped} == {"took longer than 60 s"}
    watched.outcome = GIVEN
    measured = run(path, systems=("sam",))
    assert not any(row.skipped for row in measured)
    run(path, systems=("sam",), slices=2)
    monkeypatch.setattr("fastsam3d.benchmark.machine.machine", lambda: "another")
    run(path, systems=("sam",))
    assert len(watched) == 8
    assert len(read_rows(path)) == 6


def test_what_took_too_long_is_measured_again_with_a_higher_limit_alone(path, watched):
    watched.outcome = replace(TOO_SLOW, given_up_s=60.0)
    first = run(path, systems=("sam",))
    assert run(path, systems=("sam",)) == run(path, systems=("sam",), limit_s=9) == first
    assert len(watched) == 2
    watched.outcome = GIVEN
    assert not any(row.skipped for row in run(path, systems=("sam",), limit_s=61))


def test_a_measurement_without_time_is_a_row_with_what_was_counted(path, watched):
    watched.outcome = TOO_SLOW
    row = run(path, systems=("sam",))[0]
    assert (row.ms_median, row.runs, row.peak_mb) == (None, 0, None)
    assert (row.gflops_published, row.gflops_exact, row.parameters_m) == (2.0, 4.0, 5.0)
    watched.outcome = Outcome(skipped="ArithmeticError: no")
    assert run(path, systems=("medsam",))[1].skipped == "ArithmeticError: no"


def test_a_row_is_in_the_file_before_the_next_measurement_begins(path, watched, monkeypatch):
    def stop(request, limit_s):
        if request.arguments["part"] == "decoder":
            raise KeyboardInterrupt
        return GIVEN

    monkeypatch.setattr(efficiency, "watched", stop)
    with pytest.raises(KeyboardInterrupt):
        run(path, systems=("sam",))
    assert [row.part for row in read_rows(path)] == ["encoder"]


def test_a_line_that_a_crash_cut_short_is_measured_again(path, watched):
    first = run(path, systems=("sam",))
    path.write_bytes(path.read_bytes()[:-20])
    assert run(path, systems=("sam",)) == first
    assert len(watched) == 3
    assert [json.loads(line)["part"] for line in path.read_text().splitlines()] == [
        "encoder", "decoder",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["no JSON\n", "[1]\n", '{"dice": 1}\n'])
def test_another_file_is_refused(path, watched, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InputError, match=r"Line 1 of .* is no row of `benchmark efficiency`"):
        run(path)
    assert path.read_text() == text


def test_what_is_about_to_be_measured_is_told_before(path, watched):
    told = []
    asked = Efforts(path, ("sam",), device="cpu")
    measure_all(asked, lambda row: None, lambda row: told.append((row.part, len(watched))))
    assert told == [("encoder", 0), ("decoder", 1)]


def test_what_cannot_be_asked_is_refused(path):
    for slices in (0, 129):
        with pytest.raises(InputError, match=f"Got {slices} slices; expected 1 to 128"):
            Efforts(path, slices=slices)
    with pytest.raises(InputError, match="more than 0"):
        Efforts(path, limit_s=0)
    with pytest.raises(InputError, match="'sam3'"):
        Efforts(path, systems=("sam3",))


def test_a_device_that_is_not_there_is_refused_before_anything_is_measured(path, watched):
    absent = next(kind for kind in ("mps", "cuda") if kind not in _available())
    with pytest.raises(InputError, match=f"Got device '{absent}'"):
        measure_all(Efforts(path, device=absent), print)
    assert not watched


def test_requests_say_how_long_to_go_on(path):
    asked = Efforts(path, systems=("sam",), runs=3, seconds=1.5)
    _, request = next(planned(asked, "cuda:1", "here"))
    assert (request.device, request.runs, request.seconds) == ("cuda:1", 3, 1.5)
    assert request.arguments == {"system": "sam", "part": "encoder", "padded": False}


def test_rows_of_unknown_memory_say_nothing_of_it():
    blank = Efficiency("fastsam3d", "encoder", "mps")
    silent = replace(GIVEN, timed=replace(GIVEN.timed, peak_mb=None))
    assert filled(blank, silent, 1).peak_mb is None


def test_the_machine_is_named_with_memory_and_versions():
    text = machine()
    assert f"{os.cpu_count()} CPUs" in text
    assert "GiB of memory" in text
    assert f"torch {torch.__version__}" in text
    assert "transformers" in text


def test_a_system_is_measured_for_real(path, monkeypatch):
    monkeypatch.setattr(efficiency, "PARTS", ("decoder",))
    (row,) = run(path, systems=("fastsam3d-default",), runs=20, seconds=0.001, limit_s=300)
    assert (row.skipped, row.runs) == ("", 3)
    assert 0 < row.ms_low <= row.ms_median <= row.ms_high
    assert row.parameters_m == pytest.approx(2.340, abs=1e-3)
    encoder_m = 6.989
    assert row.peak_mb > 4 * (encoder_m + row.parameters_m)
