"""Pictures of Table 2: Dice against time, and Dice against clicks."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..document import Picture
from ..summary import MethodSummary
from . import paper_figures as paper
from .labels import Named, name_ends, name_points
from .palette import INK, Look, look
from .plots import TITLE, WIDTH, new_figure, plain_numbers, tidy
from .scored import Scored, system_of
from .systems import SYSTEMS

_COLUMNS = 3
_SLOT = 0.05
"""How far, in clicks, two methods' intervals stand apart."""


class _Point(NamedTuple):
    key: str
    title: str
    ms: float
    dice: float
    error: tuple[float, float] = (0.0, 0.0)

    @property
    def bars(self) -> list[tuple[float, float]]:
        """Return places along the interval."""
        low, high = self.dice - self.error[0], self.dice + self.error[1]
        return [(self.ms, float(dice)) for dice in np.linspace(low, high, 5)]


def dice_pictures(folder: Path, scored: Sequence[Scored]) -> tuple[Picture, ...]:
    """Draw Dice against time, and each dataset's Dice against clicks, into a folder."""
    path = folder / "time-dice.png"
    time_and_dice(scored).savefig(path)
    pictures = [Picture(path, "Dice against time: the paper's figures, and those measured here")]
    for one in scored:
        path = folder / f"clicks-{one.name}.png"
        dice_by_clicks(one).savefig(path)
        pictures.append(Picture(path, f"Dice by clicks: {one.title}"))
    return tuple(pictures)


def time_and_dice(scored: Sequence[Scored]) -> Figure:
    """Draw Dice after the last click over time: the paper's datasets, then those measured here."""
    label = "encoder and decoder, ms"
    panels = [(f"Paper: {name}", list(_printed(name)), label) for name in paper.DATASETS]
    panels += [(one.title, list(_measured(one)), _timed(one)) for one in scored]
    rows = math.ceil(len(panels) / _COLUMNS)
    figure = new_figure(WIDTH, 3.5 * rows)
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    for axes, (title, points, label) in zip(grid.flat, panels, strict=False):
        _scatter(axes, points)
        axes.set_title(title, loc="left", fontsize=TITLE, color=INK)
        axes.set_xlabel(label)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for row in grid:
        row[0].set_ylabel(f"Dice after {paper.CLICKS[-1]} clicks")
    figure.draw_without_rendering()
    for axes, (_, points, _) in zip(grid.flat, panels, strict=False):
        names = [Named(p.ms, p.dice, p.title, look(p.key).colour) for p in points]
        name_points(axes, names, [bar for point in points for bar in point.bars])
    return figure


def dice_by_clicks(scored: Scored) -> Figure:
    """Draw each method's Dice after each click, with its 95 % intervals where tables show it."""
    figure = new_figure(WIDTH, 5.2)
    axes = figure.subplots()
    ends = []
    methods = scored.methods
    for place, (name, method) in enumerate(methods.items()):
        style = _look(name, list(methods))
        shift = _SLOT * (place - (len(methods) - 1) / 2)
        mean = _curve(axes, method, style, shift, scored.summary.shown)
        ends.append(Named(*mean, scored.titles[name], style.colour))
    for key, dice in scored.printed.items():
        if any(system_of(name) == key for name in methods):
            axes.plot(
                paper.CLICKS, dice, linestyle="none", marker=look(key).marker, markersize=8,
                markerfacecolor="none", color=look(key).colour,
            )  # fmt: skip
    last = len(next(iter(methods.values())).dice)
    axes.set(xlabel="clicks", ylabel="Dice", xticks=range(1, last + 1), xlim=(0.5, last + 0.5))
    axes.set_ylim(bottom=0)
    axes.set_title(_about(scored), loc="left", fontsize=TITLE, color=INK)
    tidy(axes)
    figure.draw_without_rendering()
    name_ends(axes, ends)
    return figure


def _about(scored: Scored) -> str:
    printed = "; hollow: the paper's Table 2" if scored.printed else ""
    return f"{scored.title}: mean and 95 % interval{printed}"


def _curve(
    axes: Axes, method: MethodSummary, style: Look, shift: float, shown: Sequence[int]
) -> tuple[float, float]:
    """Draw a method; return where its line ends."""
    means = np.array([each.mean for each in method.dice])
    clicks = np.arange(1, len(means) + 1) + shift
    axes.plot(clicks, means, color=style.colour, marker=style.marker, markersize=5, linewidth=1.6)
    picked = [n - 1 for n in shown]
    found = [method.dice[n] for n in picked]
    errors = [
        [max(0.0, one.mean - one.low) for one in found],
        [max(0.0, one.high - one.mean) for one in found],
    ]
    axes.errorbar(
        clicks[picked], means[picked], errors, fmt="none", ecolor=style.colour, elinewidth=1,
        capsize=2.5,
    )  # fmt: skip
    return float(clicks[-1]), float(means[-1])


def _scatter(axes: Axes, points: Sequence[_Point]) -> None:
    for place, point in enumerate(points):
        style = look(point.key, place)
        error = [[point.error[0]], [point.error[1]]]
        axes.errorbar(
            point.ms, point.dice, error, color=style.colour, marker=style.marker, markersize=8,
            elinewidth=1,
        )  # fmt: skip
    tidy(axes)
    axes.set_xscale("log")
    times = [point.ms for point in points] or [1.0]
    axes.set_xlim(min(times) / 4, max(times) * 4)
    highest = max((point.dice + point.error[1] for point in points), default=1.0)
    axes.set_ylim(0, 1.15 * highest)
    plain_numbers(axes, x=True)


def _printed(dataset: str) -> Iterator[_Point]:
    for key, dice in paper.DICE[dataset].items():
        found = paper.EFFICIENCY[key]
        yield _Point(key, SYSTEMS[key].title, found.encoder.ms + found.decoder.ms, dice[-1])


def _timed(scored: Scored) -> str:
    several = f", {scored.processes} processes at once" if scored.processes > 1 else ""
    return f"first click, ms{several}"


def _measured(scored: Scored) -> Iterator[_Point]:
    for name, method in scored.methods.items():
        end = method.dice[-1]
        if method.first_seconds is not None:
            error = (max(0.0, end.mean - end.low), max(0.0, end.high - end.mean))
            ms = 1000 * method.first_seconds
            yield _Point(system_of(name), scored.titles[name], ms, end.mean, error)


def _look(method: str, methods: Sequence[str]) -> Look:
    others = [name for name in methods if system_of(name) not in SYSTEMS]
    return look(system_of(method), others.index(method) if method in others else 0)
