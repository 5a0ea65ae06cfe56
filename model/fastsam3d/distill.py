"""`fastsam3d distill`: from a dataset and a teacher to a file of a student's weights."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from .bars import bar, described
from .config import PRESETS, ModelConfig
from .console import said
from .curve import Record
from .devices import is_first, wait_for_first
from .errors import InputError
from .featurecache import Examples, FeatureCache, WithFeatures
from .folders import make_folder
from .growth import fresh, seed_from
from .inputs import pick_device
from .logits import LogitTask
from .loop import run as learn
from .loop_config import LoopConfig
from .model import FastSAM3D
from .packing import save_weights
from .pool import Pool
from .progressive import FeatureTask, check_pair
from .recipes import Recipe
from .supply import supply
from .taps import depth, encoder_of
from .task import Task
from .teacher import Teacher, load_teacher

DATA, FEATURES, PLAN = "data", "features", "distillation.json"
"""What a folder of distillation holds, beside examples, logs, checkpoints and weights."""

PUBLISHED_SPACING_MM = 1.5
"""Of the patches that the published networks were trained on."""

_MACHINE = ("device", "devices", "nodes", "precision", "micro", "save_every")
"""What may differ when a distillation is gone on with."""


@dataclass(frozen=True)
class Distillation:
    """What the user asked for.

    source: a manifest, or a folder of a public dataset that `fastsam3d prepare` reads.
    folder: for all that is written; what is there is gone on with.
    teacher: a preset or a file of weights; student: a preset.
    examples: to prepare ahead.
    split: only rows of this split; None takes all, and of a dataset those for training.
    workers: processes that prepare; 0 prepares in this one.
    cache: keep the teacher's features on disk.
    int8: store the weights in a quarter of float32's size instead of half.
    """

    source: Path
    folder: Path
    teacher: str
    student: str
    recipe: Recipe
    examples: int = 2000
    split: str | None = None
    workers: int = 1
    cache: bool = False
    int8: bool = False


def run(plan: Distillation) -> Path:
    """Prepare, teach in two stages and write the student's averaged weights; return their file.

    Every process of a training calls this; the first prepares and writes, the others wait for it.

    Raises:
        InputError: an unusable source, folder, teacher or setting, or Lightning is missing.
    """
    if plan.student not in PRESETS:
        raise InputError(f"Got student {plan.student!r}; expected one of {', '.join(PRESETS)}.")
    teacher = load_teacher(plan.teacher)
    student = new_student(plan.student, teacher, plan.recipe)
    make_folder(plan.folder)
    _claim(plan, teacher)
    pool = _prepared(plan, teacher, student)
    distill(student, teacher, pool, plan.folder, plan.recipe, cache=plan.cache)
    path = plan.folder / f"{plan.student}.safetensors"
    if is_first():
        save_weights(path, student.state_dict(), int8=plan.int8)
        said.print(
            f"Weights: {path} ({path.stat().st_size / 1e6:.1f} MB).\n"
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
) -> None:
    """Teach a student, first layer by layer, then by logits; go on where it was interrupted.

    Args:
        student: changed: it ends as the running average of the second stage.
        teacher: whom it is to follow.
        examples: to learn from.
        folder: for checkpoints and logs of both stages.
        recipe: how.
        cache: keep the teacher's features in `folder`; the first stage then shows patches unvaried.

    Raises:
        InputError: as `loop.run` and `FeatureTask`.
    """
    question = recipe.question
    if recipe.features != "none":
        followed = _cached(student, teacher, examples, folder, recipe) if cache else examples
        task = FeatureTask(
            student, teacher, all_layers=recipe.features == "all", variety=question.variety
        )
        _stage("feature", task, followed, folder, recipe.feature, student)
    _stage(
        "logits", LogitTask(student, teacher, question), examples, folder, recipe.logits, student
    )


def new_student(preset: str, teacher: Teacher, recipe: Recipe) -> FastSAM3D:
    """Make a student as a recipe starts it.

    Raises:
        InputError: it cannot follow the teacher.
    """
    student = fresh(PRESETS[preset], recipe.logits.seed)
    if recipe.features != "none":
        check_pair(student, teacher)
    seed_from(student, teacher.network, recipe.inherited)
    return student


def _stage(
    name: str, task: Task, examples: Examples, folder: Path, config: LoopConfig, student: FastSAM3D
) -> None:
    """Learn, and leave the running average in the student."""
    with bar(name, 1.0) as show:

        def on_step(record: Record) -> None:
            done = config.progress(record.step, record.seconds, len(examples))
            show(done, described(record))

        state = learn(task, examples, folder, name, config, on_step)
    own = "student."
    student.load_state_dict(
        {key.removeprefix(own): value for key, value in state.items() if key.startswith(own)}
    )


def _cached(
    student: FastSAM3D, teacher: Teacher, examples: Examples, folder: Path, recipe: Recipe
) -> Examples:
    teacher.bring(pick_device(recipe.feature.device))
    cache = FeatureCache(folder / FEATURES, teacher, depth(encoder_of(student)))
    count = len(examples)

    def fill() -> None:
        with bar("keeping the teacher's features", count) as show:
            for done in cache.fill(examples):
                show(done, f"{done} of {count}")

    _once(fill, lambda: cache.is_full(count))
    return WithFeatures(examples, cache)


def _prepared(plan: Distillation, teacher: Teacher, student: FastSAM3D) -> Pool:
    """Prepare the dataset, if it is one, and the examples."""
    manifest, split = _manifest(plan)
    published = any(isinstance(n.config, ModelConfig) for n in (teacher.network, student))
    return supply(
        plan.folder,
        plan.examples,
        manifest,
        split=split,
        workers=plan.workers,
        seed=plan.recipe.logits.seed,
        spacing_mm=PUBLISHED_SPACING_MM if published else None,
    )


def _manifest(plan: Distillation) -> tuple[Path, str | None]:
    """Return the source's manifest and the split to take; prepare a dataset first."""
    if plan.source.is_file() or (plan.source / "manifest.csv").is_file():
        return plan.source, plan.split
    from .dataset_command import run as prepare_dataset
    from .dataset_prepare import MANIFEST, Request

    folder = plan.folder / DATA

    def work() -> None:
        prepare_dataset(Request(plan.source, folder, workers=plan.workers))

    _once(work, (folder / MANIFEST).is_file)
    return folder / MANIFEST, plan.split or "train"


def _once(work: Callable[[], None], is_done: Callable[[], bool]) -> None:
    """Do what one process alone may do; the others wait until it is done."""
    if is_first():
        work()
    else:
        wait_for_first(is_done)


def _claim(plan: Distillation, teacher: Teacher) -> None:
    """Refuse a folder that holds another distillation; remember what this one is."""
    path = plan.folder / PLAN
    asked = json.dumps(_described(plan, teacher), indent=1) + "\n"
    if not is_first() or (path.exists() and path.read_text() == asked):
        return
    if path.exists():
        raise InputError(f"{plan.folder} holds {_other(path, asked)}; choose another folder.")
    path.write_text(asked)


def _other(path: Path, asked: str) -> str:
    try:
        there, wanted = json.loads(path.read_text()), json.loads(asked)
        differ = [name for name in wanted if there[name] != wanted[name]]
    except (ValueError, KeyError, TypeError):
        return f"a damaged {path.name}"
    return f"another distillation, with another {' and '.join(differ)}"


def _described(plan: Distillation, teacher: Teacher) -> dict[str, object]:
    recipe = asdict(plan.recipe)
    for stage in ("feature", "logits"):
        recipe[stage] = {k: v for k, v in recipe[stage].items() if k not in _MACHINE}
    return {
        "source": str(plan.source.resolve()),
        "teacher": teacher.sha256(),
        "student": plan.student,
        "recipe": recipe,
        "examples": plan.examples,
        "split": plan.split,
        "cache": plan.cache,
    }
