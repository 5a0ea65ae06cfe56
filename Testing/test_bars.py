import io

import pytest
from rich.console import Console

from fastsam3d import bars
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
