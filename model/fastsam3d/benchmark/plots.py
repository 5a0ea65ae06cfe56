"""Pictures of Table 3: bars of what was measured above bars of what the paper prints."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..document import Picture
from . import paper_figures as paper
from .canvas import TITLE, WIDTH, decade_below, logarithmic, new_figure, say_below, tidy
from .efficiency import PARTS, SLICES, Efficiency
from .grids import significant
from .labels import SMALL
from .palette import INK, PALE
from .systems import SYSTEMS
from .table_efficiency import Measured, by_place

_BAR = 0.36
_MEASURED = "#3b4252"
_PRINTED: dict[str, Any] = {
    "facecolor": "white",
    "edgecolor": PALE,
    "hatch": "////",
    "linewidth": 0.8,
}
_ROOM = 12
"""How far a logarithmic axis goes on beyond the longest bar, for its number."""

_COSTS: dict[str, tuple[Callable[[Efficiency], float | None], Callable[[paper.Part], float]]] = {
    "time, ms": (lambda found: found.ms_median, lambda part: part.ms),
    "GFLOPs": (lambda found: found.gflops_published, lambda part: part.gflops),
    "memory, GB": (
        lambda found: None if found.peak_mb is None else found.peak_mb / 1000,
        lambda part: part.gb,
    ),
}
_WHAT = (
    f"2D systems read slices: their times are for all {SLICES} slices of a volume, their GFLOPs "
    "for one slice."
)


class Bars(NamedTuple):
    """A row of a panel: its title, what was measured and what the paper prints, if any."""

    title: str
    own: float | None
    printed: float | None

    @property
    def values(self) -> list[float]:
        """Return what has a bar."""
        return [value for value in (self.own, self.printed) if value]


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
    panels = {(part, cost): _rows(measured, part, cost) for part in PARTS for cost in _COSTS}
    shown = [
        key for n, key in enumerate(SYSTEMS) if any(rows[n].values for rows in panels.values())
    ]
    figure = new_figure(WIDTH, 1.6 + 0.85 * len(shown))
    grid = figure.subplots(len(PARTS), len(_COSTS), sharey=True)
    for axes, ((part, cost), rows) in zip(grid.flat, panels.items(), strict=True):
        alike = [row for each in PARTS for row in panels[each, cost]]
        known = [row for key, row in zip(SYSTEMS, rows, strict=True) if key in shown]
        draw_bars(axes, known, alike)
        axes.set_title(f"{part.capitalize()}: {cost}", loc="left", fontsize=TITLE, color=INK)
    legend(figure, place)
    without = "; ".join(_without_time(measured))
    say_below(figure, [_WHAT, *([f"Not measured on {place}: {without}."] if without else [])])
    return figure


def draw_bars(axes: Axes, rows: Sequence[Bars], alike: Sequence[Bars]) -> None:
    """Draw rows; those of all panels of a unit, `alike`, say where its axes begin and end.

    The axis is logarithmic where the paper's figures stand beside, and else begins at 0.
    """
    values = [value for row in alike for value in row.values]
    if any(row.printed for row in alike):
        logarithmic(axes, decade_below(values), _ROOM * max(values))
    else:
        axes.set_xlim(0, 1.3 * max(values, default=1.0))
    for place, row in enumerate(rows):
        apart = _BAR / 2 if len(row.values) > 1 else 0.0
        if row.own:
            bar = axes.barh(place - apart, row.own, _BAR, color=_MEASURED)
            _tell(axes, bar, significant(row.own).text)
        if row.printed:
            _tell(axes, axes.barh(place + apart, row.printed, _BAR, **_PRINTED), f"{row.printed}")
    axes.set_yticks(range(len(rows)), [row.title for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    tidy(axes)
    axes.grid(visible=False, axis="y")


def legend(figure: Figure, place: str, *, printed: bool = True) -> None:
    """Say above a picture whose bars are whose."""
    keys = [Patch(facecolor=_MEASURED, label=f"measured: {place}")]
    if printed:
        keys.append(Patch(**_PRINTED, label=f"paper: {paper.GPU}"))
    figure.legend(handles=keys, loc="outside upper left", ncols=2, frameon=False)


def _rows(measured: Measured, part: str, cost: str) -> list[Bars]:
    own, printed = _COSTS[cost]
    rows = []
    for key, system in SYSTEMS.items():
        found, theirs = measured.get((key, part)), paper.EFFICIENCY.get(key)
        rows.append(
            Bars(
                system.title,
                own(found) if found else None,
                printed(getattr(theirs, part)) if theirs else None,
            )
        )
    return rows


def _without_time(measured: Measured) -> Iterator[str]:
    """Name systems and parts that have no time."""
    for key, system in SYSTEMS.items():
        found = {part: measured.get((key, part)) for part in PARTS}
        lacking = [part for part, one in found.items() if one is None or one.ms_median is None]
        if lacking:
            yield system.title if len(lacking) == len(PARTS) else f"{system.title} ({lacking[0]})"


def _tell(axes: Axes, bar: BarContainer, text: str) -> None:
    axes.bar_label(bar, [text], padding=3, fontsize=SMALL, color=INK)
