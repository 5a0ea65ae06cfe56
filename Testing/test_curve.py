import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastsam3d.curve import Record, open_log, read_log, smoothed, write_curve
from fastsam3d.errors import InputError


def record(step):
    return Record(step, step * 1.5, 2 / step, 0.25, 1e-3)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    with open_log(path, 0) as add:
        for step in range(1, 6):
            add(record(step))
    return path


def test_records_come_back_as_they_were_written(log):
    assert log.read_text().startswith("step,seconds,loss,iou,learning_rate\n")
    assert read_log(log)[3] == record(4)
    assert read_log(log.parent / "none.csv") == []


def test_records_after_the_checkpoint_are_dropped_on_resuming(log):
    with open_log(log, 3) as add:
        add(record(4))
    assert [one.step for one in read_log(log)] == [1, 2, 3, 4]


def test_file_that_is_no_log_is_refused(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,seconds\nfirst,second\n")
    with pytest.raises(InputError, match="no log"):
        read_log(path)


def test_curve_is_a_picture_even_of_one_step_or_none(log, tmp_path):
    write_curve(log, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    write_curve(tmp_path / "none.csv", tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 1000


def test_smoothing_keeps_a_line_and_calms_noise():
    line = np.linspace(0, 1, 400)
    assert_allclose(smoothed(line)[25:-25], line[25:-25], atol=1e-9)
    noise = np.random.default_rng(0).normal(size=400)
    assert smoothed(noise).std() < 0.4
    assert len(smoothed(noise[:3])) == 3
