"""What all pictures share: their size, their letters, their axes."""

import math
from collections.abc import Iterable, Sequence
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .labels import SMALL
from .palette import INK

DPI = 120
WIDTH = 9.2
"""Inches; a page of the report shows so many dots as they are."""

TITLE = 10

_LINE = 150
"""Letters that fit below a picture."""

_FEW_DECADES = 2
"""Below so many, a logarithmic axis has numbers between the powers of ten."""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty picture with letters that can be read as they are."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def tidy(axes: Axes) -> None:
    """Leave out frames, and set letters and lines behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL, colors=INK)
    axes.grid(visible=True, color="#e6e8ec", linewidth=0.8)
    axes.set_axisbelow(True)


def plain_numbers(axes: Axes) -> None:
    """Write a logarithmic x axis in plain numbers, 0.1, 1, 10."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def logarithmic(axes: Axes, low: float, high: float) -> None:
    """Give an x axis a logarithmic scale between bounds, with several numbers along it."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    few = math.log10(high / low) < _FEW_DECADES
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    plain_numbers(axes)


def decade_below(values: Iterable[float]) -> float:
    """Return the power of ten from which a logarithmic bar of the smallest value can be seen."""
    return float(10.0 ** math.floor(math.log10(min(values) / 2)))


def say_below(figure: Figure, sentences: Sequence[str]) -> None:
    """Write sentences under a picture."""
    lines = [line for sentence in sentences for line in wrap(sentence, _LINE)]
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=SMALL, color=INK)
