from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from distilling import (
    PUBLISHED,
    PUBLISHED_TEACHER,
    STUDENT,
    TEACHER,
    make_desk,
    network,
    small_presets,
)
from fastsam3d import distill as module
from fastsam3d import gather
from fastsam3d.cli import main
from fastsam3d.config import PRESETS
from fastsam3d.curve import curves, read_log
from fastsam3d.distill import CACHE, PLAN, new_student, run
from fastsam3d.distillation import Distillation
from fastsam3d.errors import InputError
from fastsam3d.gather import DATA
from fastsam3d.limit import OutOfTime
from fastsam3d.loading import load_model
from fastsam3d.lock import LOCK
from fastsam3d.logits import LogitConfig
from fastsam3d.manifest import read_manifest
from fastsam3d.packing import load_weights, save_weights
from fastsam3d.pool import Pool
from fastsam3d.recipes import OURS, Setting, adapted
from fastsam3d.supply import EXAMPLES
from fastsam3d.teacher import load_teacher
from lockholder import holder
from trees import LAYOUTS, nnunet

SETTING = Setting(steps=2, batch=1, device="cpu", precision="32-true")
QUICK = replace(adapted(OURS, SETTING), question=LogitConfig(objects=1, clicks=(1,)))
ONCE = replace(
    QUICK, feature=replace(QUICK.feature, steps=1), logits=replace(QUICK.logits, steps=1)
)
ONE_ANSWER = replace(ONCE, features="none")


@pytest.fixture(scope="module", autouse=True)
def presets():
    with small_presets():
        yield


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    return make_desk(tmp_path_factory.mktemp("desk"))


def plan_in(folder, desk):
    teacher = str(desk / "teacher.safetensors")
    source = desk / "manifest.csv"
    return Distillation(
        source, folder, teacher, "fastsam3d-default", QUICK, 2, workers=0, held_out=0
    )


@pytest.fixture
def plan(desk, tmp_path):
    return plan_in(tmp_path / "out", desk)


@pytest.fixture(scope="module")
def done(desk, tmp_path_factory, presets):
    """A distillation that has come to its end."""
    plan = plan_in(tmp_path_factory.mktemp("done"), desk)
    run(plan)
    return plan


def result(plan):
    return load_weights(plan.folder / f"{plan.student}.safetensors")


def test_command_leads_from_a_manifest_to_weights_that_segment_uses(desk, tmp_path, capsys):
    out = tmp_path / "out"
    guide = desk / "teacher.safetensors"
    with pytest.raises(SystemExit) as ended:
        main(
            f"distill {desk} {out} --teacher {guide} --steps 1 --examples 1 --batch-size 1 "
            "--held-out 1 --workers 0 --device cpu --precision 32-true".split()
        )
    assert ended.value.code == 0
    path = out / "fastsam3d-default.safetensors"
    said = capsys.readouterr().out.replace("\n", "")
    assert str(path) in said
    assert str(out / "report.html") in said
    student = load_model("fastsam3d-default", checkpoint=path, device="cpu")
    assert student.config == STUDENT
    mask = tmp_path / "mask.nii.gz"
    with pytest.raises(SystemExit) as ended:
        main(
            f"segment {desk / 'scan.nrrd'} -o {mask} --point 15,19,12 --coordinates ijk "
            f"--checkpoint {path} --device cpu".split()
        )
    assert ended.value.code == 0
    assert mask.exists()


def steps_logged(folder):
    logs = (read_log(folder / f"{name}.csv") for name in ("feature", "logits"))
    return [[record.step for record in log] for log in logs]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dataset_as_it_is_downloaded_becomes_a_student_in_both_stages(layout, plan, tmp_path):
    source = LAYOUTS[layout](tmp_path / layout)
    asked = replace(plan, source=source, recipe=ONCE, examples=1)
    assert load_model(asked.student, checkpoint=run(asked), device="cpu").config == STUDENT
    assert len(read_manifest(asked.folder / DATA, split="train")) > 0
    assert steps_logged(asked.folder) == [[1], [1]]


def test_one_command_leads_from_a_downloaded_dataset_to_weights_and_a_report(desk, tmp_path):
    source, out = nnunet(tmp_path / "nnunet", cases=2, tests=0), tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(
            f"distill {source} {out} --teacher {desk / 'teacher.safetensors'} --steps 1 "
            "--examples 1 --batch-size 1 --held-out 1 --workers 0 --device cpu "
            "--precision 32-true".split()
        )
    assert ended.value.code == 0
    assert steps_logged(out) == [[1], [1]]
    assert load_model(checkpoint=out / "fastsam3d-default.safetensors").config == STUDENT
    assert "Student less teacher" in (out / "report.md").read_text(encoding="utf-8")


def test_second_call_in_a_folder_is_told_which_process_works_in_it(plan):
    plan.folder.mkdir()
    with holder(plan.folder) as process:
        with pytest.raises(InputError, match=f"in use by process {process.pid} on"):
            run(plan)
        assert {path.name for path in plan.folder.iterdir()} == {LOCK}


def test_unknown_precision_is_refused_before_anything_is_prepared(desk, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(f"distill {desk} {tmp_path / 'out'} --precision 12".split())
    assert ended.value.code == 2
    assert "Got precision '12'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_both_stages_are_logged_and_change_the_student(done):
    feature, logits = (read_log(done.folder / f"{name}.csv") for name in ("feature", "logits"))
    assert [record.step for record in feature] == [record.step for record in logits] == [1, 2]
    assert {"loss", "layer1", "layer2", "layer3", "k"} <= set(feature[0].values)
    assert {"loss", "truth", "teacher", "iou", "teacher_iou"} <= set(logits[0].values)
    assert [record.values["k"] for record in feature] == [2, 3]
    start = new_student(done.student, load_teacher(done.teacher), done.recipe).state_dict()
    assert not torch.equal(
        result(done)["image_encoder.pos_embed"], start["image_encoder.pos_embed"]
    )


def test_logs_of_both_stages_are_drawn_with_titles_in_plain_words(done):
    feature, logits = (
        [axes.get_title() for axes in curves(read_log(done.folder / f"{name}.csv")).axes]
        for name in ("feature", "logits")
    )
    assert feature == ["Loss", "Loss of each layer", "Layers in use, k"]
    assert logits == [
        "Loss",
        "Loss against the truth",
        "Loss against the teacher",
        "IoU after the last click",
        "Teacher's IoU after the last click",
    ]


def test_distillation_called_again_does_nothing_more(done):
    def times():
        return [path.stat().st_mtime_ns for path in sorted(done.folder.glob("*.ckpt"))]

    first, before = result(done), times()
    run(done)
    assert len(before) == 2
    assert times() == before
    assert_close(result(done), first, rtol=0, atol=0)


def test_interrupted_second_stage_ends_as_if_it_had_not_been(done, plan):
    real = module.learn

    def cut(task, examples, folder, name, config, on_step):
        if name == "logits":
            raise KeyboardInterrupt
        return real(task, examples, folder, name, config, on_step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "learn", cut)
        with pytest.raises(KeyboardInterrupt):
            run(plan)
    run(plan)
    assert_close(result(plan), result(done), rtol=0, atol=0)


def test_checkpoints_hold_no_teacher(done):
    for name in ("feature", "logits"):
        task = torch.load(done.folder / f"{name}.ckpt", weights_only=True)["task"]
        assert all(key.startswith("student.") for key in task)


def test_cache_keeps_the_features_of_the_examples(plan):
    run(replace(plan, recipe=ONCE, cache=True))
    names = {path.name for path in (plan.folder / CACHE).iterdir()}
    assert names == {"index.json", "features-00000.safetensors"}


def test_logits_alone_leave_the_feature_stage_out(plan):
    run(replace(plan, recipe=ONE_ANSWER))
    assert not (plan.folder / "feature.csv").exists()
    assert (plan.folder / "logits.csv").exists()


def test_folder_of_another_distillation_is_refused(done, tmp_path):
    other = tmp_path / "other.safetensors"
    save_weights(other, network(TEACHER, seed=2).state_dict())
    with pytest.raises(InputError, match="another distillation, with another teacher;"):
        run(replace(done, teacher=str(other)))
    with pytest.raises(InputError, match="another recipe and examples;"):
        run(replace(done, examples=9, recipe=adapted(QUICK, replace(SETTING, steps=9))))


def test_time_that_is_up_stops_after_a_saved_step_and_the_next_calls_go_on(done, plan):
    hasty = replace(plan, limit_seconds=1e-6)
    reached = []
    while not (plan.folder / "fastsam3d-default.safetensors").exists():
        with suppress(OutOfTime):
            run(hasty)
        logs = [read_log(plan.folder / f"{name}.csv") for name in ("feature", "logits")]
        reached.append(sum(len(log) for log in logs))
        assert len(reached) < 5
    assert len(reached) > 1
    assert reached[-1] == 4
    assert_close(result(plan), result(done), rtol=0, atol=0)


def test_several_devices_take_no_limit(plan):
    pair = replace(QUICK, logits=replace(QUICK.logits, devices=2))
    with pytest.raises(InputError, match="leave --limit-seconds out"):
        run(replace(plan, recipe=pair, limit_seconds=9))


def test_damaged_note_of_what_the_folder_holds_is_told(plan):
    plan.folder.mkdir()
    (plan.folder / PLAN).write_text("{")
    with pytest.raises(InputError, match="holds a damaged"):
        run(plan)


def test_student_that_cannot_follow_is_refused_before_anything_is_written(plan, monkeypatch):
    monkeypatch.setitem(PRESETS, "fastsam3d", replace(PUBLISHED, width=32))
    for student, reason in (("nobody", "expected one of"), ("fastsam3d", "fixes its layers")):
        with pytest.raises(InputError, match=reason):
            run(replace(plan, student=student))
    assert not plan.folder.exists()


def test_published_networks_learn_on_patches_of_their_spacing(plan, monkeypatch, tmp_path):
    asked = []
    real = gather.supply

    def supply(*given, **named):
        asked.append(named["spacing_mm"])
        return real(*given, **named)

    monkeypatch.setattr(gather, "supply", supply)
    own = replace(plan, recipe=ONE_ANSWER, examples=1)
    run(own)
    path = tmp_path / "published.safetensors"
    save_weights(path, network(PUBLISHED_TEACHER).state_dict())
    published = replace(own, teacher=str(path), student="fastsam3d", folder=tmp_path / "published")
    run(published)
    assert asked == [None, 1.5]
    assert len(Pool(published.folder / EXAMPLES)) == 1


def test_what_will_be_done_is_the_first_that_is_said(plan, capsys):
    with suppress(OutOfTime):
        run(replace(plan, limit_seconds=0.001))
    assert capsys.readouterr().err.startswith("fastsam3d-default learns from ")
