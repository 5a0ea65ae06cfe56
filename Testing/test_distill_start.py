from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from distilling import (
    PUBLISHED_TEACHER,
    STUDENT,
    TEACHER,
    make_desk,
    network,
    small_presets,
    state_of,
    teacher,
)
from fastsam3d.config import PRESETS
from fastsam3d.distill import new_student, run
from fastsam3d.distillation import Distillation, announced
from fastsam3d.errors import InputError
from fastsam3d.logits import LogitConfig
from fastsam3d.packing import load_weights, save_weights
from fastsam3d.recipes import OURS, PAPER, Setting, adapted


@pytest.fixture(scope="module", autouse=True)
def presets():
    with small_presets():
        yield


def test_our_student_starts_as_every_other_layer_of_its_teacher():
    guide = teacher(TEACHER)
    student = new_student("fastsam3d-default", guide, OURS)
    for layer, block in enumerate(student.image_encoder.blocks):
        theirs = guide.network.image_encoder.blocks[2 * layer + 1].mlp.lin1.weight
        assert_close(block.mlp.lin1.weight.detach(), theirs.detach(), rtol=0, atol=0)


def test_paper_student_starts_from_nothing_but_the_teachers_prompts_and_decoder():
    guide = teacher(PUBLISHED_TEACHER)
    student = new_student("fastsam3d", guide, PAPER)
    theirs = guide.network.state_dict()
    for key, value in student.state_dict().items():
        if key.startswith(("prompt_encoder.", "mask_decoder.")):
            assert_close(value, theirs[key], rtol=0, atol=0)
    assert not student.image_encoder.pos_embed.any()


def test_seed_decides_the_first_weights():
    first, again, other = (
        state_of(
            new_student("fastsam3d", teacher(PUBLISHED_TEACHER), adapted(PAPER, Setting(seed=n)))
        )
        for n in (1, 1, 2)
    )
    assert_close(first, again, rtol=0, atol=0)
    key = "image_encoder.patch_embed.proj.weight"
    assert not torch.equal(first[key], other[key])


def test_student_of_any_depth_learns_masks_alone(monkeypatch):
    monkeypatch.setitem(PRESETS, "fastsam3d-default", replace(STUDENT, depth=4))
    guide = teacher(TEACHER)
    alone = adapted(OURS, Setting(features="none"))
    assert len(new_student("fastsam3d-default", guide, alone).image_encoder.blocks) == 4
    with pytest.raises(InputError, match="of 6 and of 4 layers"):
        new_student("fastsam3d-default", guide, OURS)


@pytest.mark.parametrize(
    ("recipe", "setting", "told"),
    [
        (OURS, {}, "4000 steps for layers and 16000 steps for masks; batches of 16 patches"),
        (PAPER, {}, "36 epochs for layers and 36 epochs for masks"),
        (OURS, {"features": "none"}, "fastsam3d-teacher: 20000 steps for masks; batches"),
        (
            OURS,
            {"steps": 1, "batch": 4, "micro": 2},
            "1 step for masks; batches of 4 patches, 2 at once, up to 4 examples",
        ),
        (OURS, {"nodes": 2, "devices": 4}, "up to 9 examples, on 8 x cpu."),
        (OURS, {}, "up to 9 examples, on cpu."),
    ],
)
def test_what_will_be_done_is_said_before_it_is(recipe, setting, told):
    asked = adapted(recipe, Setting(device="cpu", **setting))
    names = ("fastsam3d-teacher", "fastsam3d-default")
    assert told in announced(Distillation(Path("scans"), Path("out"), *names, asked, examples=9))


@pytest.fixture
def learnt(tmp_path):
    """Weights of a student."""
    path = tmp_path / "learnt.safetensors"
    save_weights(path, network(STUDENT, seed=9).state_dict())
    return path


def test_student_may_go_on_from_weights_of_its_own(learnt):
    student = new_student("fastsam3d-default", teacher(TEACHER), OURS, learnt)
    assert_close(state_of(student), load_weights(learnt), rtol=0, atol=0)


def test_student_goes_on_from_no_other_networks_weights(tmp_path):
    path = tmp_path / "teacher.safetensors"
    save_weights(path, network(TEACHER).state_dict())
    with pytest.raises(InputError, match="do not fit the network: unknown"):
        new_student("fastsam3d-default", teacher(TEACHER), OURS, path)


def test_report_says_from_which_weights_a_student_went_on(learnt, tmp_path):
    desk, setting = make_desk(tmp_path), Setting(steps=1, batch=1, device="cpu")
    recipe = replace(adapted(OURS, setting), question=LogitConfig(objects=1, clicks=(1,)))
    guide = str(desk / "teacher.safetensors")
    asked = Distillation(
        desk / "manifest.csv",
        tmp_path / "out",
        guide,
        "fastsam3d-default",
        replace(recipe, features="none"),
        examples=2,
        workers=0,
        held_out=0,
        start_from=learnt,
    )
    run(asked)
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "The student goes on from learnt.safetensors." in text
    with pytest.raises(InputError, match="another distillation, with another start_from;"):
        run(replace(asked, start_from=None))
