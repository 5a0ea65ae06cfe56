"""Distillation in processes of its own, and of the published networks at their real size."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import fastsam3d
from distilling import drawn, make_desk, network, state_of, teacher
from fastsam3d.config import PRESETS
from fastsam3d.curve import read_log
from fastsam3d.distill import distill
from fastsam3d.logits import LogitConfig
from fastsam3d.packing import load_weights
from fastsam3d.recipes import PAPER, Setting, adapted

SETTING = Setting(steps=1, batch=1, device="cpu", precision="32-true")

TWO_PROCESSES = """
import sys
from distilling import STUDENT, TEACHER
from fastsam3d.cli import main
from fastsam3d.config import PRESETS
PRESETS["fastsam3d-default"], PRESETS["fastsam3d-teacher"] = STUDENT, TEACHER
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_two_processes_of_torchrun_end_where_one_does(tmp_path):
    desk, script, ends = make_desk(tmp_path), tmp_path / "two.py", []
    script.write_text(TWO_PROCESSES)
    paths = [str(Path(fastsam3d.__file__).parents[1]), str(Path(__file__).parent)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for launcher in ([], torchrun):
        out = tmp_path / f"out{len(ends)}"
        command = [sys.executable, *launcher, str(script)]
        command += (
            f"distill {desk} {out} --teacher {desk / 'teacher.safetensors'} --steps 2 --examples 3 "
            "--batch-size 2 --held-out 1 --workers 0 --cache --device cpu --precision 32-true"
        ).split()
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=400, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        ends.append(load_weights(out / "fastsam3d-default.safetensors"))
    assert_close(ends[1], ends[0], rtol=1e-2, atol=1e-3)


@pytest.mark.slow
def test_the_published_pair_is_distilled_at_its_real_size(tmp_path):
    once = replace(adapted(PAPER, SETTING), question=LogitConfig(objects=1, clicks=(1,)))
    student = network(PRESETS["fastsam3d"])
    before = state_of(student)
    distill(student, teacher(PRESETS["sam-med3d"]), drawn(1), tmp_path, once)
    (feature,) = read_log(tmp_path / "feature.csv")
    assert feature.values["k"] == 6
    for key in ("image_encoder.blocks.5.mlp.lin2.weight", "mask_decoder.iou_token.weight"):
        assert not torch.equal(student.state_dict()[key], before[key])
    assert all(value.isfinite().all() for value in student.state_dict().values())
