"""Pictures of Table 2: Dice against time, and Dice against clicks."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..document import Picture
from ..summary import Estimate, MethodSummary
from . import paper_figures as paper
from .canvas import TITLE, WIDTH, logarithmic, new_figure, tidy
from .grids import clicks as counted
from .labels import Named, Place, name_ends, name_points
from .palette import INK, Look, look
from .scored import Scored, system_of
from .systems import SYSTEMS

_COLUMNS, _HEIGHT = 3, 4.4
_SLOT = 0.05
"""How far, in clicks, two methods' intervals stand apart."""


class _Point(NamedTuple):
    key: str
    title: str
    ms: float
    dice: float
    error: tuple[float, float] = (0.0, 0.0)

    @property
    def bar(self) -> tuple[Place, Place]:
        """Return the ends of the interval."""
        return (self.ms, self.dice - self.error[0]), (self.ms, self.dice + self.error[1])


class _Panel(NamedTuple):
    title: str
    points: list[_Point]
    time: str
    clicks: int


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
    printed, own = list(map(_printed, paper.DATASETS)), list(map(_measured, scored))
    panels = printed + own
    rows = math.ceil(len(panels) / _COLUMNS)
    figure = new_figure(WIDTH, _HEIGHT * rows)
    grid = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True)
    for place, (axes, panel) in enumerate(zip(grid.flat, panels, strict=False)):
        _scatter(axes, panel.points)
        logarithmic(axes, *_limits(printed if panel in printed else own))
        axes.set_title(panel.title, loc="left", fontsize=TITLE, color=INK)
        axes.set_xlabel(panel.time)
        if place % _COLUMNS == 0 or panel.clicks != panels[place - 1].clicks:
            axes.set_ylabel(f"Dice after {counted(panel.clicks)}")
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    tops = [point.dice + point.error[1] for panel in panels for point in panel.points]
    grid[0, 0].set_ylim(0, 1.15 * max(tops))
    figure.draw_without_rendering()
    for axes, panel in zip(grid.flat, panels, strict=False):
        names = [Named(p.ms, p.dice, p.title, look(p.key).colour) for p in panel.points]
        name_points(axes, names, [point.bar for point in panel.points])
    return figure


def dice_by_clicks(scored: Scored) -> Figure:
    """Draw each method's Dice after each click, with its 95 % intervals where tables show it."""
    figure = new_figure(WIDTH, 5.2)
    axes = figure.subplots()
    ends = []
    methods = scored.methods
    for place, (name, method) in enumerate(methods.items()):
        style = look(system_of(name))
        shift = _SLOT * (place - (len(methods) - 1) / 2)
        mean = _curve(axes, method, style, shift, scored.summary.shown)
        ends.append(Named(*mean, scored.titles[name], style.colour))
    for key, dice in _beside(scored).items():
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


def _beside(scored: Scored) -> dict[str, paper.Dice]:
    """Return the paper's figures of the systems that were measured."""
    measured = set(map(system_of, scored.methods))
    return {key: dice for key, dice in scored.printed.items() if key in measured}


def _about(scored: Scored) -> str:
    printed = "; hollow: the paper's Table 2" if _beside(scored) else ""
    telling = any(method.is_telling for method in scored.methods.values())
    return f"{scored.title}: mean{' and 95 % interval' if telling else ''}{printed}"


def _curve(
    axes: Axes, method: MethodSummary, style: Look, shift: float, shown: Sequence[int]
) -> tuple[float, float]:
    """Draw a method; return where its line ends."""
    means = np.array([each.mean for each in method.dice])
    clicks = np.arange(1, len(means) + 1) + shift
    axes.plot(clicks, means, color=style.colour, marker=style.marker, markersize=5, linewidth=1.6)
    if method.is_telling:
        picked = [n - 1 for n in shown]
        errors = np.array([_error(method.dice[n]) for n in picked]).T
        axes.errorbar(
            clicks[picked], means[picked], errors, fmt="none", ecolor=style.colour, elinewidth=1,
            capsize=2.5,
        )  # fmt: skip
    return float(clicks[-1]), float(means[-1])


def _error(estimate: Estimate) -> tuple[float, float]:
    """Return how far the interval reaches below and above the mean."""
    return max(0.0, estimate.mean - estimate.low), max(0.0, estimate.high - estimate.mean)


def _scatter(axes: Axes, points: Sequence[_Point]) -> None:
    for point in points:
        style = look(point.key)
        error = [[point.error[0]], [point.error[1]]]
        axes.errorbar(
            point.ms, point.dice, error, color=style.colour, marker=style.marker, markersize=8,
            elinewidth=1,
        )  # fmt: skip
    tidy(axes)


def _limits(panels: Sequence[_Panel]) -> tuple[float, float]:
    """Return where time begins and ends in panels that are to be compared."""
    times = [point.ms for panel in panels for point in panel.points] or [1.0]
    return min(times) / 4, max(times) * 8


def _printed(dataset: str) -> _Panel:
    points = []
    for key, dice in paper.DICE[dataset].items():
        found = paper.EFFICIENCY[key]
        whole = found.encoder.ms + found.decoder.ms
        points.append(_Point(key, SYSTEMS[key].title, whole, dice[-1]))
    time = f"encoder and decoder, ms,\non the paper's {paper.GPU}"
    return _Panel(f"Paper: {dataset}", points, time, paper.CLICKS[-1])


def _measured(scored: Scored) -> _Panel:
    points = []
    for name, method in scored.methods.items():
        end = method.dice[-1]
        if method.first_seconds is not None:
            error = _error(end) if method.is_telling else (0.0, 0.0)
            ms = 1000 * method.first_seconds
            points.append(_Point(system_of(name), scored.titles[name], ms, end.mean, error))
    several = f",\n{scored.processes} processes at once" if scored.processes > 1 else ""
    clicks = len(scored.results[0].dice)
    return _Panel(scored.title, points, f"first click here, ms{several}", clicks)
