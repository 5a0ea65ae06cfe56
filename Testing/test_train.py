import builtins
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import fastsam3d
from fastsam3d.config import CompactConfig
from fastsam3d.curve import read_log
from fastsam3d.data import Sources
from fastsam3d.errors import InputError
from fastsam3d.loop import BOARD
from fastsam3d.model import CompactNetwork
from fastsam3d.pool import Pool
from fastsam3d.synthetic import Random
from fastsam3d.train import CHECKPOINT, CURVE, LOG, TrainConfig, learning_rate, train

TINY = CompactConfig(width=16, depth=3, heads=2, embedding=32, middle=8, fine=8)


class PowerCutError(Exception):
    pass


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    pool = Pool(tmp_path_factory.mktemp("pool"))
    for seed in range(3):
        pool.append(Sources([]).draw(Random.seeded(seed)))
    return pool


@pytest.fixture
def config():
    return TrainConfig(
        steps=6, objects=2, clicks=(1, 2), device="cpu", precision="32-true", save_every=3
    )


def new_network():
    torch.manual_seed(0)
    return CompactNetwork(TINY)


def test_interrupted_training_ends_with_the_same_weights(pool, config, tmp_path):
    whole, halved = new_network(), new_network()
    average = train(whole, pool, tmp_path / "whole", config)

    def cut(record):
        if record.step == 5:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        train(halved, pool, tmp_path / "halved", config, cut)
    resumed = new_network()
    average_resumed = train(resumed, pool, tmp_path / "halved", config)
    assert [one.step for one in read_log(tmp_path / "halved" / LOG)] == [1, 2, 3, 4, 5, 6]
    for mine, theirs in ((whole, resumed), (average, average_resumed)):
        for key, value in mine.state_dict().items():
            assert_close(theirs.state_dict()[key], value, rtol=0, atol=0)
    assert not torch.equal(whole.mask_decoder.mix.weight, halved.mask_decoder.mix.weight)
    assert not torch.equal(whole.mask_decoder.mix.weight, average.mask_decoder.mix.weight)


def test_folder_holds_checkpoint_log_and_curve_and_nothing_half_written(pool, config, tmp_path):
    told = []
    train(new_network(), pool, tmp_path / "run", config, told.append)
    assert {path.name for path in (tmp_path / "run").iterdir()} - {BOARD} == {
        CHECKPOINT,
        LOG,
        CURVE,
    }
    assert [record.step for record in told] == [1, 2, 3, 4, 5, 6]
    assert told[-1].seconds >= told[0].seconds > 0


def test_training_that_is_done_does_nothing_more(pool, config, tmp_path):
    first = train(new_network(), pool, tmp_path / "run", config)
    again = train(new_network(), pool, tmp_path / "run", config, pytest.fail)
    assert_close(again.state_dict(), first.state_dict(), rtol=0, atol=0)


def test_seconds_end_a_training_too(pool, tmp_path):
    config = TrainConfig(seconds=1e-6, objects=1, clicks=(1,), device="cpu", precision="32-true")
    told = []
    train(new_network(), pool, tmp_path, config, told.append)
    assert len(told) == 1


def test_rate_warms_up_and_falls_to_nothing():
    config = TrainConfig(steps=1000, warm_up=10, learning_rate=2.0)
    assert learning_rate(config, 0, 0) == pytest.approx(0.2)
    assert learning_rate(config, 9, 0) == pytest.approx(2.0)
    assert learning_rate(config, 500, 0.5) == pytest.approx(1.0)
    assert math.isclose(learning_rate(config, 1000, 1.2), 0, abs_tol=1e-9)


def test_checkpoint_of_another_network_is_refused(pool, config, tmp_path):
    other = CompactNetwork(replace(TINY, width=32))
    train(other, pool, tmp_path, replace(config, steps=1))
    with pytest.raises(InputError, match="another network"):
        train(new_network(), pool, tmp_path, config)


def test_empty_pool_is_told(config, tmp_path):
    with pytest.raises(InputError, match="no examples"):
        train(new_network(), Pool(tmp_path / "empty"), tmp_path, config)


TWO_DEVICES = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from fastsam3d.config import CompactConfig
from fastsam3d.model import CompactNetwork
from fastsam3d.pool import Pool
from fastsam3d.train import TrainConfig, train
torch.manual_seed(0)
network = CompactNetwork(
    CompactConfig(width=16, depth=3, heads=2, embedding=32, middle=8, fine=8)
)
config = TrainConfig(
    steps=4, objects=1, clicks=(1, 3), device="cpu", devices=2, precision="32-true"
)
train(network, Pool(Path(sys.argv[1])), Path(sys.argv[2]), config)
print("sum", float(network.mask_decoder.mix.weight.detach().double().sum()))
"""


@pytest.mark.slow
def test_two_devices_that_click_differently_often_learn_the_same_weights(pool, tmp_path):
    script, run = tmp_path / "two.py", tmp_path / "run"
    script.write_text(TWO_DEVICES)
    done = subprocess.run(
        [sys.executable, str(script), str(pool.folder), str(run)],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"PYTHONPATH": str(Path(fastsam3d.__file__).parents[1])},
    )
    sums = [line for line in done.stdout.splitlines() if line.startswith("sum")]
    assert len(sums) == 2, done.stderr
    assert sums[0] == sums[1]
    assert [one.step for one in read_log(run / LOG)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "needs a length"),
        ({"steps": 1, "seconds": 2}, "give one"),
        ({"steps": 0}, "0 steps"),
        ({"seconds": -1}, "-1 seconds"),
    ],
)
def test_exactly_one_length_above_zero_is_expected(wrong, said):
    with pytest.raises(InputError, match=said):
        TrainConfig(**wrong)


def test_batch_below_one_is_refused():
    with pytest.raises(InputError, match="at least 1"):
        TrainConfig(steps=1, batch=0)


def test_without_lightning_one_sentence_says_how_to_get_it(pool, config, tmp_path, monkeypatch):
    plain = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("lightning"):
            raise ImportError(name)
        return plain(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'fastsam3d\[train\]'"):
        train(new_network(), pool, tmp_path, config)
