"""Names that stand beside what they name, without overlaps."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

SMALL = 8.5
"""The smallest letters of a picture, in points."""

_INK = "#1a1d24"
_POINT = 5.0
_LINE = 1.35 * SMALL
_REACH = (8, 15, 24, 36, 52)
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (1, 1), (-1, -1), (-1, 1))
_COLUMN, _MARKER_GAP = 1.06, 0.025
_JOINED_FROM = 15
_ACROSS = {1: "left", 0: "center", -1: "right"}
_UP = {1: "bottom", 0: "center", -1: "top"}


Side = tuple[int, int]
"""Right 1 or left -1, up 1 or down -1."""


class Named(NamedTuple):
    """A point of a picture, in the axes' own units, its name, its colour and its marker, if any."""

    x: float
    y: float
    text: str
    colour: str
    marker: str = ""


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Move numbers at least `gap` apart, keeping their order and as near as may be."""
    order = np.argsort(wanted, kind="stable")
    runs: list[tuple[float, int]] = []  # the lowest place, and how many stand from there
    for index in order:
        low, count = float(wanted[index]), 1
        while runs and low < runs[-1][0] + runs[-1][1] * gap:
            below, more = runs.pop()
            low = (below * more + (low - more * gap) * count) / (more + count)
            count += more
        runs.append((low, count))
    found = np.empty(len(order))
    found[order] = [low + place * gap for low, count in runs for place in range(count)]
    return [float(place) for place in found]


def name_ends(axes: Axes, ends: Sequence[Named]) -> None:
    """Write names right of the axes, each at the height of its line's end where there is room.

    A name has its marker, or else a thin line to its end. The picture is laid out already.
    """
    frame = axes.get_window_extent()
    heights = [axes.transData.transform((end.x, end.y))[1] - frame.y0 for end in ends]
    for end, height in zip(ends, spread(heights, _LINE * _dots(axes)), strict=True):
        place = (_COLUMN, height / frame.height)
        leader = {"arrowstyle": "-", "color": end.colour, "lw": 0.8, "shrinkA": 1}
        axes.annotate(
            end.text, (end.x, end.y), place, textcoords="axes fraction", color=_INK,
            fontsize=SMALL, va="center", annotation_clip=False,
            arrowprops=None if end.marker else leader,
        )  # fmt: skip
        if end.marker:
            beside = (_COLUMN - _MARKER_GAP, place[1])
            axes.plot(
                *([each] for each in beside), color=end.colour, marker=end.marker, clip_on=False,
                transform=axes.transAxes,
            )  # fmt: skip


def name_points(
    axes: Axes, points: Sequence[Named], others: Sequence[tuple[float, float]] = ()
) -> None:
    """Write names beside points, where they cover neither one another nor a point.

    Args:
        axes: of a picture that is laid out already.
        points: what is named.
        others: (x, y) of what is not to be covered either.
    """
    frame, dots = axes.get_window_extent(), _dots(axes)
    half = _POINT * dots
    centres = [axes.transData.transform((point.x, point.y)) for point in points]
    more = [axes.transData.transform(other) for other in others]
    taken = [Bbox.from_bounds(x - half, y - half, 2 * half, 2 * half) for x, y in centres + more]
    from_the_top = sorted(zip(points, centres, strict=True), key=lambda both: -both[1][1])
    for point, (x, y) in from_the_top:
        name = axes.annotate(
            point.text, (point.x, point.y), (0, 0), textcoords="offset points",
            color=_INK, fontsize=SMALL,
        )  # fmt: skip
        name.set_in_layout(False)
        size = name.get_window_extent()
        boxes = {
            (reach, side): _box((x, y), (size.width, size.height), _offset(reach, side), side, dots)
            for reach, side in product(_REACH, _SIDES)
        }
        reach, side = min(boxes, key=lambda place: _covered(boxes[place], taken, frame))
        away = _offset(reach, side)
        name.set(position=away, ha=_ACROSS[side[0]], va=_UP[side[1]])
        taken.append(boxes[reach, side])
        if reach >= _JOINED_FROM:
            _join(axes, point, away)


def _offset(reach: int, side: Side) -> tuple[float, float]:
    """Return how far from its point a name stands, in points; beside it names stand in a column."""
    right, up = side
    return float((_REACH[0] if up else reach) * right), float(reach * up)


def _dots(axes: Axes) -> float:
    """Return how many pixels a point has."""
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes are part of a picture"
    return figure.dpi / 72


def _box(
    centre: tuple[float, float],
    size: tuple[float, float],
    away: tuple[float, float],
    side: Side,
    dots: float,
) -> Bbox:
    """Return where a name would stand, in pixels."""
    low = [
        middle + far * dots + (toward - 1) * length / 2
        for middle, far, length, toward in zip(centre, away, size, side, strict=True)
    ]
    return Bbox.from_bounds(low[0], low[1], size[0], size[1])


def _covered(box: Bbox, taken: Sequence[Bbox], frame: Bbox) -> float:
    """Return how many square pixels of others, or beyond the frame, a name would cover."""
    inside = Bbox.intersection(box, frame)
    beyond = box.width * box.height - (inside.width * inside.height if inside else 0.0)
    shared = [Bbox.intersection(box, other) for other in taken]
    return float(beyond + sum(each.width * each.height for each in shared if each))


def _join(axes: Axes, point: Named, away: tuple[float, float]) -> None:
    axes.annotate(
        "", (point.x, point.y), away, textcoords="offset points",
        arrowprops={"arrowstyle": "-", "color": point.colour, "lw": 0.8},
    ).set_in_layout(False)  # fmt: skip
