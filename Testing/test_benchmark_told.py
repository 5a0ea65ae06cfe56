"""What a benchmark's bar names."""

import io

import pytest
from rich.console import Console

from fastsam3d import bars, pace
from fastsam3d.benchmark import told as module
from fastsam3d.benchmark.told import told


@pytest.fixture
def shown(monkeypatch):
    """What stands on standard error, a terminal or a file."""

    def make(**kind):
        console = Console(file=io.StringIO(), width=120, **kind)
        for place in (bars, pace, module):
            monkeypatch.setattr(place, "aside", console)
        return console.file

    return make


def measure_two():
    with told("efficiency", 2) as one:
        one.begins("SAM, encoder")
        one.ends("SAM, encoder: 3 ms")
        one.begins("SAM, decoder")
        one.ends("SAM, decoder: 1 ms")


def test_a_file_is_told_what_begins_and_then_what_is_done(shown):
    file = shown()
    measure_two()
    assert file.getvalue().splitlines() == [
        "efficiency: 0%, now SAM, encoder",
        "efficiency: 50%, SAM, encoder: 3 ms",
        "efficiency: 100%, SAM, decoder: 1 ms",
    ]


def test_what_begins_after_rows_of_an_earlier_call_is_told_with_the_share_that_is_done(shown):
    file = shown()
    with told("efficiency", 20) as one:
        one.ends("SAM, encoder: 3 ms")
        one.begins("SAM, decoder")
    assert file.getvalue() == "efficiency: 5%, now SAM, decoder\n"


def test_on_a_terminal_the_bar_names_what_is_measured(shown):
    file = shown(force_terminal=True)
    with told("efficiency", 2) as one:
        one.begins("SAM, encoder")
        one.ends("SAM, encoder: 3 ms")
        one.begins("SAM, decoder")
    assert "efficiency: SAM, decoder " in file.getvalue()
    assert "now" not in file.getvalue()


def test_processes_but_the_first_say_nothing(shown, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    file = shown()
    measure_two()
    assert file.getvalue() == ""
