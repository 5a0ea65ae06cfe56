"""The surface of a label map, shaded, as polygons that a flat plot can show."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import marching_cubes

from .masks import colour_of

Floats = NDArray[np.float64]

_FINEST = 100
_TURN_DEG, _NOD_DEG = 28.0, 14.0
_LIGHT = np.array([-0.45, 0.55, 0.70])
_AXIS_COLOUR = "#8b93a3"


def draw_surface(axes: Axes, labels: NDArray[Any], spacing_mm: Floats) -> None:
    """Draw every label's surface as seen from the front, a little turned and from above.

    Args:
        axes: of equal aspect, in mm.
        labels: whole numbers; its axes run to the right, the front and the top.
        spacing_mm: (3,), along those axes.
    """
    polygons, colours = [], []
    for label in np.unique(labels[labels > 0]):
        corners, normals = _mesh(labels == label, spacing_mm)
        corners, normals = corners @ _view().T, normals @ _view().T
        seen = normals.mean(axis=1)[:, 2] > -0.2
        polygons.append(corners[seen])
        colours.append(_shade(normals[seen].mean(axis=1), np.array(colour_of(int(label)))))
    corners, shades = np.concatenate(polygons), np.concatenate(colours)
    order = corners[:, :, 2].mean(axis=1).argsort()
    faces = PolyCollection(
        list(corners[order, :, :2]), facecolors=shades[order], edgecolors=shades[order],
        linewidths=0.4,
    )  # fmt: skip
    axes.add_collection(faces)
    _fit(axes, corners[:, :, :2].reshape(-1, 2))
    _draw_compass(axes)


def _mesh(mask: NDArray[np.bool_], spacing_mm: Floats) -> tuple[Floats, Floats]:
    """Return (N, 3, 3) corners of triangles in mm, and the normals there."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    start_mm = np.array([part.start for part in box]) * spacing_mm
    part = mask[box].astype(np.float32)
    extent = np.array(part.shape) * spacing_mm
    step = max(float(extent.max()) / _FINEST, 0.7 * float(spacing_mm.min()))
    lengths = np.maximum(2, np.rint(extent / step)).astype(int)
    padded = np.pad(part, 2)
    steps = extent / lengths
    counts = lengths + 8
    scale = steps / spacing_mm
    offset = 2 - 0.5 + scale / 2 - 4 * scale
    level = ndimage.affine_transform(padded, scale, offset, tuple(counts), order=1)
    level = ndimage.gaussian_filter(level, np.maximum(1.0, 0.9 / scale))
    if level.max() <= 0.5:
        level = level / level.max()
    vertices, faces, normals, _ = marching_cubes(level, 0.5, spacing=tuple(steps))
    vertices = vertices + start_mm - 4 * steps
    return np.asarray(vertices[faces]), np.asarray(normals[faces])


def _view() -> Floats:
    """Return the rotation from R, A, S to the picture's right, its top, and towards the viewer."""
    turn, nod = np.deg2rad(_TURN_DEG), np.deg2rad(_NOD_DEG)
    spin = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    front = np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    tip = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
    return np.asarray(tip @ front @ spin)


def _shade(normals: Floats, colour: Floats) -> Floats:
    """Return (N, 3) colours lit from the upper left, with a gloss and a darker rim."""
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    light = _LIGHT / np.linalg.norm(_LIGHT)
    half = light + np.array([0, 0, 1])
    diffuse = np.clip(normals @ light, 0, 1)
    gloss = np.clip(normals @ (half / np.linalg.norm(half)), 0, 1) ** 28
    rim = np.clip(normals[:, 2], 0, 1) ** 0.6
    strength = (0.20 + 0.85 * diffuse) * (0.45 + 0.55 * rim)
    return np.asarray(np.clip(strength[:, None] * colour + 0.35 * gloss[:, None], 0, 1))


def _fit(axes: Axes, places: Floats) -> None:
    low, high = places.min(axis=0), places.max(axis=0)
    centre, reach = (low + high) / 2, 0.58 * float((high - low).max())
    axes.set_xlim(centre[0] - reach, centre[0] + reach)
    axes.set_ylim(centre[1] - reach, centre[1] + reach)


def _draw_compass(axes: Axes) -> None:
    place = np.array([0.09, 0.09])
    for letter, direction in zip("RAS", _view()[:2].T, strict=True):
        tip = place + 0.07 * direction
        axes.plot(*np.transpose([place, tip]), color=_AXIS_COLOUR, lw=1.4, transform=axes.transAxes)
        x, y = place + 0.097 * direction
        axes.text(
            x, y, letter, color=_AXIS_COLOUR, fontsize=9, ha="center", va="center",
            transform=axes.transAxes,
        )  # fmt: skip
