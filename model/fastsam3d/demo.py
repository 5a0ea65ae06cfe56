"""The demonstration: an organ of the built-in phantom, segmented click by click."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clicks import Click, next_click
from .geometry import kji_to_ras, spacing_of
from .methods import Method
from .metrics import dice
from .phantom import Phantom
from .points import Point


@dataclass(frozen=True)
class Step:
    """One click and what came of it."""

    click: Click
    dice: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Game:
    """The clicks on an object with one method, and the last mask."""

    steps: tuple[Step, ...]
    mask: NDArray[np.bool_]


def play(
    method: Method,
    phantom: Phantom,
    organ: str,
    clicks: int,
    on_step: Callable[[Step], Any] | None = None,
) -> Game:
    """Click where a careful user would: first in the middle, then in the largest error's middle.

    Raises:
        InputError: the phantom has no such organ.
    """
    truth = phantom.organ(organ)
    i, j, k = (float(mm) for mm in spacing_of(phantom.ijk_to_ras))
    mask = np.zeros(truth.shape, bool)
    steps: list[Step] = []
    method.start(phantom.array_kji, phantom.ijk_to_ras)
    while len(steps) < clicks:
        click = next_click(truth, mask, spacing_kji_mm=(k, j, i))
        if click is None:
            break
        began = perf_counter()
        mask = method.click(click.voxel_kji, positive=click.positive).copy()
        steps.append(Step(click, dice(mask, truth), perf_counter() - began))
        if on_step is not None:
            on_step(steps[-1])
    return Game(tuple(steps), mask)


def points_of(game: Game, phantom: Phantom) -> list[Point]:
    """Return the clicks of a game in RAS mm."""
    points = []
    for step in game.steps:
        x, y, z = (float(mm) for mm in kji_to_ras([step.click.voxel_kji], phantom.ijk_to_ras)[0])
        points.append(Point((x, y, z), positive=step.click.positive))
    return points
