import sys
from time import perf_counter

import pytest
import torch

import measured
from distilling import network
from fastsam3d.benchmark import watch
from fastsam3d.benchmark.clock import Memory, milliseconds, peak_mb, resident_mb, times
from fastsam3d.benchmark.measure import FAILED, main, measure
from fastsam3d.benchmark.measurement import (
    Counted,
    Request,
    Timed,
    line_of,
    read_answers,
    read_request,
)
from fastsam3d.benchmark.watch import watched
from fastsam3d.inputs import _available

CPU = torch.device("cpu")
ABSENT = next(kind for kind in ("mps", "cuda") if kind not in _available())


def asked(maker, **kinds):
    return Request(kinds.pop("arguments", {}), maker=f"measured:{maker}", runs=2, **kinds)


class Watched:
    """An action that counts itself and takes as many ms as it is told."""

    def __init__(self, ms=0):
        self.calls, self.ms = 0, ms

    def __call__(self):
        self.calls += 1
        start = perf_counter()
        while perf_counter() - start < self.ms / 1000:
            pass


def test_a_run_makes_as_many_passes_as_asked_after_those_that_do_not_count():
    action = Watched()
    assert len(times(action, CPU, passes=5, runs=4, seconds=60)) == 4
    assert action.calls == 3 + 4 * 5


def test_no_run_begins_once_time_is_up_but_three_are_always_timed():
    action = Watched(ms=20)
    found = times(action, CPU, passes=2, runs=100, seconds=0.15)
    assert 3 <= len(found) <= 4
    assert found[0] >= 40
    assert len(times(Watched(), CPU, passes=1, runs=100, seconds=0)) == 3
    assert len(times(Watched(), CPU, passes=1, runs=2, seconds=0)) == 2


def test_a_slow_action_is_warmed_up_twice(monkeypatch):
    monkeypatch.setattr("fastsam3d.benchmark.clock._WARM_UP_S", 0.01)
    action = Watched(ms=20)
    times(action, CPU, passes=1, runs=1, seconds=1)
    assert action.calls == 3


def test_metal_is_waited_for_before_and_after(monkeypatch):
    order = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: order.append("wait"))
    milliseconds(lambda: order.append("work"), torch.device("mps"))
    assert order == ["wait", "work", "wait"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_is_timed_until_it_has_finished():
    device = torch.device("cuda")
    x = torch.randn(4096, 4096, device=device)
    memory = Memory(device)

    def multiply():
        return x @ x

    once, often = (
        min(times(multiply, device, passes=passes, runs=3, seconds=5)) for passes in (1, 20)
    )
    assert often > 5 * once
    assert 2 * x.nbytes / 1e6 <= memory.peak_mb() < 20 * x.nbytes / 1e6


def test_the_peak_of_memory_is_no_less_than_what_is_held():
    held_mb = resident_mb()
    assert held_mb > 10
    assert peak_mb() > 0.99 * held_mb  # Linux sums threads up from time to time


@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize("name", ["compact", "padded"])
def test_a_part_is_counted_and_then_timed(name, part):
    counted, timed = measure(asked("small", arguments={"name": name, "part": part}))
    made = network(measured.CONFIGS[name])
    encoder = sum(value.numel() for value in made.image_encoder.parameters())
    whole = sum(value.numel() for value in made.parameters())
    assert counted.parameters == (encoder if part == "encoder" else whole - encoder)
    assert counted.published > 0
    assert counted.exact > 0
    assert len(timed.ms) == 2
    assert all(ms > 0 for ms in timed.ms)


def test_bfloat16_is_what_a_pass_is_made_in():
    request = asked("small", arguments={"name": "compact", "part": "encoder"}, bfloat16=True)
    seen = []
    made = measured.small

    def spied(device, **arguments):
        part = made(device, **arguments)
        part.module.register_forward_hook(lambda module, given, out: seen.append(out.fine.dtype))
        return part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured, "small", spied)
        list(measure(request))
    assert seen[-1] == torch.bfloat16


def test_memory_is_that_of_the_part_in_a_process_of_its_own():
    held = torch.ones(50_000_000)  # 200 MB of this process's own
    outcome = watched(asked("small", arguments={"name": "compact", "part": "decoder"}), 600)
    assert outcome.skipped == ""
    assert 0 < outcome.timed.peak_mb < 100 < held.nbytes / 1e6
    assert "fresh process" in outcome.timed.peak_kind


def test_memory_that_is_held_for_a_moment_counts():
    outcome = watched(asked("wasteful"), 600)
    assert outcome.skipped == ""
    assert measured.FREED_MB < outcome.timed.peak_mb < measured.FREED_MB + 100


def test_a_device_that_is_not_there_is_told_in_one_line(capsys):
    request = asked("small", arguments={"name": "compact", "part": "decoder"}, device=ABSENT)
    assert main(request.as_text()) == FAILED
    said = capsys.readouterr()
    assert read_answers(said.out.splitlines()).counted.parameters > 0
    assert said.err.startswith(f"Got device {ABSENT!r}; expected auto or one of cpu")
    assert said.err.count("\n") == 1


def test_a_full_memory_is_told_in_one_line(capsys):
    assert main(asked("too_large").as_text()) == FAILED
    assert capsys.readouterr().err == (
        "ran out of memory: CUDA out of memory. Tried to allocate 9 GiB\n"
    )


@pytest.mark.parametrize(
    ("how", "limit_s", "why"),
    [
        ("sleeps", 5, "took longer than 5 s"),
        ("is killed", 60, "was stopped by SIGKILL, as a system does that runs out of memory"),
        ("raises", 60, "ArithmeticError: something else"),
        ("leaves", 60, "ended with exit code 3 and said nothing"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_a_measurement_without_time_says_why_and_keeps_what_was_counted(
    monkeypatch, how, limit_s, why
):
    monkeypatch.setattr(watch, "_MODULE", "misbehaving")
    outcome = watched(asked("none", arguments={"how": how}), limit_s)
    assert (outcome.skipped, outcome.given_up_s) == (why, 5 if how == "sleeps" else None)
    assert outcome.counted == Counted(1, 2, 3)
    assert outcome.timed is None


def test_a_stopped_measurement_is_over_at_once_and_leaves_no_process(monkeypatch):
    processes, start = [], perf_counter()
    real = watch.subprocess.Popen

    def noted(*given, **named):
        processes.append(real(*given, **named))
        return processes[-1]

    monkeypatch.setattr(watch.subprocess, "Popen", noted)
    monkeypatch.setattr(watch, "_MODULE", "misbehaving")
    watched(asked("none", arguments={"how": "sleeps"}), 0.2)
    assert processes[0].poll() is not None
    assert perf_counter() - start < 60


def test_requests_and_answers_survive_being_written():
    request = Request({"system": "sam", "part": "encoder"}, "cuda:0", passes=128, bfloat16=True)
    assert read_request(request.as_text()) == request
    counted, timed = Counted(1, 2, 3), Timed((1.5, 2.5), None, "unknown")
    found = read_answers(["noise", "7", line_of(counted), '{"Coun', line_of(timed)])
    assert (found.counted, found.timed) == (counted, timed)
