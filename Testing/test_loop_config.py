import math
from dataclasses import replace

import pytest

from fastsam3d.errors import InputError
from fastsam3d.loop_config import LoopConfig


def test_rate_warms_up_and_falls_to_nothing():
    config = LoopConfig(steps=1000, warm_up=10, learning_rate=2.0)
    assert config.rate(0, 0) == pytest.approx(0.2)
    assert config.rate(9, 0) == pytest.approx(2.0)
    assert config.rate(500, 0.5) == pytest.approx(1.0)
    assert math.isclose(config.rate(1000, 1.2), 0, abs_tol=1e-9)


def test_constant_rate_stays_and_may_start_at_once():
    config = LoopConfig(steps=1000, warm_up=0, learning_rate=5e-3, schedule="constant")
    assert {config.rate(step, step / 1000) for step in (0, 400, 999)} == {5e-3}


def test_epochs_are_counted_from_one_to_the_last_on_paper_sized_numbers():
    config = LoopConfig(epochs=36, batch=16, count_epochs=True)
    examples = 20_003
    assert config.last_step(examples) == math.ceil(36 * 20_003 / 16) == 45_007
    counted = [config.moment(step, 0, examples)[:2] for step in (0, 1250, 1251, 45_006)]
    assert counted == [(1, 36), (1, 36), (2, 36), (36, 36)]
    assert config.progress(45_007, 0, examples) == 1


def test_moment_counts_steps_otherwise():
    assert LoopConfig(steps=10).moment(0, 5.0, 13)[:2] == (1, 10)
    assert LoopConfig(epochs=2, batch=4).moment(6, 5.0, 13)[:2] == (7, 7)
    assert LoopConfig(seconds=9.5).moment(6, 5.5, 13)[:2] == (6, 10)
    assert LoopConfig(seconds=9.5).moment(6, 99.0, 13)[:2] == (10, 10)


def test_lot_changes_with_step_and_seed():
    lots = {
        LoopConfig(steps=10, seed=seed).moment(step, 0.0, 13).lot
        for seed in (0, 1)
        for step in (0, 1)
    }
    assert len(lots) == 4


def test_stage_differs_from_the_whole_in_its_seed_alone():
    config = LoopConfig(steps=10, seed=4)
    stage = config.of_stage(1)
    assert stage.seed not in (config.seed, config.of_stage(2).seed)
    assert replace(stage, seed=4) == config


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "none as length"),
        ({"steps": 1, "seconds": 2}, "1 steps, 2 seconds"),
        ({"epochs": 0}, "0 epochs"),
        ({"steps": 5, "count_epochs": True}, "give epochs"),
        ({"steps": 5, "batch": 0}, "at least 1"),
        ({"steps": 5, "micro": 0}, "at least 1"),
    ],
)
def test_setting_that_makes_no_sense_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        LoopConfig(**wrong)


@pytest.mark.parametrize("precision", ["12", "fp16", ""])
def test_unknown_precision_is_refused_before_anything_is_done(precision):
    with pytest.raises(InputError, match="expected one of auto, 32-true"):
        LoopConfig(steps=1, precision=precision)
