import time

import pytest

from fastsam3d.curve import Record
from fastsam3d.errors import InputError
from fastsam3d.limit import Limit, OutOfTime
from fastsam3d.loop_config import LoopConfig


def steps_until_stopped(limit, config, first):
    watch = limit.watch(config)
    for step in range(first, first + 100):
        try:
            watch(Record(step, 0.0, {}, 0.0))
        except OutOfTime:
            return step - first
    return None


def up():
    limit = Limit(1e-9)
    time.sleep(0.001)
    return limit


@pytest.mark.parametrize(("save_every", "first", "steps"), [(1, 1, 1), (5, 1, 5), (5, 6, 5)])
def test_time_that_is_up_stops_at_the_step_after_a_saved_one(save_every, first, steps):
    config = LoopConfig(steps=100, save_every=save_every)
    assert steps_until_stopped(up(), config, first) == steps


def test_no_limit_stops_nothing():
    assert steps_until_stopped(Limit(), LoopConfig(steps=100), 1) is None
    assert not Limit(3600).is_up


def test_slow_steps_are_saved_one_by_one_if_time_is_limited():
    config = LoopConfig(steps=100, device="cpu", save_every=25)
    assert Limit(3600).suited(config).save_every == 1
    assert Limit().suited(config) == config


def test_limit_of_nothing_is_refused():
    with pytest.raises(InputError, match="limit of 0 seconds; give more"):
        Limit(0)
