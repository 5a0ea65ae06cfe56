import csv
import json
from contextlib import suppress
from dataclasses import replace

import pytest
import torch
import typer
from matplotlib.image import imread
from typer.testing import CliRunner

from distilling import TEACHER, drawn, network, small_presets
from fastsam3d import ablation as module
from fastsam3d import ablation_report as report
from fastsam3d.ablation import Ablation, run
from fastsam3d.cli_distill import distill_ablation
from fastsam3d.curve import Record, open_log, read_log
from fastsam3d.errors import InputError
from fastsam3d.heldout import Kept
from fastsam3d.limit import COME_AGAIN, OutOfTime
from fastsam3d.logits import LogitConfig
from fastsam3d.packing import save_weights
from fastsam3d.pool import Pool
from fastsam3d.recipes import OURS, RECIPES, Setting
from fastsam3d.teacher import load_teacher
from lockholder import holder

ARMS = ("progressive", "all", "none")
SETTING = Setting(batch=1, device="cpu", precision="32-true")
QUICK = replace(OURS, question=LogitConfig(objects=1, clicks=(1,)))


@pytest.fixture(scope="module", autouse=True)
def quick():
    with small_presets(), pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "ours", QUICK)
        yield


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with examples and a teacher's weights."""
    folder = tmp_path_factory.mktemp("desk")
    pool = Pool(folder / "pool")
    for example in drawn(3):
        pool.append(example)
    save_weights(folder / "teacher.safetensors", network(TEACHER, seed=1).state_dict())
    return folder


def asked_in(folder, desk):
    teacher = str(desk / "teacher.safetensors")
    student = "fastsam3d-default"
    return Ablation(desk / "pool", folder, teacher, student, 2, seeds=1, setting=SETTING)


@pytest.fixture(scope="module")
def done(desk, tmp_path_factory, quick):
    """An ablation that came to its end in several calls, each with time for a step or two."""
    asked = asked_in(tmp_path_factory.mktemp("done"), desk)
    calls = 0
    while not (asked.folder / "runs" / "none-0.json").exists():
        calls += 1
        assert calls < 10
        with suppress(OutOfTime):
            run(replace(asked, limit_seconds=1e-6))
    assert calls == 4
    return asked


@pytest.fixture
def about(done):
    """What an ablation says of itself."""
    return json.loads((done.folder / "ablation-plan.json").read_text())


@pytest.fixture
def students():
    """Results of two seeds of each kind on sixteen examples, of which one kind is better."""
    return [
        module.Done(
            arm,
            seed,
            tuple(tuple(0.5 + 0.01 * (n + k + seed) + gain for k in range(10)) for n in range(16)),
            None if arm == "none" else 3.0,
            60.0,
        )
        for arm, gain in zip(ARMS, (0.1, 0.0, 0.0), strict=True)
        for seed in range(2)
    ]


@pytest.mark.parametrize("steps", [2, 600, 40000])
def test_each_kind_takes_as_many_steps_on_as_many_patches(steps, desk, tmp_path):
    asked = replace(asked_in(tmp_path, desk), steps=steps)
    for arm in ARMS:
        recipe = asked.recipe_for(arm, seed=4)
        stages = [recipe.logits] if arm == "none" else [recipe.feature, recipe.logits]
        assert sum(stage.steps for stage in stages) == steps
        assert len({stage.steps for stage in stages}) == 1
        assert {(stage.batch, stage.seed) for stage in stages} == {(1, 4)}
        assert recipe.inherited == ()


def test_short_stages_warm_up_and_average_over_a_tenth_at_most(desk, tmp_path):
    short = replace(asked_in(tmp_path, desk), steps=400).recipe_for("all", 0)
    assert short.feature.warm_up == short.logits.warm_up == 20
    assert short.logits.average == pytest.approx(0.95)
    long = replace(asked_in(tmp_path, desk), steps=40000).recipe_for("all", 0)
    assert (long.logits.warm_up, long.logits.average) == (QUICK.logits.warm_up, 0.995)


def test_students_start_from_nothing_unless_they_are_to_inherit(desk, tmp_path):
    asked = asked_in(tmp_path, desk)
    teacher = load_teacher(asked.teacher)
    keys = [k for k in teacher.network.state_dict() if k.startswith("mask_decoder.")]
    key = next(k for k in keys if teacher.network.state_dict()[k].std() > 0)
    same = []
    for inherit in (False, True):
        recipe = replace(asked, inherit=inherit).recipe_for("all", 0)
        student = module.new_student(asked.student, teacher, recipe)
        same.append(torch.equal(student.state_dict()[key], teacher.network.state_dict()[key]))
    assert same == [False, True]


def test_called_again_and_again_it_comes_to_a_table_of_all_kinds(done):
    text = (done.folder / "ablation.md").read_text(encoding="utf-8")
    for name in ("progressive", "all layers at once", "logits alone"):
        assert f"| {name} |" in text
    assert "Each student takes 2 steps of 1 patches, from the same 2 examples." in text
    assert "on 1 examples, other patches than those learnt from" in text
    logs = {
        arm: [
            len(read_log(done.folder / "runs" / f"{arm}-0" / f"{stage}.csv"))
            for stage in ("feature", "logits")
        ]
        for arm in ARMS
    }
    assert logs == {"progressive": [1, 1], "all": [1, 1], "none": [0, 2]}
    assert not list(done.folder.rglob("*.ckpt"))


def test_csv_and_json_hold_each_student(done):
    with (done.folder / "ablation.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["arm"] for line in lines] == list(ARMS)
    content = json.loads((done.folder / "ablation.json").read_text())
    assert [len(one["dice"][0]) for one in content["students"]] == [10] * 3
    assert float(lines[0]["dice_3"]) == pytest.approx(
        content["students"][0]["dice"][0][2], abs=1e-4
    )
    assert all(one["feature_loss"] > 0 for one in content["students"])
    assert imread(done.folder / "ablation.png").std() > 0.02


def test_report_names_no_folder_of_the_machine_it_was_written_on(done, desk):
    for name in ("ablation.md", "ablation.html", "ablation.json"):
        text = (done.folder / name).read_text(encoding="utf-8")
        assert str(desk.parent) not in text
        assert "pool" in text


def test_students_that_are_done_are_not_taught_again(done, monkeypatch):
    monkeypatch.setattr(module, "distill", None)
    before = (done.folder / "ablation.csv").read_text()
    run(done)
    assert (done.folder / "ablation.csv").read_text() == before


def test_folder_of_another_ablation_is_refused(done):
    with pytest.raises(InputError, match="another ablation, with another steps;"):
        run(replace(done, steps=4))


def test_folder_that_another_process_works_in_is_refused(done):
    with holder(done.folder), pytest.raises(InputError, match="in use by process"):
        run(done)


def test_result_that_is_damaged_is_told(done, desk, tmp_path):
    asked = asked_in(tmp_path, desk)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "progressive-0.json").write_text("{")
    with pytest.raises(InputError, match="no result of an ablation; delete it"):
        run(asked)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"steps": 3}, "even number"),
        ({"student": "nobody"}, "expected one of"),
        ({"held_out": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, reason, desk, tmp_path):
    with pytest.raises(InputError, match=reason):
        replace(asked_in(tmp_path, desk), **change)


def test_report_says_which_kind_is_better_and_where_none_is(students, about, tmp_path):
    examples = module.Gathered([0] * 50, [0] * 16, "of 3 patients")
    text = module.write_report(tmp_path, students, about, examples).read_text(encoding="utf-8")
    assert "| progressive | 0.680 ± 0.007 |" in text
    assert "3.00 ± 0.00 | 60 ± 0 |" in text
    assert "| logits alone | 0.580 ± 0.007 |" in text
    assert "| - | 60 ± 0 |" in text
    assert "Better: progressive, by 0.100 over all layers at once, p = " in text
    assert "Better: progressive, by 0.100 over logits alone" in text
    assert (
        "No difference is shown between all layers at once and logits alone: +0.000, p = 1" in text
    )
    tests = json.loads((tmp_path / "ablation.json").read_text())["tests"]
    assert [one["clicks"] for one in tests[:5]] == [1, 3, 5, 10, None]
    assert tests[4]["found"]["p"] < 0.001
    assert all(one["found"]["patients"] == 16 for one in tests)


def test_tests_count_patients_where_they_are_known(students, about, tmp_path):
    kept = Kept([None] * 16, [("set", f"p{n % 3}") for n in range(16)])
    examples = module.Gathered([0] * 50, kept, "of 3 patients")
    text = module.write_report(tmp_path, students, about, examples).read_text(encoding="utf-8")
    assert (
        "Mean difference between progressive and all layers at once: +0.100; no test is possible "
        "with fewer than 6 patients (here 3)." in text
    )
    assert "| progressive against all layers at once | +0.100 | +0.100 | +0.100" in text
    assert "Wilcoxon" not in text
    tests = json.loads((tmp_path / "ablation.json").read_text())["tests"]
    assert all(one["found"]["patients"] == 3 for one in tests)


def test_kinds_that_learnt_alike_and_single_steps_can_be_told_apart_in_the_picture(
    students, tmp_path, monkeypatch
):
    for one in students:
        for stage, steps in (("feature", 1), ("logits", 1)):
            (tmp_path / f"{one.arm}-{one.seed}").mkdir(exist_ok=True)
            log = open_log(tmp_path / f"{one.arm}-{one.seed}" / f"{stage}.csv", 0)
            log(Record(steps, 1.0, {"loss": 1.0, "iou": 0.5}, 1e-3))
    kept = []
    monkeypatch.setattr(report, "write_figure", lambda path, figure: kept.append(figure))
    report.draw(tmp_path / "ablation.png", students, tmp_path)
    left, right = kept[0].axes
    assert [line.get_linestyle() for line in left.lines] == ["-", "--", ":"]
    assert [line.get_linestyle() for line in right.lines] == ["-", "-", "--", "--", ":", ":"]
    assert {line.get_marker() for line in right.lines} == {"o"}
    assert all(float(tick).is_integer() for tick in right.get_xticks())


def test_report_of_an_unfinished_ablation_says_so(students, about, tmp_path):
    examples = module.Gathered([0] * 50, [0] * 16, "of 3 patients")
    text = module.write_report(tmp_path, students[:3], about, examples).read_text(encoding="utf-8")
    assert "(unfinished: progressive 2, all layers at once 1)" in text


def test_command_says_when_it_is_to_be_called_again(desk, tmp_path):
    app = typer.Typer()
    app.command()(distill_ablation)
    arguments = f"{desk / 'pool'} {tmp_path} --teacher {desk / 'teacher.safetensors'} --steps 2 "
    arguments += "--seeds 1 --batch-size 1 --device cpu --precision 32-true --limit-seconds 1e-6"
    ended = CliRunner().invoke(app, arguments.split())
    assert ended.exit_code == COME_AGAIN
    assert "the same command goes on" in ended.output
