"""What came of a distillation: report.md, and report.html which holds its pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bars import bar
from .config import PRESETS
from .cost import REPEATS, Cost, encoder_cost, machine
from .curve import read_log, write_curve
from .document import Block, Heading, Picture, Table, Text, write_both
from .gather import Gathered
from .inputs import pick_device
from .loop_config import LoopConfig
from .model import FastSAM3D
from .recipes import Recipe
from .sidebyside import Pair, write_side_by_side
from .stats import Patients, paired_wilcoxon
from .taps import depth, encoder_of, width
from .teacher import Teacher
from .trial import SHOWN, play, ready, replay

REPORT = "report"
STAGES = ("feature", "logits")
MASKS = "masks.png"
_PICTURED = 6


@dataclass(frozen=True)
class Distilled:
    """What is reported of.

    source, teacher_name, student_name: as the user named them.
    """

    source: str
    teacher_name: str
    student_name: str
    teacher: Teacher
    student: FastSAM3D
    recipe: Recipe
    examples: Gathered


class Measured(NamedTuple):
    """Two networks on the examples kept apart.

    teacher, student: (N, clicks) Dice, each with clicks at its own errors.
    guided: the teacher's, given the student's clicks.
    costs: of the teacher's and the student's encoder.
    """

    teacher: NDArray[np.float64]
    student: NDArray[np.float64]
    guided: NDArray[np.float64]
    costs: tuple[Cost, Cost]


def write_report(folder: Path, done: Distilled) -> Path:
    """Measure, draw and write; return the HTML file."""
    blocks: list[Block] = [
        Heading(f"Distillation of {Path(done.teacher_name).name} to {done.student_name}", 1),
        Text("Written by `fastsam3d distill`. For research; not a medical device."),
        *_networks(done),
        *_recipe(done),
    ]
    if len(done.examples.held_out):
        blocks += _results(folder, done)
    blocks += [*_curves(folder), Heading("Machine"), Text(machine())]
    return write_both(folder, REPORT, blocks)[1]


def measure(done: Distilled, pairs: list[Pair] | None = None) -> Measured:
    """Let both networks answer clicks on each example; the first few go to `pairs`."""
    device = pick_device(done.recipe.logits.device)
    teacher, student = (ready(each, device) for each in (done.teacher.network, done.student))
    held_out, pairs = done.examples.held_out, [] if pairs is None else pairs
    scores: list[list[list[float]]] = []
    with bar("measuring", len(held_out)) as show:
        for number in range(len(held_out)):
            example = held_out[number]
            mine = play(student, example, number)
            guided = replay(teacher, example, mine)
            scores.append([play(teacher, example, number).dice, mine.dice, guided.dice])
            if number < _PICTURED:
                pairs.append(Pair(example.image, guided, mine))
            show(number + 1, f"{number + 1} of {len(held_out)}")
    theirs, own, led = np.array(scores).transpose(1, 0, 2)
    return Measured(theirs, own, led, (encoder_cost(teacher), encoder_cost(student)))


def _networks(done: Distilled) -> list[Block]:
    rows = []
    for role, name, network in (
        ("Teacher", done.teacher_name, done.teacher.network),
        ("Student", done.student_name, done.student),
    ):
        encoder = encoder_of(network)
        count = sum(value.numel() for value in network.parameters())
        preset = next((key for key, one in PRESETS.items() if one == network.config), "-")
        rows.append(
            [role, name, preset, str(depth(encoder)), str(width(encoder)), f"{count / 1e6:.1f} M"]
        )
    head = ["", "Given as", "Preset", "Layers", "Width", "Parameters"]
    ratio = depth(encoder_of(done.teacher.network)) // depth(encoder_of(done.student))
    note = f"Layer i of the student follows layer {ratio}i of the teacher."
    if done.recipe.features == "none":
        note = "The student follows the teacher's masks alone, not its layers."
    return [
        Heading("Networks"),
        Table(head, rows),
        Text(f"{note} The teacher's hash: {done.teacher.sha256()}."),
    ]


def _recipe(done: Distilled) -> list[Block]:
    recipe, question = done.recipe, done.recipe.question
    stages = {"feature": recipe.feature, "logits": recipe.logits}
    if recipe.features == "none":
        del stages["feature"]
    rows = [_stage(name, config) for name, config in stages.items()]
    head = ["Stage", "Length", "Batch", "Optimiser", "Learning rate", "Schedule", "Average", "Seed"]
    inherited = ", ".join(part.rstrip(".") for part in recipe.inherited) or "nothing"
    data = f"{len(done.examples.learnt)} examples of {done.source}"
    return [
        Heading("Recipe"),
        Table(head, rows),
        Text(
            f"Layers followed: {recipe.features}. The student started with the teacher's "
            f"{inherited}. Objects of a patch: {question.objects}; clicks: one of "
            f"{', '.join(map(str, question.clicks))}; weight of the truth {question.truth:g}, of "
            f"the teacher {question.teacher:g}; patches varied by: {question.variety}."
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
    return [
        Heading("Teacher and student on examples kept apart"),
        _scores(found),
        Text(
            f"Means over {count} examples, one object each. Clicks go to the middle of the largest "
            "error, each network's own; in the third row the teacher answers the student's clicks. "
            + _compared(found)
        ),
        _costs(found.costs),
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


def _scores(found: Measured) -> Table:
    named = {"Teacher": found.teacher, "Student": found.student}
    rows = [_dice_row(name, dice) for name, dice in named.items()]
    rows.append(_dice_row("Teacher, at the student's clicks", found.guided))
    change = (found.student - found.teacher).mean(0)
    rows.append(["Student less teacher", *(f"{change[n - 1]:+.3f}" for n in SHOWN)])
    clicks = [f"{n} click{'s' if n > 1 else ''}" for n in SHOWN]
    return Table(["Dice", *clicks], rows)


def _dice_row(name: str, dice: NDArray[np.float64]) -> list[str]:
    return [name, *(f"{dice[:, n - 1].mean():.3f}" for n in SHOWN)]


def _compared(found: Measured) -> str:
    last = SHOWN[-1]
    each = Patients.of([("", str(n)) for n in range(len(found.student))])
    test = paired_wilcoxon(found.student[:, last - 1], found.teacher[:, last - 1], each)
    return f"Difference after {last} clicks: p = {test.p:.2g} (Wilcoxon, over examples)."


def _costs(costs: Sequence[Cost]) -> Table:
    rows = [
        [
            role, f"{cost.milliseconds:.0f} ms", f"{cost.encoder_parameters / 1e6:.1f} M",
            f"{cost.parameters / 1e6:.1f} M",
            "-" if cost.peak_mb is None else f"{cost.peak_mb:.0f} MB",
        ]
        for role, cost in zip(("Teacher", "Student"), costs, strict=True)
    ]  # fmt: skip
    head = ["", "Encoder, time", "Encoder, parameters", "All parameters", "Encoder, peak memory"]
    return Table(head, rows)


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
