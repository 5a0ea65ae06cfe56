"""A picture of masks side by side: a slice, the truth, the teacher's and the student's answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from torch import Tensor

from .trial import Played

COLUMNS = (1, 3, 5)
"""After how many clicks masks are shown."""

_TRUTH, _TEACHER, _STUDENT = "#2f9e44", "#1c6fd1", "#e8590c"
_ON, _OFF = "#ffe14d", "#ff2e4d"
_FAINT = 0.45
_NEAR = 3
"""In cells: clicks this near to the slice are drawn."""


class Pair(NamedTuple):
    """One example: its image, and the same clicks as two networks answer them.

    image: (128, 128, 128) uint8.
    """

    image: Tensor
    teacher: Played
    student: Played


def write_side_by_side(path: Path, pairs: Sequence[Pair]) -> None:
    """Draw each example in a row, in the slice of the first click."""
    columns = 2 + 2 * len(COLUMNS)
    figure = Figure(figsize=(1.9 * columns, 2.25 * len(pairs) + 0.6), layout="constrained")
    panels = figure.subplots(len(pairs), columns, squeeze=False)
    for row, pair in zip(panels, pairs, strict=True):
        _draw_row(row, pair)
    _head(panels[0])
    figure.legend(handles=_legend(), loc="outside lower center", ncols=5, fontsize=9)
    figure.savefig(path, dpi=100)


def _head(row: Sequence[Axes]) -> None:
    names = ["image", "truth"]
    for clicks in COLUMNS:
        after = f"{clicks} click{'s' if clicks > 1 else ''}"
        names += [f"teacher, {after}", f"student, {after}"]
    for axes, name in zip(row, names, strict=True):
        axes.set_title(name, fontsize=9)


def _legend() -> list[Patch | Line2D]:
    """Name the colours of masks and clicks."""
    masks = (("truth", _TRUTH), ("teacher", _TEACHER), ("student", _STUDENT))
    clicks = (("click that includes", True), ("click that excludes", False))
    return [
        *(Patch(facecolor=colour, alpha=_FAINT, label=name) for name, colour in masks),
        *(Line2D([], [], linestyle="", label=name, **_look(on)) for name, on in clicks),
    ]


def _draw_row(row: Sequence[Axes], pair: Pair) -> None:
    truth = pair.student.truth
    place = int(pair.student.points[0, 0, 2] / 2)
    image = pair.image[:, :, 2 * place].numpy()
    for axes in row:
        axes.imshow(image.T, cmap="gray", vmin=0, vmax=255, origin="lower", extent=(0, 64, 0, 64))
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
    _fill(row[1], truth[:, :, place], _TRUTH)
    for number, clicks in enumerate(COLUMNS):
        for side, played, colour in ((0, pair.teacher, _TEACHER), (1, pair.student, _STUDENT)):
            axes = row[2 + 2 * number + side]
            _fill(axes, played.masks[clicks - 1][:, :, place], colour)
            _clicks(axes, played, clicks, place)
            axes.set_xlabel(f"Dice {played.dice[clicks - 1]:.2f}", fontsize=9)


def _fill(axes: Axes, mask: NDArray[np.bool_], colour: str) -> None:
    """Tint the cells of a mask; without outlines, which of a noisy one would hide the image."""
    tint = np.where(mask.T[..., None], to_rgba(colour, _FAINT), 0.0)
    axes.imshow(tint, origin="lower", extent=(0, 64, 0, 64), interpolation="nearest")


def _clicks(axes: Axes, played: Played, count: int, place: int) -> None:
    cells = (played.points[0, :count].cpu().numpy() + 0.5) / 2
    for cell, label in zip(cells, played.labels[0, :count].tolist(), strict=True):
        if abs(cell[2] - place - 0.5) <= _NEAR:
            axes.plot(cell[0], cell[1], **_look(bool(label)))


def _look(includes: bool) -> dict[str, Any]:
    """Return how a click is drawn."""
    marker, colour = ("o", _ON) if includes else ("X", _OFF)
    return {
        "marker": marker, "color": colour, "markersize": 5, "markeredgecolor": "black",
        "markeredgewidth": 0.6,
    }  # fmt: skip
