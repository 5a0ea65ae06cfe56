"""A distillation as the user asks for it: what can be done, and what is said and noted of it."""

from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from .config import PRESETS
from .devices import processes
from .document import called
from .errors import InputError
from .gather import check_source
from .growth import inheritance
from .inputs import pick_device
from .loop_config import LoopConfig
from .model import FastSAM3D
from .recipes import Recipe, shown
from .taps import depth, encoder_of
from .teacher import Teacher

_MACHINE = ("device", "devices", "nodes", "precision", "micro", "save_every")
"""What may differ when a distillation is gone on with."""


@dataclass(frozen=True)
class Distillation:
    """What the user asked for.

    source: a manifest, a folder of a public dataset, or one of examples: see `gather.Wanted`.
    folder: for all that is written; what is there is gone on with.
    teacher: a preset or a file of weights; student: a preset.
    examples: to prepare ahead at most; no more are prepared than the stages can show.
    split: only rows of this split; None takes those for training, or all if none is named so.
    workers: processes that prepare; 0 prepares in this one.
    cache: keep the teacher's features on disk.
    int8: store the weights in a quarter of float32's size instead of half.
    held_out: examples that are kept apart and measured with at the end; 0 learns from all.
    limit_seconds: how long this call may learn; None takes as long as it takes.
    start_from: weights that the student goes on from, instead of its teacher's.
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
    held_out: int = 24
    limit_seconds: float | None = None
    start_from: Path | None = None


def check(plan: Distillation) -> None:
    """Refuse what cannot be done, before anything is made.

    Raises:
        InputError: there is no such source or student, or several devices have a limit.
    """
    check_source(plan.source)
    if plan.student not in PRESETS:
        raise InputError(f"Got student {plan.student!r}; expected one of {', '.join(PRESETS)}.")
    config = plan.recipe.logits
    if plan.limit_seconds is not None and processes(config.devices, config.nodes) > 1:
        raise InputError(
            "Several devices cannot stop together when time is up; leave --limit-seconds out."
        )


def announced(plan: Distillation) -> str:
    """Say what will be done, before hours of it: stages, steps, batch, examples and device."""
    recipe, config = plan.recipe, plan.recipe.logits
    stages = {"layers": recipe.feature, "masks": config}
    if recipe.features == "none":
        del stages["layers"]
    lengths = " and ".join(f"{_length(stage)} for {what}" for what, stage in stages.items())
    each = f", {config.micro} at once" if config.micro is not None else ""
    several = processes(config.devices, config.nodes)
    where = f"{several} x " * (several > 1) + pick_device(config.device).type
    return (
        f"{plan.student} learns from {plan.teacher}: {lengths}; batches of {config.batch} patches"
        f"{each}, up to {shown(recipe, plan.examples)} examples, on {where}."
    )


def beginning_of(plan: Distillation, teacher: Teacher, student: FastSAM3D) -> str:
    """Say what the student starts from."""
    if plan.start_from is None:
        return inheritance(student, teacher.network, plan.recipe.inherited)
    return f"The student goes on from {called(str(plan.start_from))}."


def noted(plan: Distillation, teacher: Teacher) -> dict[str, object]:
    """Return what decides the result, to be noted in the folder."""
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
        "held_out": plan.held_out,
        "start_from": plan.start_from and sha256(plan.start_from.read_bytes()).hexdigest(),
    }


def _length(config: LoopConfig) -> str:
    if config.seconds is not None:
        return f"{config.seconds:g} seconds"
    count, unit = (config.steps, "step") if config.steps else (config.epochs, "epoch")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def followed(recipe: Recipe, teacher: Teacher, student: FastSAM3D) -> str:
    """Say which layers a student follows."""
    if recipe.features == "none":
        return "The student follows the teacher's masks alone, not its layers."
    theirs, own = (depth(encoder_of(one)) for one in (teacher.network, student))
    if theirs == own:
        return "Teacher and student have as many layers: layer i follows layer i."
    return f"Layer i of the student follows layer {theirs // own}i of the teacher."
