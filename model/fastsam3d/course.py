"""The scores of one object as they come, and what a method raised in between."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from zlib import crc32

import numpy as np

from .clicks import Click, Mask, paired_rng
from .errors import out_of_memory
from .manifest import Object
from .metrics import Truth
from .plan import Task
from .results import ObjectResult

T = TypeVar("T")


@dataclass
class Course:
    """One object's way through its clicks: one score a step; a step has one click or several."""

    dice: list[float] = field(default_factory=list)
    surface_dice: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    placed: list[Click] = field(default_factory=list)
    failure: str = ""

    def add(self, clicks: Iterable[Click], seconds: float, mask: Mask, truth: Truth) -> None:
        """Add a step: what was clicked, how long the answer took, and the answer."""
        self.placed += clicks
        self.seconds.append(seconds)
        self.score(mask, truth)

    def score(self, mask: Mask, truth: Truth) -> None:
        """Add the scores of a mask on the truth's grid."""
        self.dice.append(truth.dice(mask))
        self.surface_dice.append(truth.surface_dice(mask))

    def result(
        self, method: str, task: Task, voxels: int, *, clicks: int, seed: int, strategy: str
    ) -> ObjectResult:
        """Return what is kept of it, the last score held up to a number of clicks."""
        return ObjectResult(
            method=method,
            case=task.row.case,
            patient=task.row.patient,
            folder=task.row.folder,
            modality=task.row.modality,
            label=task.label.value,
            name=task.label.name,
            voxels=voxels,
            seed=seed,
            strategy=strategy,
            dice=_held(self.dice, clicks),
            surface_dice=_held(self.surface_dice, clicks),
            seconds=tuple(self.seconds),
            placed=tuple((*click.voxel_kji, int(click.positive)) for click in self.placed),
            failure=self.failure,
        )


def attempt(call: Callable[[], T]) -> tuple[T | None, str]:
    """Call a method; whatever it raises is its failure, told in words.

    A full memory is not: what runs the method may go on elsewhere.
    """
    try:
        return call(), ""
    except Exception as error:
        if out_of_memory(error):
            raise
        return None, f"{type(error).__name__}: {error}"


def object_rng(seed: int, task: Task) -> np.random.Generator:
    """Return the generator of an object's clicks: the same whatever is being compared."""
    return paired_rng(seed, task.row.case, number_of(task.label))


def number_of(label: Object) -> int:
    """Return a number of an object's own: its value, or one of a group's values."""
    return label.value if isinstance(label.value, int) else crc32(label.value.encode())


def _held(values: Sequence[float], length: int) -> tuple[float, ...]:
    """Repeat the last of some values up to a length; 0 if there are none."""
    last = values[-1] if values else 0.0
    return (*values, *[last] * (length - len(values)))
