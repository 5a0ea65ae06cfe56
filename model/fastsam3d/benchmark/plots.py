"""Pictures of Tables 3 and 4: bars beside the paper's, and curves over segment and dilation."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from ..document import Picture
from . import paper_figures as paper
from .efficiency import PARTS, Efficiency
from .grids import NOT_MEASURED, significant
from .labels import SMALL
from .palette import INK, PALE, look
from .systems import SYSTEMS
from .table_efficiency import Measured, by_place

DPI = 120
WIDTH = 9.2
"""Inches; a page of the report shows so many dots as they are."""

TITLE = 10

_BAR = 0.36
_SOLID_INK = "#3b4252"

_COSTS: dict[str, tuple[Callable[[Efficiency], float | None], Callable[[paper.Part], float]]] = {
    "time, ms": (lambda found: found.ms_median, lambda part: part.ms),
    "GFLOPs": (lambda found: found.gflops_published, lambda part: part.gflops),
    "memory, GB": (
        lambda found: None if found.peak_mb is None else found.peak_mb / 1000,
        lambda part: part.gb,
    ),
}


def efficiency_pictures(folder: Path, records: Sequence[Efficiency]) -> tuple[Picture, ...]:
    """Draw Table 3 of each device into a folder."""
    pictures = []
    for place, measured in by_place(records).items():
        path = folder / f"table3-{place.replace(' ', '-')}.png"
        efficiency_bars(measured, place).savefig(path)
        pictures.append(Picture(path, f"Table 3 on {place}, and as the paper prints it"))
    return tuple(pictures)


def efficiency_bars(measured: Measured, place: str) -> Figure:
    """Draw time, GFLOPs and memory of both parts of each system, ours above the paper's."""
    figure = new_figure(WIDTH, 8.4)
    panels = figure.subplots(len(PARTS), len(_COSTS), sharey=True)
    for part, row in zip(PARTS, panels, strict=True):
        for axes, (title, (own, printed)) in zip(row, _COSTS.items(), strict=True):
            ours = {
                key: own(measured[key, part]) if (key, part) in measured else None
                for key in SYSTEMS
            }
            theirs = {key: printed(getattr(found, part)) for key, found in paper.EFFICIENCY.items()}
            _bars(axes, ours, theirs)
            axes.set_title(f"{part.capitalize()}: {title}", loc="left", fontsize=TITLE, color=INK)
    keys = [
        Patch(facecolor=_SOLID_INK, label=f"measured: {place}"),
        Patch(facecolor="white", edgecolor=PALE, hatch="////", label=f"paper: {paper.GPU}"),
    ]
    figure.legend(handles=keys, loc="outside upper left", ncols=2, frameon=False)
    return figure


def new_figure(width: float, height: float) -> Figure:
    """Return an empty picture with letters that can be read as they are."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def tidy(axes: Axes) -> None:
    """Leave out frames, and set letters and lines behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL, colors=INK)
    axes.grid(visible=True, color="#e6e8ec", linewidth=0.8)
    axes.set_axisbelow(True)


def plain_numbers(axes: Axes, *, x: bool = False, y: bool = False) -> None:
    """Write a logarithmic axis in plain numbers, 0.1, 1, 10."""
    for axis, wanted in ((axes.xaxis, x), (axes.yaxis, y)):
        if wanted:
            axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:.10g}"))
            axis.set_minor_formatter(NullFormatter())


def _bars(axes: Axes, ours: dict[str, float | None], theirs: dict[str, float]) -> None:
    places = {key: place for place, key in enumerate(SYSTEMS)}
    shown = [value for value in (*ours.values(), *theirs.values()) if value]
    axes.set_xscale("log")
    axes.set_xlim(min(shown) / 3, max(shown) * 12)
    for key, value in ours.items():
        here = places[key] - _BAR / 2
        if value is None:
            _say(axes, here, NOT_MEASURED)
            continue
        _told(axes, axes.barh(here, value, _BAR, color=look(key).colour), significant(value).text)
    for key, value in theirs.items():
        here = places[key] + _BAR / 2
        bar = axes.barh(
            here, value, _BAR, color="white", edgecolor=PALE, hatch="////", linewidth=0.8
        )
        _told(axes, bar, str(value))
    axes.set_yticks(range(len(SYSTEMS)), [system.title for system in SYSTEMS.values()])
    axes.set_ylim(len(SYSTEMS) - 0.5, -0.5)
    tidy(axes)
    axes.grid(visible=False, axis="y")
    plain_numbers(axes, x=True)


def _told(axes: Axes, bar: BarContainer, text: str) -> None:
    axes.bar_label(bar, [text], padding=3, fontsize=SMALL, color=INK)


def _say(axes: Axes, here: float, text: str) -> None:
    """Write a text where a bar would begin."""
    axes.text(
        0.02, here, text, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL,
        color=PALE, style="italic",
    )  # fmt: skip
