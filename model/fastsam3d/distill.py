"""`fastsam3d distill`: from a dataset and a teacher to a file of a student's weights."""

from contextlib import nullcontext
from pathlib import Path

from .bars import bar, described
from .claim import claim
from .config import PRESETS, ModelConfig
from .console import aside, said
from .curve import Record
from .devices import is_first
from .distillation import Distillation, announced, beginning_of, check, followed, noted
from .featurecache import Examples, FeatureCache, WithFeatures
from .folders import make_folder
from .gather import Wanted, check_folder, gather, once
from .growth import fresh, seed_from
from .inputs import pick_device
from .limit import Limit
from .loading import load_model
from .lock import locked
from .logits import LogitTask
from .loop import run as learn
from .loop_config import LoopConfig
from .model import FastSAM3D
from .packing import save_weights
from .progressive import FeatureTask, check_pair
from .recipes import Recipe, fitted, shown
from .taps import depth, encoder_of
from .task import Task
from .teacher import Teacher, load_teacher

CACHE, PLAN = "features", "distillation.json"
"""What a folder of distillation holds, beside examples, logs, checkpoints, report and weights."""

PUBLISHED_SPACING_MM = 1.5
"""Of the patches that the published networks were trained on."""


def run(plan: Distillation) -> Path:
    """Prepare, teach in two stages and write the student's averaged weights; return their file.

    Every process of a training calls this; the first prepares and writes, the others wait for it.

    Raises:
        InputError: an unusable source, folder, teacher or setting, a folder that another command
            works in, a file that cannot be written, or Lightning is missing.
        OutOfTime: the limit was reached; to be called again.
    """
    check(plan)
    limit = Limit(plan.limit_seconds)
    teacher = load_teacher(plan.teacher)
    student = new_student(plan.student, teacher, plan.recipe, plan.start_from)
    make_folder(plan.folder)
    with locked(plan.folder) if is_first() else nullcontext():
        return _run(plan, teacher, student, limit)


def _run(plan: Distillation, teacher: Teacher, student: FastSAM3D, limit: Limit) -> Path:
    check_folder(plan.folder / PLAN)
    claim(plan.folder / PLAN, noted(plan, teacher), "distillation")
    beginning = beginning_of(plan, teacher, student)
    if is_first():
        aside.print(announced(plan), soft_wrap=True)
        aside.print(beginning, followed(plan.recipe, teacher, student), soft_wrap=True)
    examples = gather(_wanted(plan, teacher, student))
    distill(
        student, teacher, examples.learnt, plan.folder, plan.recipe, cache=plan.cache, limit=limit
    )
    path = plan.folder / f"{plan.student}.safetensors"
    if is_first():
        from .distill_report import write_report
        from .distill_results import Distilled

        save_weights(path, student.state_dict(), int8=plan.int8)
        report = write_report(
            plan.folder,
            Distilled(
                str(plan.source),
                plan.teacher,
                plan.student,
                teacher,
                student,
                plan.recipe,
                examples,
                beginning,
            ),
        )
        said.print(
            f"Weights: {path} ({path.stat().st_size / 1e6:.1f} MB). Report: {report}\n"
            f"To use them: fastsam3d segment ... --preset {plan.student} --checkpoint {path}",
            soft_wrap=True,
        )
    return path


def distill(
    student: FastSAM3D,
    teacher: Teacher,
    examples: Examples,
    folder: Path,
    recipe: Recipe,
    *,
    cache: bool = False,
    limit: Limit | None = None,
) -> None:
    """Teach a student, first layer by layer, then by logits; go on where it was interrupted.

    The stages show the examples in orders of their own; the recipe's seed decides both.

    Args:
        student: changed: it ends as the running average of the second stage.
        teacher: whom it is to follow.
        examples: to learn from.
        folder: for checkpoints and logs of both stages.
        recipe: how.
        cache: keep the teacher's features in `folder`; the first stage then shows patches unvaried.
        limit: of how long this call learns.

    Raises:
        InputError: as `loop.run` and `FeatureTask`.
        OutOfTime: the limit was reached; to be called again.
    """
    limit = limit or Limit()
    question = recipe.question
    if recipe.features != "none":
        followed = _cached(student, teacher, examples, folder, recipe) if cache else examples
        config, everything = recipe.feature.of_stage(1), recipe.features == "all"
        task = FeatureTask(
            student, teacher, all_layers=everything, variety=question.variety, seed=config.seed
        )
        _stage("feature", task, followed, folder, config, student, limit)
    answers = LogitTask(student, teacher, question)
    _stage("logits", answers, examples, folder, recipe.logits.of_stage(2), student, limit)


def new_student(
    preset: str, teacher: Teacher, recipe: Recipe, start_from: Path | None = None
) -> FastSAM3D:
    """Make a student as a recipe starts it, or from a file of its weights.

    Raises:
        InputError: it cannot follow the teacher, or the file does not fit it.
    """
    student = fresh(PRESETS[preset], recipe.logits.seed)
    if recipe.features != "none":
        check_pair(student, teacher)
    if start_from is None:
        seed_from(student, teacher.network, recipe.inherited)
    else:
        learnt = load_model(preset, checkpoint=start_from, device="cpu", precision="float32")
        student.load_state_dict(learnt.state_dict())
    return student


def _stage(
    name: str,
    task: Task,
    examples: Examples,
    folder: Path,
    config: LoopConfig,
    student: FastSAM3D,
    limit: Limit,
) -> None:
    """Learn, and leave the running average in the student."""
    config = limit.suited(fitted(config, len(examples)))
    check = limit.watch(config)
    with bar(name, 1.0) as show:

        def on_step(record: Record) -> None:
            done = config.progress(record.step, record.seconds, len(examples))
            show(done, described(record))
            check(record)

        state = learn(task, examples, folder, name, config, on_step)
    own = "student."
    student.load_state_dict(
        {key.removeprefix(own): value for key, value in state.items() if key.startswith(own)}
    )


def _cached(
    student: FastSAM3D, teacher: Teacher, examples: Examples, folder: Path, recipe: Recipe
) -> Examples:
    cache = FeatureCache(folder / CACHE, teacher, depth(encoder_of(student)))
    count = len(examples)

    def fill() -> None:
        teacher.bring(pick_device(recipe.feature.device))
        with bar("keeping the teacher's features", count) as show:
            for done in cache.fill(examples):
                show(done, f"{done} of {count}")

    once(fill, lambda: cache.is_full(count))
    return WithFeatures(examples, cache)


def _wanted(plan: Distillation, teacher: Teacher, student: FastSAM3D) -> Wanted:
    published = any(isinstance(n.config, ModelConfig) for n in (teacher.network, student))
    return Wanted(
        plan.source,
        plan.folder,
        shown(plan.recipe, plan.examples),
        plan.held_out,
        plan.split,
        plan.workers,
        plan.recipe.logits.seed,
        PUBLISHED_SPACING_MM if published else None,
    )
