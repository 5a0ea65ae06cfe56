"""Names that stand beside what they name, without overlaps."""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from .palette import INK, PALE

SMALL = 8.5
"""The smallest letters of a picture, in points."""

_POINT = 5.0
_LINE = 1.35 * SMALL
_REACH = (8, 11, 15, 19, 24, 30, 36, 44, 52)
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (1, 1), (-1, -1), (-1, 1))
_COLUMN, _MARKER_GAP = 1.06, 0.025
_JOINED_FROM = 15
_ACROSS = {1: "left", 0: "center", -1: "right"}
_UP = {1: "bottom", 0: "center", -1: "top"}
_CROSSING = 60.0
"""What each twentieth of a line that leads over something else counts, in square pixels."""

_LEADER: dict[str, Any] = {
    "arrowstyle": "-", "color": PALE, "lw": 0.7, "linestyle": ":", "shrinkA": 1, "shrinkB": 4,
}  # fmt: skip


Place = tuple[float, float]
"""x and y."""

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

    A name has its marker, or else a thin dotted line to its end, which is not to be taken for data.
    The picture is laid out already.
    """
    frame = axes.get_window_extent()
    heights = [axes.transData.transform((end.x, end.y))[1] - frame.y0 for end in ends]
    for end, height in zip(ends, spread(heights, _LINE * _dots(axes)), strict=True):
        place = (_COLUMN, height / frame.height)
        axes.annotate(
            end.text, (end.x, end.y), place, textcoords="axes fraction", color=INK,
            fontsize=SMALL, va="center", annotation_clip=False,
            arrowprops=None if end.marker else _LEADER,
        )  # fmt: skip
        if end.marker:
            beside = (_COLUMN - _MARKER_GAP, place[1])
            axes.plot(
                *([each] for each in beside), color=end.colour, marker=end.marker, clip_on=False,
                transform=axes.transAxes,
            )  # fmt: skip


def name_points(
    axes: Axes, points: Sequence[Named], bars: Sequence[tuple[Place, Place]] = ()
) -> None:
    """Write names beside points, where they cover neither one another nor a point nor a bar.

    Args:
        axes: of a picture that is laid out already.
        points: what is named.
        bars: both ends of upright lines.
    """
    frame, dots = axes.get_window_extent(), _dots(axes)
    half = _POINT * dots
    centres = [axes.transData.transform((point.x, point.y)) for point in points]
    taken = [_square((x, y), half) for x, y in centres]
    taken += [Bbox(axes.transData.transform(ends)).padded(half / 2, 0) for ends in bars]
    from_the_top = sorted(zip(points, centres, strict=True), key=lambda both: -both[1][1])
    for point, (x, y) in from_the_top:
        name = axes.annotate(
            point.text, (point.x, point.y), (0, 0), textcoords="offset points",
            color=INK, fontsize=SMALL,
        )  # fmt: skip
        name.set_in_layout(False)
        size = name.get_window_extent()
        boxes = {
            (reach, side): _box((x, y), (size.width, size.height), _offset(reach, side), side, dots)
            for reach, side in product(_REACH, _SIDES)
        }
        elsewhere = [box for box in taken if not box.overlaps(_square((x, y), half))]
        costs = {
            place: _covered(box, taken, frame) + _crossed((x, y), box, place[0], elsewhere)
            for place, box in boxes.items()
        }
        reach, side = min(costs, key=costs.__getitem__)
        away = _offset(reach, side)
        name.set(position=away, ha=_ACROSS[side[0]], va=_UP[side[1]])
        taken.append(boxes[reach, side].padded(2))
        if reach >= _JOINED_FROM:
            _join(axes, point, away)


def _square(centre: Place, half: float) -> Bbox:
    x, y = centre
    return Bbox.from_bounds(x - half, y - half, 2 * half, 2 * half)


def _offset(reach: int, side: Side) -> Place:
    """Return how far from its point a name stands, in points; beside it names stand in a column."""
    right, up = side
    return float((_REACH[0] if up else reach) * right), float(reach * up)


def _dots(axes: Axes) -> float:
    """Return how many pixels a point has."""
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes are part of a picture"
    return figure.dpi / 72


def _box(
    centre: Place,
    size: Place,
    away: Place,
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


def _crossed(start: Place, box: Bbox, reach: int, others: Sequence[Bbox]) -> float:
    """Return what a line from a point to its far name costs for what it crosses."""
    if reach < _JOINED_FROM:
        return 0.0
    end = (min(max(start[0], box.x0), box.x1), min(max(start[1], box.y0), box.y1))
    x, y = np.linspace(start, end, 20).T
    inside = [
        (other.x0 <= x) & (x <= other.x1) & (other.y0 <= y) & (y <= other.y1) for other in others
    ]
    return _CROSSING * float(np.any(inside, axis=0).sum())


def _join(axes: Axes, point: Named, away: Place) -> None:
    axes.annotate(
        "", (point.x, point.y), away, textcoords="offset points",
        arrowprops=_LEADER,
    ).set_in_layout(False)  # fmt: skip
