"""Pictures of Table 4: time and memory over segment length, a curve for each dilation."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..document import Picture
from .canvas import TITLE, WIDTH, new_figure, plain_numbers, tidy
from .labels import Named, name_ends
from .palette import INK, PALE
from .table_ablation import FORMS, Form, series

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a39400", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_COSTS = {"ms_median": "encoder, ms", "peak_mb": "peak memory, MB"}
_DENSE = {"sparse": "plain", "sparse+flash": "flash"}
"""What each sparse form is to be better than."""

Curve = list[tuple[float, float]]


def sweep_pictures(folder: Path, forms: Sequence[Form]) -> tuple[Picture, ...]:
    """Draw each geometry whose segment length was swept into a folder."""
    pictures = []
    for group, own in series(forms).items():
        if len({one.segment for one in own if one.segment is not None}) > 1:
            path = folder / f"sweep-{group.name}.png"
            sweep(own, group.title).savefig(path)
            pictures.append(Picture(path, f"Segment length and dilation: {group.title}"))
    return tuple(pictures)


def sweep(forms: Sequence[Form], title: str) -> Figure:
    """Draw time and memory over w: a curve for each r, and dense attention as a level."""
    swept = [form for form in _DENSE if any(one.form == form for one in forms)]
    figure = new_figure(WIDTH, 0.5 + 3.4 * len(swept))
    panels = figure.subplots(len(swept), len(_COSTS), squeeze=False, sharex=True, sharey="col")
    figure.suptitle(title, x=0.01, ha="left", fontsize=TITLE, color=INK)
    ends = []
    for axes, (form, cost) in zip(panels.flat, product(swept, _COSTS), strict=True):
        axes.set_title(f"{FORMS[form].capitalize()}", loc="left", fontsize=TITLE, color=INK)
        axes.set_ylabel(_COSTS[cost])
        ends.append(_panel(axes, forms, form, cost))
    for axes in panels[-1]:
        axes.set_xlabel("segment length w, tokens")
    figure.draw_without_rendering()
    for axes, own in zip(panels.flat, ends, strict=True):
        name_ends(axes, own)
    return figure


def _panel(axes: Axes, forms: Sequence[Form], form: str, cost: str) -> list[Named]:
    """Draw curves; return where they end."""
    tidy(axes)
    axes.set_xscale("log", base=2)
    segments = sorted({one.segment for one in forms if one.segment is not None})
    axes.set_xticks(segments)
    axes.minorticks_off()
    plain_numbers(axes)
    ends = [*_curves(axes, forms, form, cost), *_level(axes, forms, _DENSE[form], cost, segments)]
    axes.set_ylim(0, 1.12 * max(getattr(one, cost) or 0.0 for one in forms))
    return ends


def _curves(axes: Axes, forms: Sequence[Form], form: str, cost: str) -> Iterator[Named]:
    dilations = sorted({one.dilation for one in forms if one.dilation is not None})
    for place, dilation in enumerate(dilations):
        if curve := _curve(forms, form, dilation, cost):
            colour = _COLOURS[place % len(_COLOURS)]
            marker = _MARKERS[place % len(_MARKERS)]
            axes.plot(*zip(*curve, strict=True), color=colour, marker=marker, linewidth=1.6)
            yield Named(*curve[-1], f"r {dilation}", colour, marker)


def _level(
    axes: Axes, forms: Sequence[Form], dense: str, cost: str, segments: Sequence[int]
) -> Iterator[Named]:
    """Draw dense attention, which has no segments, as a line across."""
    for one in forms:
        level = getattr(one, cost)
        if one.form == dense and level is not None:
            ends = (segments[0], segments[-1])
            axes.plot(ends, (level, level), color=PALE, linestyle="--", linewidth=1.2)
            yield Named(segments[-1], level, "dense", PALE, "_")


def _curve(forms: Sequence[Form], form: str, dilation: int, cost: str) -> Curve:
    own = [one for one in forms if (one.form, one.dilation) == (form, dilation)]
    return sorted(
        (float(one.segment), float(value))
        for one in own
        if one.segment is not None and (value := getattr(one, cost)) is not None
    )
