"""Teacher and student on the examples kept apart, and what each costs: one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bars import bar
from .config import PRESETS
from .cost import Cost, encoder_cost
from .document import Table
from .errors import InputError
from .featurecache import Examples
from .gather import Gathered
from .heldout import units_of
from .inputs import pick_device
from .loading import load_model
from .model import FastSAM3D
from .recipes import Recipe
from .sidebyside import Pair
from .stats import paired_wilcoxon
from .teacher import Teacher
from .trial import SHOWN, play, ready, replay

SHIPPED = "fastsam3d-default"
_PICTURED = 6


@dataclass(frozen=True)
class Distilled:
    """What is reported of.

    source, teacher_name, student_name: as the user named them.
    beginning: what the student started from, in a sentence.
    """

    source: str
    teacher_name: str
    student_name: str
    teacher: Teacher
    student: FastSAM3D
    recipe: Recipe
    examples: Gathered
    beginning: str


class Measured(NamedTuple):
    """Networks on the examples kept apart.

    teacher, student: (N, clicks) Dice, each with clicks at its own errors.
    guided: the teacher's, given the student's clicks.
    shipped: that of the weights that come with the package; None if the student is of another kind.
    costs: of the teacher's and the student's encoder.
    """

    teacher: NDArray[np.float64]
    student: NDArray[np.float64]
    guided: NDArray[np.float64]
    shipped: NDArray[np.float64] | None
    costs: tuple[Cost, Cost]


def measure(done: Distilled, pairs: list[Pair] | None = None) -> Measured:
    """Let the networks answer clicks on each example; the first few go to `pairs`."""
    device = pick_device(done.recipe.logits.device)
    teacher, student = (ready(each, device) for each in (done.teacher.network, done.student))
    found = shipped_like(done.student)
    shipped = None if found is None else ready(found, device)
    held_out, pairs = done.examples.held_out, [] if pairs is None else pairs
    scores: list[list[list[float]]] = []
    with bar("measuring", len(held_out)) as show:
        for number in range(len(held_out)):
            example = held_out[number]
            mine = play(student, example, number)
            guided = replay(teacher, example, mine)
            before = [] if shipped is None else [play(shipped, example, number).dice]
            scores.append([play(teacher, example, number).dice, mine.dice, guided.dice, *before])
            if number < _PICTURED:
                pairs.append(Pair(example.image, guided, mine))
            show(number + 1, f"{number + 1} of {len(held_out)}")
    theirs, own, led, *first = np.array(scores).transpose(1, 0, 2)
    costs = (encoder_cost(teacher), encoder_cost(student))
    return Measured(theirs, own, led, first[0] if first else None, costs)


def shipped_like(student: FastSAM3D) -> FastSAM3D | None:
    """Return the network that comes with the package, if it is of a student's kind."""
    if PRESETS[SHIPPED] != student.config:
        return None
    try:
        return load_model(SHIPPED, device="cpu", precision="float32")
    except InputError:
        return None


def table(found: Measured) -> Table:
    """Put each network's Dice and what its encoder costs into a row."""
    theirs, own = found.costs
    rows = [
        ["Teacher", *_dice(found.teacher), *_cost(theirs)],
        ["Student", *_dice(found.student), *_cost(own)],
        ["Student less teacher, or its share", *_changes(found), *_shares(own, theirs)],
        ["Teacher, at the student's clicks", *_dice(found.guided), *_cost(theirs)],
    ]
    if found.shipped is not None:
        rows.append([f"{SHIPPED} as shipped", *_dice(found.shipped), *_cost(own)])
    clicks = [f"Dice, {n} click{'s' if n > 1 else ''}" for n in SHOWN]
    costs = ["Encoder, time", "Encoder, peak memory", "Encoder, parameters", "All parameters"]
    return Table(["", *clicks, *costs], rows)


def compared(found: Measured, held_out: Examples) -> str:
    """Say whether teacher and student differ after the last click, with patients as the unit."""
    last, units = SHOWN[-1], units_of(held_out)
    test = paired_wilcoxon(found.student[:, last - 1], found.teacher[:, last - 1], units.patients)
    said = test.too_few(units.called)
    if test.is_telling:
        said = f"p = {test.p:.2g} (Wilcoxon, over {test.patients} {units.called})"
    return f"Difference after {last} clicks: {said}."


def _dice(dice: NDArray[np.float64]) -> list[str]:
    return [f"{dice[:, n - 1].mean():.3f}" for n in SHOWN]


def _changes(found: Measured) -> list[str]:
    change = (found.student - found.teacher).mean(0)
    return [f"{change[n - 1]:+.3f}" for n in SHOWN]


def _cost(cost: Cost) -> list[str]:
    return [
        f"{cost.milliseconds:.0f} ms",
        "-" if cost.peak_mb is None else f"{cost.peak_mb:.0f} MB",
        f"{cost.encoder_parameters / 1e6:.1f} M",
        f"{cost.parameters / 1e6:.1f} M",
    ]


def _shares(own: Cost, theirs: Cost) -> list[str]:
    names = ("milliseconds", "peak_mb", "encoder_parameters", "parameters")
    pairs: Sequence[tuple[float | None, float | None]] = [
        (getattr(own, name), getattr(theirs, name)) for name in names
    ]
    return [f"{mine / his:.0%}" if mine and his else "-" for mine, his in pairs]
