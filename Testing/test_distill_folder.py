"""What a distillation refuses before it begins, and how many examples it prepares."""

from dataclasses import replace

import pytest

from distilling import drawn, make_desk, small_presets
from fastsam3d.distill import PLAN, run
from fastsam3d.distillation import Distillation
from fastsam3d.errors import InputError
from fastsam3d.logits import LogitConfig
from fastsam3d.pool import Pool
from fastsam3d.recipes import OURS, Setting, adapted
from fastsam3d.supply import EXAMPLES


@pytest.fixture
def plan(tmp_path):
    desk = make_desk(tmp_path)
    setting = Setting(steps=1, batch=1, device="cpu", precision="32-true")
    recipe = replace(adapted(OURS, setting), question=LogitConfig(objects=1, clicks=(1,)))
    teacher, student = str(desk / "teacher.safetensors"), "fastsam3d-default"
    asked = Distillation(
        desk / "manifest.csv", tmp_path / "out", teacher, student, recipe, workers=0, held_out=1
    )
    with small_presets():
        yield asked


def test_folder_of_a_training_is_refused_and_left_as_it_is(plan):
    folder = plan.folder
    prepared = Pool(folder / EXAMPLES)
    (folder / "training.json").write_text("{}")
    with pytest.raises(InputError, match="holds a training by `fastsam3d train`; choose another"):
        run(plan)
    (folder / "training.json").unlink()
    prepared.append(drawn(1)[0])
    with pytest.raises(InputError, match="holds examples that another command prepared"):
        run(plan)
    assert not (folder / PLAN).exists()


def test_source_that_is_not_there_is_told_before_anything_is_said_or_made(plan, capsys):
    with pytest.raises(InputError, match="give a manifest"):
        run(replace(plan, source=plan.source.with_name("gone")))
    assert not plan.folder.exists()
    assert capsys.readouterr().err == ""


def test_no_more_examples_are_prepared_than_the_stages_can_show(plan, capsys):
    run(replace(plan, examples=500))
    assert len(Pool(plan.folder / EXAMPLES)) == 2
    assert "2 examples, some 5 MB on disk; --examples changes it." in capsys.readouterr().err
