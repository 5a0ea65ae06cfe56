import numpy as np
import pytest
from matplotlib.image import imread
from numpy.testing import assert_allclose

from fastsam3d.curve import Record, curves, grouped, open_log, read_log, smoothed, write_curve
from fastsam3d.errors import InputError


def record(step, **values):
    return Record(step, step * 1.5, {"loss": 2.0**-step, "iou": 0.25, **values}, 1e-3)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    add = open_log(path, 0)
    for step in range(1, 6):
        add(record(step))
    return path


def test_records_come_back_as_they_were_written(log):
    assert log.read_text().startswith("step,seconds,loss,iou,learning_rate\n1,1.5,0.5,0.25,")
    assert read_log(log)[3] == record(4)
    assert read_log(log.parent / "none.csv") == []


def test_records_after_the_checkpoint_are_dropped_on_resuming(log):
    open_log(log, 3)(record(4))
    assert [one.step for one in read_log(log)] == [1, 2, 3, 4]


def test_value_that_comes_later_becomes_a_column(log):
    add = open_log(log, 5)
    add(record(6, layer1=0.5))
    add(record(7))
    assert log.read_text().startswith("step,seconds,loss,iou,layer1,learning_rate\n")
    assert read_log(log)[3:6] == [record(4), record(5), record(6, layer1=0.5)]
    assert "layer1" not in read_log(log)[6].values
    open_log(log, 6)(record(7, layer1=0.4))
    assert read_log(log)[5:] == [record(6, layer1=0.5), record(7, layer1=0.4)]


def test_line_that_a_crash_left_half_written_is_dropped(log):
    with log.open("a") as file:
        file.write("6,9.0,0.")
    assert len(read_log(log)) == 5
    open_log(log, 6)(record(6))
    assert [one.step for one in read_log(log)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("text", ["step,seconds\nfirst,second\n", "hello\n", "a,b\n1,2\n", ""])
def test_file_that_is_no_log_is_refused_or_empty(text, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(text)
    if "\n1" in text or "first" in text:
        with pytest.raises(InputError, match="no log"):
            read_log(path)
    else:
        assert read_log(path) == []


def test_numbered_names_belong_together():
    names = ["loss", "layer1", "layer2", "k"]
    assert grouped(names) == {"loss": ["loss"], "layer": ["layer1", "layer2"], "k": ["k"]}


def panels(picture):
    """Count the panels of a row of a picture by their frames' left edges."""
    dark = (imread(picture)[..., :3].max(2) < 0.2).mean(0)
    columns = np.flatnonzero(dark > 0.5)
    return (np.diff(columns, prepend=-9) > 1).sum() / 2


def test_picture_has_a_panel_for_each_group_of_values(log, tmp_path):
    write_curve(log, tmp_path / "curve.png")
    assert panels(tmp_path / "curve.png") == 2
    open_log(log, 5)(record(6, layer1=3.0, layer2=2.0))
    write_curve(log, tmp_path / "more.png")
    assert panels(tmp_path / "more.png") == 3


def test_picture_of_no_step_has_an_empty_panel(tmp_path):
    write_curve(tmp_path / "none.csv", tmp_path / "empty.png")
    assert panels(tmp_path / "empty.png") == 1


def test_steps_are_marked_in_whole_numbers_and_a_single_one_is_seen():
    for count in (1, 2, 3, 400):
        figure = curves([record(step, k=1.0) for step in range(1, count + 1)])
        figure.draw_without_rendering()
        for axes in figure.axes:
            ticks = axes.get_xticks()
            assert len(ticks)
            assert all(float(tick).is_integer() for tick in ticks)
            assert (axes.lines[-1].get_marker() == "o") == (count == 1)


def test_smoothing_keeps_a_line_and_calms_noise():
    line = np.linspace(0, 1, 400)
    assert_allclose(smoothed(line)[25:-25], line[25:-25], atol=1e-9)
    noise = np.random.default_rng(0).normal(size=400)
    assert smoothed(noise).std() < 0.4
    assert len(smoothed(noise[:3])) == 3
