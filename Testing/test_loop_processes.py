"""Processes that share a training, and one that is killed in the middle of it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import fastsam3d
import tinytask
from fastsam3d.curve import read_log
from tinytask import tiny_run

PACKAGES = os.pathsep.join([str(Path(fastsam3d.__file__).parents[1]), *sys.path])


def start(folder, *options, launcher=(), **surroundings):
    """Start the tiny task's script in a process of its own."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, *launcher, tinytask.__file__, str(folder), *options],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": PACKAGES, "OMP_NUM_THREADS": "1"} | surroundings,
    )


def ended(process):
    """Wait for a process; return its exit status and what it complained about."""
    with process:
        complaints = process.communicate(timeout=240)[1]
    return process.returncode, complaints


def saved(path):
    return torch.load(path, weights_only=True)


def learnt_here(folder):
    """Return what one process learns, and its log."""
    task, average = tiny_run(folder)
    return {"state": task.state_dict(), "average": average}, values(folder)


def values(folder, name="tiny"):
    return [(record.step, record.values) for record in read_log(folder / f"{name}.csv")]


def assert_same_training(folder, alone):
    """Check that two processes learnt, in two trainings one after the other, what one learns."""
    wanted, log = alone
    for name in ("tiny", "again"):
        first, second = (saved(folder / f"{name}-{rank}.pt") for rank in (0, 1))
        assert_close(first, second, rtol=0, atol=0)
        assert_close(first, wanted, rtol=1e-5, atol=1e-6)
        assert [step for step, _ in values(folder, name)] == [step for step, _ in log]
        for (_, mine), (_, theirs) in zip(values(folder, name), log, strict=True):
            assert mine == pytest.approx(theirs, rel=3e-5)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_two_processes_learn_what_one_does(tmp_path):
    common = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": free_port(),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "TORCHELASTIC_RUN_ID": "none",
    }
    two = [
        start(tmp_path / "two", **common, RANK=rank, LOCAL_RANK=rank, GROUP_RANK="0")
        for rank in "01"
    ]
    for code, complaints in map(ended, two):
        assert code == 0, complaints
    assert_same_training(tmp_path / "two", learnt_here(tmp_path / "one"))


@pytest.mark.slow
def test_processes_that_the_first_one_starts_learn_what_one_does(tmp_path):
    code, complaints = ended(start(tmp_path / "two", "--devices", "2"))
    assert code == 0, complaints
    assert_same_training(tmp_path / "two", learnt_here(tmp_path / "one"))


@pytest.mark.slow
def test_processes_that_torchrun_starts_learn_what_one_does(tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    code, complaints = ended(start(tmp_path / "two", launcher=launcher))
    assert code == 0, complaints
    assert_same_training(tmp_path / "two", learnt_here(tmp_path / "one"))


def test_training_that_was_killed_in_mid_epoch_ends_with_the_same_weights(tmp_path):
    code, complaints = ended(start(tmp_path / "killed", "--kill-at", "8"))
    assert code == -signal.SIGKILL, complaints
    assert saved(tmp_path / "killed" / "tiny.ckpt")["step"] == 6
    wanted, log = learnt_here(tmp_path / "whole")
    assert_close(learnt_here(tmp_path / "killed"), (wanted, log), rtol=0, atol=0)
