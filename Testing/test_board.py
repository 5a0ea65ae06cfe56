import sys

import pytest

from fastsam3d import board
from fastsam3d.board import open_board
from fastsam3d.curve import Record


def record(step, loss):
    return Record(step, float(step), {"loss": loss, "layer1": 2 * loss}, 1e-3)


def scalars(folder, name):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_board_shows_every_value_of_every_step(tmp_path):
    pytest.importorskip("tensorboard")
    with open_board(tmp_path) as add:
        for step in (1, 2, 3):
            add(record(step, 1 / 2**step))
    assert scalars(tmp_path, "loss") == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert scalars(tmp_path, "layer1")[-1] == (3, 0.25)
    assert [step for step, _ in scalars(tmp_path, "learning_rate")] == [1, 2, 3]


def test_steps_that_a_crash_undid_are_shown_once(tmp_path):
    pytest.importorskip("tensorboard")
    for steps, loss in (((1, 2, 3, 4), 1.0), ((3, 4), 2.0)):
        with open_board(tmp_path) as add:
            for step in steps:
                add(record(step, loss))
    assert scalars(tmp_path, "loss") == [(1, 1), (2, 1), (3, 2), (4, 2)]


def test_without_tensorboard_nothing_is_written_and_once_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    board._say_it_is_missing.cache_clear()
    for _ in range(2):
        with open_board(tmp_path / "board") as add:
            add(record(1, 1.0))
    assert capsys.readouterr().err.count("pip install tensorboard") == 1
    assert not (tmp_path / "board").exists()
