"""Table 2's work shared out: the same results whatever the sharing, nothing lost, nothing twice."""

import json
from dataclasses import asdict
from functools import partial

import pytest
import torch

from fastsam3d.benchmark import accuracy
from fastsam3d.benchmark.accuracy import Asked, evaluate_share, planned, run
from fastsam3d.benchmark.shards import (
    Share,
    found,
    merge,
    most_processes,
    new_records,
    part_of,
    run_shares,
    same_threads,
    shares_of,
)
from fastsam3d.errors import InputError
from fastsam3d.manifest import Label, Row
from fastsam3d.plan import Task
from minibench import die, refuse, write_manifest
from sharing import evaluate_last_digits, fail_or_go_on, fail_or_talk

CASES = 4
OBJECTS = 2 * CASES


@pytest.fixture(autouse=True)
def no_torchrun(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path)


def asked(manifest, output, **options):
    output = manifest.parent / output
    options = {"clicks": 3, "strategy": "random", "device": "cpu"} | options
    return Asked(manifest, output, ("region-growing",), **options)


def merged(asked):
    """Return what was merged but for the times."""
    lines = (asked.output / "objects.jsonl").read_text().splitlines()
    return [json.loads(line) | {"seconds": ()} for line in lines]


def do_shares(asked, count, indices=None):
    chosen, methods = planned(asked)
    for index in range(count) if indices is None else indices:
        evaluate_share(asked, chosen.tasks, methods, Share(index, count), lambda case: None)


def tasks(**objects):
    return [
        Task(Row(case, "p", "f", None, None), Label(value))
        for case, count in objects.items()
        for value in range(count)
    ]


def test_results_are_the_same_whatever_the_sharing(manifest):
    results = []
    for count in (1, 2, 3):
        one = asked(manifest, f"out{count}")
        do_shares(one, count)
        files = list((one.output / "records").iterdir())
        assert len(files) == count
        assert sorted(path.name[:6] for path in files) == [
            f"{n + 1}-of-{count}" for n in range(count)
        ]
        run(one)
        results.append(merged(one))
    assert results[0] == results[1] == results[2]
    assert [(r["case"], r["label"]) for r in results[0]] == [
        (case, label) for case in ("a1", "a2", "b1", "b2") for label in (1, 2)
    ]


def test_processes_share_the_work(manifest):
    seen = []
    outcome = run(asked(manifest, "several", processes=2), seen.append)
    assert sorted(seen) == sorted(["a1", "a2", "b1", "b2"] * 2)
    assert len(outcome.results) == OBJECTS
    names = sorted(path.name[:6] for path in (manifest.parent / "several" / "records").iterdir())
    assert names == ["1-of-2", "2-of-2"]
    alone = asked(manifest, "alone")
    run(alone)
    assert merged(alone) == merged(asked(manifest, "several"))


def test_stopped_work_goes_on_in_other_shares_and_does_nothing_twice(manifest, monkeypatch):
    one, done = asked(manifest, "out"), []

    def stop(case):
        done.append(case)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(one, stop)
    (records,) = (one.output / "records").iterdir()
    assert len(records.read_bytes().splitlines()) == 3
    assert not (one.output / "objects.jsonl").exists()
    with records.open("ab") as file:
        file.write(b'{"method": "region-gro')  # killed while it wrote

    evaluated = []
    make = accuracy._evaluator

    def counting(*arguments):
        evaluate = make(*arguments)
        return lambda task, scan: evaluated.append(task.row.case) or evaluate(task, scan)

    monkeypatch.setattr(accuracy, "_evaluator", counting)
    do_shares(one, 3)
    assert len(evaluated) == OBJECTS - 3
    run(one)
    assert len(evaluated) == OBJECTS - 3
    whole = asked(manifest, "whole")
    run(whole)
    assert merged(one) == merged(whole)


def test_process_of_torchrun_does_its_part_and_the_last_one_merges(manifest, monkeypatch):
    one = asked(manifest, "out")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, missing in [("1", OBJECTS // 2), ("0", 0)]:
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", rank)
        outcome = run(one)
        assert outcome.missing == missing
        assert (one.output / "objects.jsonl").exists() == (not missing)
    assert len(outcome.results) == OBJECTS
    assert not outcome.missing


def test_torchrun_and_processes_together_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="torchrun"):
        shares_of(2, "cpu")
    monkeypatch.delenv("WORLD_SIZE")
    with pytest.raises(InputError, match="0 processes"):
        shares_of(0, "cpu")


def test_gpus_are_dealt_in_turn(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    devices = [share.device for share in shares_of(3, "auto")]
    assert devices == ["cuda:0", "cuda:1", "cuda:0"]
    assert [share.device for share in shares_of(2, "cuda:1")] == ["cuda:1"] * 2
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "5")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert shares_of(1, "cuda") == [Share(5, 8, "cuda:1")]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_whole_images_and_every_task_is_in_one(count):
    all_tasks = tasks(a=5, b=1, c=3, d=2, e=1)
    parts = [part_of(all_tasks, Share(n, count)) for n in range(count)]
    cases = [{task.row.case for task in part} for part in parts]
    assert sum(len(each) for each in cases) == 5
    assert sum(map(len, parts)) == len(all_tasks)
    assert {id(task) for part in parts for task in part} == {id(task) for task in all_tasks}
    if count == 3:
        assert [len(part) for part in parts] == [5, 4, 3]


def test_two_processes_of_one_share_write_to_files_of_their_own(tmp_path):
    share = Share(0, 1)
    assert new_records(tmp_path, share).path != new_records(tmp_path, share).path


def test_nothing_is_merged_until_all_is_there(tmp_path):
    assert merge({}, [("m", "c", 1, 1, 0, "centre")], tmp_path / "all.jsonl") == 1
    assert not (tmp_path / "all.jsonl").exists()
    assert found(tmp_path / "nowhere") == {}


def test_killed_process_is_told():
    with pytest.raises(InputError, match="A process was killed"):
        run_shares(die, [Share(0, 2), Share(1, 2)], print)


def test_error_of_a_share_comes_through():
    with pytest.raises(InputError, match="no such weights"):
        run_shares(partial(refuse, "no such weights"), [Share(0, 2), Share(1, 2)], print)


def test_error_of_a_share_ends_the_others_at_their_next_case(tmp_path):
    end = tmp_path / "end"
    with pytest.raises(InputError, match="no such weights"):
        run_shares(partial(fail_or_go_on, end), [Share(0, 2), Share(1, 2)], lambda case: None)
    assert not end.exists()


def test_error_of_a_share_comes_through_however_much_the_others_tell():
    with pytest.raises(InputError, match="no such weights"):
        run_shares(fail_or_talk, [Share(0, 2), Share(1, 2)], lambda case: None)


def test_interruption_ends_all_processes():
    def stop(case):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_shares(fail_or_talk, [Share(1, 3), Share(2, 3)], stop)


@pytest.fixture
def three_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_networks_answer_alike_to_the_last_digit_whatever_the_sharing(manifest, three_threads):
    results = []
    for count in (1, 2):
        one = Asked(
            manifest, manifest.parent / str(count), ("fastsam3d-default",), clicks=3,
            protocol="published", untrained=True, limit=4, device="cpu", processes=count,
        )  # fmt: skip
        run_shares(partial(evaluate_last_digits, one), shares_of(count, "cpu"), lambda case: None)
        kept = found(one.output / "records")
        results.append({key: asdict(kept[key]) | {"seconds": ()} for key in sorted(kept)})
    assert len(results[0]) == 4
    assert not any(result["failure"] for result in results[0].values())
    assert results[0] == results[1]
    assert torch.get_num_threads() == 3


def test_number_of_threads_that_was_set_counts(monkeypatch, three_threads):
    with same_threads():
        assert torch.get_num_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with same_threads():
        assert torch.get_num_threads() == 3


def test_processes_of_the_largest_call_are_counted(tmp_path):
    assert most_processes(tmp_path) == 0
    for share in (Share(0, 1), Share(3, 12), Share(1, 2)):
        new_records(tmp_path, share).path.touch()
    assert most_processes(tmp_path) == 12
