import json
from dataclasses import replace

import pytest

from fakewatch import GIVEN, TOO_SLOW, FakeWatch
from fastsam3d.benchmark import ablation
from fastsam3d.benchmark.ablation import Row, Sweep, measure_all, planned, read_rows, verdicts
from fastsam3d.benchmark.collect import collect
from fastsam3d.benchmark.machine import machine
from fastsam3d.benchmark.table_ablation import FORMS, ablation_grids
from fastsam3d.errors import InputError
from fastsam3d.inputs import _available

ONE = {"geometries": ("published",), "tokens": (8,), "segments": ()}
ABSENT = next(kind for kind in ("mps", "cuda") if kind not in _available())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "ablation.jsonl"


@pytest.fixture
def watched(monkeypatch):
    """Take the place of the process that measures; keeps what it was asked."""
    fake = FakeWatch()
    monkeypatch.setattr(ablation, "watched", fake)
    return fake


def run(path, **kinds):
    told = []
    rows = measure_all(Sweep(path, device="cpu", **(ONE | kinds)), told.append)
    assert told == rows
    return rows


def plan(device="cpu", **kinds):
    return [row for row, _ in planned(Sweep("unused", **kinds), device, "here")]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_form_gets_a_row_in_the_order_of_the_paper(path, watched):
    rows = run(path)
    assert [row.form for row in rows] == list(FORMS)
    assert rows[3] == Row(
        "sparse+flash", "published", 8, "cpu", 64, 4, ms_median=20.0, ms_low=11.0, ms_high=29.0,
        runs=3, gflops_published=2.0, gflops_exact=4.0, peak_mb=64.0, peak_kind="some memory",
        machine=machine(),
    )  # fmt: skip
    assert (rows[0].segment, rows[0].dilation) == (None, None)
    assert read_rows(path) == rows


def test_forms_come_before_the_sweeps_and_nothing_is_measured_twice():
    rows = plan()
    assert len({row.key for row in rows}) == len(rows)
    assert [row.form for row in rows[:16]] == list(FORMS) * 4
    assert [(row.geometry, row.tokens) for row in rows[:16:4]] == [
        ("published", 8), ("fastsam3d-default", 8), ("published", 16), ("fastsam3d-default", 16),
    ]  # fmt: skip
    swept = [row.form for row in rows[16:]]
    assert swept == sorted(swept, reverse=True)


def test_where_segments_do_not_fit_dense_forms_are_measured_alone():
    rows = plan(tokens=(4,), segments=())
    assert [row.form for row in rows] == ["plain", "flash"] * 2


@pytest.mark.parametrize(("tokens", "count"), [(8, 18), (16, 24)])
def test_each_w_and_r_is_swept_whose_product_divides_the_tokens(tokens, count):
    own = [row for row in plan() if (row.geometry, row.tokens) == ("published", tokens)]
    for form in ("sparse", "sparse+flash"):
        sizes = {(row.segment, row.dilation) for row in own if row.form == form}
        assert len(sizes) == count
        assert all(tokens**3 % (w * r) == 0 for w, r in sizes)


def test_cuda_is_measured_in_float32_and_bfloat16_and_swept_in_the_latter():
    requests = list(planned(Sweep("unused", **(ONE | {"segments": (128,)})), "cuda", ""))
    places = [row.device for row, _ in requests]
    assert places == ["cuda"] * 4 + ["cuda-bfloat16"] * 10
    assert all(
        (row.device, request.device, request.bfloat16)
        in {("cuda", "cuda", False), ("cuda-bfloat16", "cuda", True)}
        for row, request in requests
    )


def test_requests_say_what_to_make_and_how_long_to_go_on():
    asked = Sweep("unused", runs=3, seconds=1.5, **ONE)
    request = [request for _, request in planned(asked, "cpu", "")][2]
    assert request.maker == "fastsam3d.benchmark.forms:encoder"
    assert (request.runs, request.seconds, request.passes) == (3, 1.5, 1)
    assert request.arguments == {
        "geometry": "published", "tokens": 8, "form": "sparse", "segment": 64, "dilation": 4,
    }  # fmt: skip


def test_another_call_measures_only_what_is_missing(path, watched):
    first = run(path)
    rows = run(path, segments=(64,))
    assert rows[:4] == first
    assert len(watched) == len(rows) == 4 + 6


def test_a_row_without_time_is_measured_again_and_takes_the_place_of_the_old_one(path, watched):
    watched.outcome = TOO_SLOW
    rows = run(path)
    assert {row.skipped for row in rows} == {"took longer than 60 s"}
    assert {(row.ms_median, row.gflops_exact) for row in rows} == {(None, 4.0)}
    watched.outcome = GIVEN
    run(path)
    assert [line["skipped"] for line in lines(path)] == [""] * 4


def test_a_row_that_took_too_long_is_tried_again_only_with_a_higher_limit(path, watched):
    watched.outcome = replace(TOO_SLOW, given_up_s=120.0)
    first = run(path)
    assert run(path) == first
    assert len(watched) == 4
    run(path, limit_s=150.0)
    assert len(watched) == 8


def test_a_row_is_in_the_file_before_the_next_measurement_begins(path, monkeypatch):
    def stop(request, limit_s):
        if request.arguments["form"] == "sparse":
            raise KeyboardInterrupt
        return GIVEN

    monkeypatch.setattr(ablation, "watched", stop)
    with pytest.raises(KeyboardInterrupt):
        run(path)
    assert [line["form"] for line in lines(path)] == ["plain", "flash"]


def test_a_line_that_a_crash_cut_short_is_measured_again(path, watched):
    first = run(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert run(path) == first
    assert len(watched) == 5
    assert len(lines(path)) == 4


def test_what_is_about_to_be_measured_is_told_before(path, watched):
    told = []
    asked = Sweep(path, device="cpu", **ONE)
    rows = measure_all(asked, lambda row: None, lambda row: told.append((row.form, len(watched))))
    assert told == [(row.form, n) for n, row in enumerate(rows)]
    measure_all(asked, lambda row: None, told.append)
    assert len(told) == len(rows)


def test_another_machine_has_rows_of_its_own(path, watched, monkeypatch):
    run(path)
    monkeypatch.setattr("fastsam3d.benchmark.machine.machine", lambda: "another")
    run(path)
    assert len(watched) == len(lines(path)) == 8


@pytest.mark.parametrize("text", ["no JSON\n", "[1]\n", '{"dice": 1}\n', "OTHER"])
def test_another_file_is_refused(path, watched, text):
    path.parent.mkdir()
    other = {"form": "dense", "geometry": "published", "tokens": 8, "device": "cpu"}
    path.write_text(text.replace("OTHER", json.dumps(other) + "\n"))
    with pytest.raises(InputError, match=r"Line 1 of .* is no row of `benchmark ablation`"):
        run(path)
    assert not watched


def test_what_cannot_be_asked_is_refused(path, watched):
    with pytest.raises(InputError, match="'sam'; expected published or fastsam3d-default"):
        Sweep(path, geometries=("sam",))
    with pytest.raises(InputError, match="Got 0 for tokens, w or r"):
        Sweep(path, dilations=(1, 0))
    with pytest.raises(InputError, match="more than 0"):
        Sweep(path, limit_s=0)
    with pytest.raises(InputError, match=f"Got device '{ABSENT}'"):
        measure_all(Sweep(path, device=ABSENT), print)
    assert not watched


def test_the_report_finds_the_rows_and_shows_the_papers_beside_them(path, watched):
    rows = run(path)
    found = collect(path.parent).ablation
    assert list(found) == rows
    table = next(iter(ablation_grids(found)))
    assert [row[1].text for row in table.rows] == ["measured", "paper"] * 4
    assert [row[2].value for row in table.rows] == [20.0, 10, 20.0, 6, 20.0, 9, 20.0, 3]


def test_verdicts_say_where_sparse_attention_pays_and_when_that_is_within_the_spread(path, watched):
    rows = run(path)
    dense, sparse = (next(row for row in rows if row.form == form) for form in list(FORMS)[1::2])
    fast = replace(sparse, ms_median=10.0, ms_low=9.0, ms_high=10.5)
    assert verdicts([dense, fast]) == [
        "published, 8³ tokens, cpu: sparse and flash takes 0.50 of the time of flash alone."
    ]
    assert verdicts([dense, sparse])[0].endswith(
        "1.00 of the time of flash alone, which is within their spread."
    )
    assert verdicts([dense]) == []
    assert verdicts([replace(dense, skipped="too slow", ms_median=None), fast]) == []
    assert verdicts([replace(dense, machine="another"), fast]) == []
