"""A picture of a mask: three slices through it with its outline, and its surface."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from .canonical import Scene, to_scene
from .errors import InputError
from .geometry import Box
from .masks import by_label, check_output, colour_of
from .points import Point
from .preview_marks import Plane, draw_clicks, outlined
from .surface import draw_surface
from .whole import write_whole

BACKGROUND = "#0b0e14"
FAINT = "#8b93a3"
BRIGHT = "#e8ebf0"

_CLICK_ROOM_MM = 5.0
"""Shown beyond a click that lies far from the objects."""


PLANES = (
    Plane("axial", 0, 1, "RLPA"),
    Plane("coronal", 0, 2, "RLIS"),
    Plane("sagittal", 1, 2, "APIS"),
)


def write_preview(
    path: str | Path,
    volume_kji: NDArray[Any],
    labels_kji: NDArray[Any],
    ijk_to_ras: NDArray[np.float64],
    *,
    points: Sequence[Point] = (),
    title: str = "",
    captions: Sequence[str] | Mapping[int, str] = (),
) -> None:
    """Write a PNG of a mask or label map.

    Args:
        path: ends in `.png`.
        volume_kji: the scan.
        labels_kji: bool or whole numbers, of the same shape.
        ijk_to_ras: (4, 4), of both.
        points: clicks in RAS mm; each slice shows those within 6 mm of it. One that is near no
            slice is drawn hollow in the nearest, with its distance from there.
        title: of the picture.
        captions: of labels 1, 2, ..., or by label.

    Raises:
        InputError: an empty mask, or a file that cannot be written.
    """
    path = check_output(path, (".png",))
    if not labels_kji.any():
        raise InputError("The mask is empty: there is nothing to draw; click on another place.")
    scene = to_scene(volume_kji, labels_kji, ijk_to_ras, points)
    figure = draw(scene, title, by_label(captions))
    write_whole(path, lambda partial: figure.savefig(partial, format="png", facecolor=BACKGROUND))


def draw(scene: Scene, title: str, captions: Mapping[int, str]) -> Figure:
    """Draw the four panels."""
    figure = Figure(figsize=(16, 4.9), dpi=110, facecolor=BACKGROUND)
    panels = figure.subplots(1, 4)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.03, top=0.84, wspace=0.04)
    window = _window(scene)
    limits = _contrast(scene, window)
    cuts = [_cut(scene, plane) for plane in PLANES]
    for plane, cut, axes in zip(PLANES, cuts, panels[:3], strict=True):
        _draw_slice(axes, scene, plane, cut, limits)
        _frame(axes, scene, plane, window)
    draw_clicks(panels[:3], scene, PLANES, cuts)
    _draw_surface(panels[3], scene)
    _write_texts(figure, title, captions)
    return figure


def _cut(scene: Scene, plane: Plane) -> int:
    """Choose the slice with the most of the objects."""
    return int((scene.labels > 0).sum(axis=(plane.across, plane.up)).argmax())


def _write_texts(figure: Figure, title: str, captions: Mapping[int, str]) -> None:
    figure.text(0.012, 0.945, title, color=BRIGHT, fontsize=15, weight="bold", va="center")
    place = 0.988
    for label, caption in reversed(list(captions.items())[:5]):
        text = figure.text(place, 0.945, f"● {caption}", color=colour_of(label), fontsize=12)
        text.set(ha="right", va="center")
        place -= 0.0068 * (len(caption) + 5)


def _window(scene: Scene) -> Box:
    """Return the part of the scan to show: the objects, as much around them, and the clicks."""
    box = _box_of(scene.labels)
    extents = [
        (part.stop - part.start) * step for part, step in zip(box, scene.spacing_mm, strict=True)
    ]
    margin_mm = max(30.0, 0.45 * max(extents))
    clicks = np.array([voxel for voxel, _ in scene.clicks]).reshape(-1, 3).T
    r, a, s = (
        _reach(part, margin_mm / step, at, _CLICK_ROOM_MM / step)
        for part, step, at in zip(box, scene.spacing_mm, clicks, strict=True)
    )
    return r, a, s


def _reach(part: slice, margin: float, clicks: NDArray[np.float64], room: float) -> slice:
    low = min(part.start - margin, clicks.min(initial=part.start) - room)
    high = max(part.stop + margin, clicks.max(initial=part.start) + room)
    return slice(max(0, int(low)), int(high))


def _contrast(scene: Scene, window: Box) -> tuple[float, float]:
    """Choose black and white so that the objects and what touches them are told apart."""
    inside = scene.labels[window] > 0
    near = ndimage.binary_dilation(inside, iterations=4)
    low, high = np.percentile(scene.image[window][near], (8, 98))
    if (near != inside).any():
        around = scene.image[window][near & ~inside]
        low, high = min(low, np.percentile(around, 25)), max(high, np.percentile(around, 90))
    room = 0.25 * max(float(high - low), 1e-6)
    return float(low) - room, float(high) + room


def _box_of(labels: NDArray[Any]) -> Box:
    r, a, s = ndimage.find_objects((labels > 0).astype(np.uint8))[0]
    return r, a, s


def _draw_slice(
    axes: Axes, scene: Scene, plane: Plane, index: int, limits: tuple[float, float]
) -> None:
    others = (plane.across, plane.up)
    image = np.take(scene.image, index, plane.through)
    labels = np.take(scene.labels, index, plane.through)
    x, y = ((np.arange(n) * scene.spacing_mm[a]) for n, a in zip(image.shape, others, strict=True))
    half_x, half_y = (scene.spacing_mm[a] / 2 for a in others)
    extent = (-half_x, x[-1] + half_x, -half_y, y[-1] + half_y)
    axes.imshow(
        image.T, cmap="gray", vmin=limits[0], vmax=limits[1], origin="lower", extent=extent,
        interpolation="bilinear",
    )  # fmt: skip
    for label in np.unique(labels[labels > 0]):
        mask = np.pad((labels == label).T.astype(float), 1)
        grid = [np.concatenate([[v[0] - h], v, [v[-1] + h]]) for v, h in ((x, half_x), (y, half_y))]
        colour = colour_of(int(label))
        axes.contourf(*grid, mask, levels=[0.5, 2], colors=[colour], alpha=0.16)
        axes.contour(*grid, mask, levels=[0.5], colors=[colour], linewidths=1.6)


def _frame(axes: Axes, scene: Scene, plane: Plane, window: Box) -> None:
    """Fix what is seen, in mm, with the patient's right, or front, at the left."""
    (left, right), (bottom, top) = (
        (
            (window[axis].start - 0.5) * scene.spacing_mm[axis],
            (min(window[axis].stop, scene.labels.shape[axis]) - 0.5) * scene.spacing_mm[axis],
        )
        for axis in (plane.across, plane.up)
    )
    axes.set(xlim=(right, left), ylim=(bottom, top), aspect="equal", facecolor=BACKGROUND)
    axes.set_axis_off()
    axes.set_title(plane.name, color=FAINT, fontsize=11, pad=4)
    places = (
        (0.02, 0.5, "left"),
        (0.98, 0.5, "right"),
        (0.5, 0.03, "center"),
        (0.5, 0.97, "center"),
    )
    for letter, (x, y, side), rise in zip(
        plane.ends, places, ("center", "center", "bottom", "top"), strict=True
    ):
        axes.text(
            x, y, letter, color=BRIGHT, fontsize=11, ha=side, va=rise, transform=axes.transAxes,
            path_effects=outlined(),
        )  # fmt: skip
    _scale_bar(axes, right - left)


def _scale_bar(axes: Axes, width_mm: float) -> None:
    length = max(n for n in (1, 2, 5, 10, 20, 50, 100, 200) if n <= max(width_mm / 4, 1))
    start = 0.03
    stop = start + length / width_mm
    axes.plot(
        [start, stop], [0.035] * 2, color=BRIGHT, lw=2, transform=axes.transAxes,
        path_effects=outlined(4.5), zorder=4,
    )  # fmt: skip
    axes.text(
        start, 0.05, f"{length} mm", color=BRIGHT, fontsize=9, va="bottom",
        transform=axes.transAxes, path_effects=outlined(),
    )  # fmt: skip


def _draw_surface(axes: Axes, scene: Scene) -> None:
    axes.set_title("surface, from the front", color=FAINT, fontsize=11, pad=4)
    axes.set(facecolor=BACKGROUND, aspect="equal")
    axes.set_axis_off()
    draw_surface(axes, scene.labels, scene.spacing_mm)
