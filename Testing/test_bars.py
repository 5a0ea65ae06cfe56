import io

import pytest
from rich.console import Console

from fastsam3d import bars, pace
from fastsam3d.bars import bar, described
from fastsam3d.curve import Record

STEP = Record(12, 3.0, {"loss": 3.21, "layer1": 2.1, "layer2": 4.32, "k": 2.0}, 1e-3)


@pytest.fixture
def terminal(monkeypatch):
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    monkeypatch.setattr(bars, "aside", console)
    return console.file


def test_step_is_described_with_the_loss_of_each_layer():
    assert described(STEP) == "step 12, loss 3.21, layer 2.1 4.32, k 2"


def test_bar_shows_the_step_on_a_terminal(terminal):
    with bar("feature", 1.0) as show:
        show(0.5, described(STEP))
    assert "feature: step 12, loss 3.21, layer 2.1 4.32, k 2" in terminal.getvalue()


def test_processes_but_the_first_show_no_bar(terminal, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    with bar("feature", 1.0) as show:
        show(0.5, described(STEP))
    assert "step 12" not in terminal.getvalue()


@pytest.fixture
def log(monkeypatch):
    console = Console(file=io.StringIO(), width=40)
    for module in (bars, pace):
        monkeypatch.setattr(module, "aside", console)
    return console.file


def test_a_file_gets_a_line_at_each_tenth(log):
    with bar("feature", 200.0) as show:
        for step in range(1, 201):
            show(step, f"step {step}, " + "loss 3.21 " * 5)
    lines = log.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [f"feature: {n}0%" for n in range(1, 11)]
    assert lines[0].startswith("feature: 10%, step 20, loss 3.21 ")


def test_a_file_gets_a_line_after_a_minute_though_no_tenth_is_done(log, monkeypatch):
    clock = iter((0.0, 1.0, 59.0, 61.0, 62.0, 122.0))
    monkeypatch.setattr(pace, "monotonic", lambda: next(clock))
    with bar("training", 1.0) as show:
        for step in range(5):
            show(0.01, f"step {step}")
    assert log.getvalue() == "training: 1%, step 2\ntraining: 1%, step 4\n"


def test_processes_but_the_first_write_no_line(log, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    with bar("feature", 1.0) as show:
        show(1.0, "step 12")
    assert log.getvalue() == ""
