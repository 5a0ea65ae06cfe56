"""What came of a distillation: report.md, and report.html which holds its pictures."""

import math
from pathlib import Path

from .config import PRESETS
from .cost import REPEATS, machine
from .cube import LARGEST_TURN
from .curve import read_log, write_curve
from .distill_results import SHIPPED, Distilled, compared, measure, table
from .distillation import followed
from .document import Block, Heading, Picture, Table, Text, called, write_both
from .gather import Gathered
from .inputs import pick_device
from .loop_config import LoopConfig
from .recipes import fitted
from .sidebyside import Pair, write_side_by_side
from .taps import depth, encoder_of, width
from .teacher import suited

REPORT = "report"
STAGES = ("feature", "logits")
MASKS = "masks.png"


def write_report(folder: Path, done: Distilled) -> Path:
    """Measure, draw and write; return the HTML file."""
    blocks: list[Block] = [
        Heading(f"Distillation of {called(done.teacher_name)} to {done.student_name}", 1),
        Text("Written by `fastsam3d distill`. For research; not a medical device."),
        *_networks(done),
        *_recipe(done),
    ]
    if len(done.examples.held_out):
        blocks += _results(folder, done)
    blocks += [*_curves(folder), Heading("Machine"), Text(machine())]
    return write_both(folder, REPORT, blocks)[1]


def _networks(done: Distilled) -> list[Block]:
    rows = []
    for role, name, network in (
        ("Teacher", called(done.teacher_name), done.teacher.network),
        ("Student", done.student_name, done.student),
    ):
        encoder = encoder_of(network)
        count = sum(value.numel() for value in network.parameters())
        preset = next((key for key, one in PRESETS.items() if one == network.config), "-")
        rows.append(
            [role, name, preset, str(depth(encoder)), str(width(encoder)), f"{count / 1e6:.1f} M"]
        )
    head = ["", "Given as", "Preset", "Layers", "Width", "Parameters"]
    layers = followed(done.recipe, done.teacher, done.student)
    return [
        Heading("Networks"),
        Table(head, rows),
        Text(f"{layers} The teacher's hash: {done.teacher.sha256()}."),
    ]


def _recipe(done: Distilled) -> list[Block]:
    recipe, question = done.recipe, done.recipe.question
    stages = {"feature": recipe.feature, "logits": recipe.logits}
    if recipe.features == "none":
        del stages["feature"]
    count = len(done.examples.learnt)
    rows = [_stage(name, fitted(config, count)) for name, config in stages.items()]
    head = ["Stage", "Length", "Batch", "Optimiser", "Learning rate", "Schedule", "Average", "Seed"]
    variety = suited(question.variety, done.teacher.network, done.student)
    data = f"{count} examples of {called(done.source)}"
    return [
        Heading("Recipe"),
        Table(head, rows),
        Text(
            f"Layers followed: {recipe.features}. {done.beginning} Objects of a patch: "
            f"{question.objects}; clicks: one of {', '.join(map(str, question.clicks))}; weight of "
            f"the truth {question.truth:g}, of the teacher {question.teacher:g}. Half of the real "
            f"patches are cut turned by up to {math.degrees(LARGEST_TURN):.0f} degrees; as they "
            f"are shown they are varied by: {variety}."
        ),
        Text(f"Learnt from {data}. Kept apart: {_apart(done.examples)}."),
    ]


def _apart(examples: Gathered) -> str:
    count = len(examples.held_out)
    return f"{count} examples, {examples.how}" if count else "none, so nothing is measured"


def _stage(name: str, config: LoopConfig) -> list[str]:
    length = f"{config.epochs} epochs" if config.epochs is not None else f"{config.steps} steps"
    return [
        name, length, str(config.batch), config.optimizer, f"{config.learning_rate:g}",
        config.schedule, f"{config.average:g}", str(config.seed),
    ]  # fmt: skip


def _results(folder: Path, done: Distilled) -> list[Block]:
    pairs: list[Pair] = []
    found = measure(done, pairs)
    write_side_by_side(folder / MASKS, pairs)
    count = len(found.student)
    before = "" if found.shipped is None else f" {SHIPPED} as shipped is as large as the student."
    return [
        Heading("Teacher and student on examples kept apart"),
        table(found),
        Text(
            f"Means over {count} examples, one object each. Clicks go to the middle of the largest "
            "error, each network's own; in the fourth row the teacher answers the student's. "
            f"{compared(found, done.examples.held_out)}{before}"
        ),
        Text(
            f"Time: the median of {REPEATS} runs in float32 after two that do not count, one patch "
            f"of 128³, on {pick_device(done.recipe.logits.device).type}. Memory: the most that "
            "tensors hold at once, beside the weights."
        ),
        Heading("Masks"),
        Text(
            "Both networks answer the same clicks, those at the student's errors. Circles include, "
            "crosses exclude; Dice is of the whole object."
        ),
        Picture(folder / MASKS, "Masks of teacher and student on examples kept apart"),
    ]


def _curves(folder: Path) -> list[Block]:
    blocks: list[Block] = [Heading("Curves")]
    for stage in STAGES:
        log, picture = folder / f"{stage}.csv", folder / f"{stage}.png"
        records = read_log(log)
        if not records:
            continue
        write_curve(log, picture)
        last = records[-1]
        blocks += [
            Text(f"Stage {stage}: {last.step} steps in {last.seconds:.0f} s."),
            Picture(picture, f"Curves of the stage {stage}"),
        ]
    return blocks
