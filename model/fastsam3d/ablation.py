"""`fastsam3d distill-ablation`: what following a teacher's layers one by one is worth.

Each student takes as many steps of as many patches of the same examples. Two kinds follow the
teacher's layers for the first half, progressively or all at once, and its masks for the second; the
third follows its masks for all steps.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from .ablation_report import ARMS, Done, write_report
from .bars import bar
from .claim import claim
from .config import PRESETS, ModelConfig
from .console import aside, said
from .curve import read_log
from .distill import PUBLISHED_SPACING_MM, distill, new_student
from .errors import InputError
from .folders import make_folder
from .gather import Gathered, Wanted, check_folder, check_source, gather
from .inputs import pick_device
from .limit import Limit, OutOfTime
from .lock import locked
from .recipes import PAPER, Recipe, Setting, adapted, recipe_of
from .teacher import Teacher, load_teacher
from .trial import dice_of_each, feature_distance, ready
from .whole import write_text

PLAN, RUNS = "ablation-plan.json", "runs"


@dataclass(frozen=True)
class Ablation:
    """What the user asked for.

    source: as for a distillation; folder: for all that is written; what is there is gone on with.
    teacher: a preset or a file of weights; student: a preset.
    steps: of each student.
    seeds: students of each kind; the seed decides first weights, order, variation and clicks.
    recipe: a name; setting: what to change in it, but for length and seed.
    inherit: students start with the teacher's prompt encoder and mask decoder, else from nothing.
    examples, held_out, split, workers, limit_seconds: as for a distillation.
    """

    source: Path
    folder: Path
    teacher: str
    student: str
    steps: int
    seeds: int = 3
    recipe: str = "ours"
    setting: Setting = field(default_factory=Setting)
    inherit: bool = False
    examples: int = 400
    held_out: int = 24
    split: str | None = None
    workers: int = 1
    limit_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 2 or self.steps % 2:
            raise InputError(f"Got {self.steps} steps; give an even number, half a stage each.")
        if self.student not in PRESETS:
            raise InputError(f"Got student {self.student!r}; expected one of {', '.join(PRESETS)}.")
        if self.held_out < 1:
            raise InputError("Got no held-out examples to compare with; give at least 1.")

    def recipe_for(self, arm: str, seed: int) -> Recipe:
        """Return the recipe of one student."""
        half = self.steps // 2
        setting = replace(self.setting, steps=half, epochs=None, features=arm, seed=seed)
        made = adapted(recipe_of(self.recipe), setting)
        if arm == "none":
            made = replace(made, logits=replace(made.logits, steps=self.steps))
        return replace(made, inherited=PAPER.inherited if self.inherit else ())


def run(asked: Ablation) -> Path:
    """Teach and measure every student that is not yet, and write the table; return its file.

    Raises:
        InputError: as `distill.run`.
        OutOfTime: the limit was reached; to be called again.
    """
    check_source(asked.source)
    limit = Limit(asked.limit_seconds)
    teacher = load_teacher(asked.teacher)
    for arm in ARMS:
        new_student(asked.student, teacher, asked.recipe_for(arm, 0))
    make_folder(asked.folder / RUNS)
    with locked(asked.folder):
        return _run(asked, teacher, limit)


def _run(asked: Ablation, teacher: Teacher, limit: Limit) -> Path:
    about = _described(asked, teacher)
    check_folder(asked.folder / PLAN)
    claim(asked.folder / PLAN, about, "ablation")
    examples = gather(_wanted(asked, teacher))
    if not len(examples.held_out):
        raise InputError(f"{asked.source} yields no example to keep apart; give more patients.")
    students = [(arm, seed) for seed in range(asked.seeds) for arm in ARMS]
    done, taught = list[Done](), 0
    for arm, seed in students:
        path = asked.folder / RUNS / f"{arm}-{seed}.json"
        if is_new := not path.exists():
            if taught and limit.is_up:
                raise OutOfTime
            taught += 1
            aside.print(f"{ARMS[arm]}, seed {seed}: {len(done) + 1} of {len(students)}")
            made = _student(asked, arm, seed, teacher, examples, limit)
            write_text(path, json.dumps(asdict(made)) + "\n")
        done.append(_read(path))
        if is_new or len(done) == len(students):
            table = write_report(asked.folder, done, about, examples)
    said.print(f"Table: {table}", soft_wrap=True)
    return table


def _student(
    asked: Ablation, arm: str, seed: int, teacher: Teacher, examples: Gathered, limit: Limit
) -> Done:
    """Teach one student and measure it; its checkpoints are not kept."""
    recipe = asked.recipe_for(arm, seed)
    folder = asked.folder / RUNS / f"{arm}-{seed}"
    student = new_student(asked.student, teacher, recipe)
    distill(student, teacher, examples.learnt, folder, recipe, limit=limit)
    device = pick_device(recipe.logits.device)
    mine, theirs = ready(student, device), ready(teacher.network, device)
    scores = list[list[float]]()
    with bar("measuring", len(examples.held_out)) as show:
        for dice in dice_of_each(mine, examples.held_out):
            scores.append(dice)
            show(len(scores), f"{len(scores)} of {len(examples.held_out)}")
    distance = feature_distance(mine, theirs, examples.held_out)
    logs = [read_log(folder / f"{stage}.csv") for stage in ("feature", "logits")]
    seconds = sum(log[-1].seconds for log in logs if log)
    for checkpoint in folder.glob("*.ckpt"):
        checkpoint.unlink()
    return Done(arm, seed, tuple(tuple(dice) for dice in scores), distance, seconds)


def _read(path: Path) -> Done:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        dice = tuple(tuple(map(float, each)) for each in fields.pop("dice"))
        return Done(dice=dice, **fields)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no result of an ablation; delete it.") from error


def _wanted(asked: Ablation, teacher: Teacher) -> Wanted:
    configs = (teacher.network.config, PRESETS[asked.student])
    published = any(isinstance(config, ModelConfig) for config in configs)
    return Wanted(
        asked.source,
        asked.folder,
        asked.examples,
        asked.held_out,
        asked.split,
        asked.workers,
        spacing_mm=PUBLISHED_SPACING_MM if published else None,
    )


def _described(asked: Ablation, teacher: Teacher) -> dict[str, object]:
    recipe = asked.recipe_for("progressive", 0)
    return {
        "source": str(asked.source.resolve()),
        "teacher": teacher.sha256(),
        "student": asked.student,
        "steps": asked.steps,
        "batch": recipe.logits.batch,
        "recipe": asked.recipe,
        "learning_rate": recipe.logits.learning_rate,
        "inherit": asked.inherit,
        "examples": asked.examples,
        "held_out": asked.held_out,
        "split": asked.split,
    }
