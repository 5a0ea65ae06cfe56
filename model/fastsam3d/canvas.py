"""A volume to paint on with ellipsoids, tubes and smooth random fields."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Triple = tuple[float, float, float]
Shape = tuple[int, int, int]


class Canvas:
    """What is painted on: intensities and labels, over axes in mm from the middle of the body."""

    def __init__(
        self, x: Floats, y: Floats, z: Floats, rng: np.random.Generator, background: float
    ) -> None:
        self.x, self.y, self.z, self.rng = x, y, z, rng
        self.shape: Shape = (z.size, y.size, x.size)
        self.intensity = np.full(self.shape, background, np.float32)
        self.labels = np.zeros(self.shape, np.uint8)
        self.cavity: Mask = np.zeros(self.shape, bool)
        self.texture = smooth_field(rng, 34, self.shape)

    def ellipsoid(self, centre: Triple, radii: Triple, turn_deg: float = 0.0) -> Floats:
        """Return a level that is 1 on an ellipsoid's surface and less inside; turned about z."""
        dx, dy, dz = self.x - centre[0], self.y - centre[1], self.z - centre[2]
        c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
        u, v = c * dx + s * dy, c * dy - s * dx
        level = (u / radii[0]) ** 2 + (v / radii[1]) ** 2 + (dz / radii[2]) ** 2
        return np.asarray(np.sqrt(level), np.float32)

    def tube(self, path: list[Triple], radii_mm: tuple[float, float]) -> Floats:
        """Return a level that is 1 on a tube along a path, its radius going from first to last.

        Two radii away and farther it is infinite.
        """
        level = np.full(self.shape, np.inf, np.float32)
        box = self._box(path, 2 * max(radii_mm))
        lengths = [float(np.linalg.norm(np.subtract(b, a))) for a, b in pairwise(path)]
        starts = np.cumsum([0.0, *lengths])
        for (a, b), length, start in zip(pairwise(path), lengths, starts, strict=False):
            along, away = self._from_segment(a, b, box)
            part = (start + along * length) / starts[-1]
            radius = radii_mm[0] + (radii_mm[1] - radii_mm[0]) * part
            level[box] = np.minimum(level[box], away / radius)
        return level

    def _box(self, path: list[Triple], margin_mm: float) -> tuple[slice, slice, slice]:
        parts = []
        for axis, values in zip((self.z, self.y, self.x), np.transpose(path)[::-1], strict=True):
            near = (axis >= values.min() - margin_mm) & (axis <= values.max() + margin_mm)
            hits = np.flatnonzero(near)
            parts.append(slice(int(hits[0]), int(hits[-1]) + 1))
        return parts[0], parts[1], parts[2]

    def _from_segment(
        self, a: Triple, b: Triple, box: tuple[slice, slice, slice]
    ) -> tuple[Floats, Floats]:
        d = np.subtract(b, a)
        axes = self.x[:, :, box[2]], self.y[:, box[1]], self.z[box[0]]
        offset = [axis - np.float32(start) for axis, start in zip(axes, a, strict=True)]
        weights = (d / (d @ d)).astype(np.float32)
        along = offset[0] * weights[0] + offset[1] * weights[1] + offset[2] * weights[2]
        along = np.clip(along, 0, 1)
        x, y, z = (o - along * np.float32(step) for o, step in zip(offset, d, strict=True))
        return along, np.sqrt(x * x + y * y + z * z)

    def wobble(self, knots: int, amplitude: float) -> Floats:
        """Return a smooth random field that makes no two outlines alike."""
        return amplitude * smooth_field(self.rng, knots, self.shape)

    def paint(self, where: Mask, value: float, label: int = 0, grain: float = 4.0) -> None:
        """Fill a region with a tissue, and label it."""
        self.intensity[where] = value + grain * self.texture[where]
        self.labels[where] = label


def smooth_field(rng: np.random.Generator, knots: int, shape: Shape) -> Floats:
    """Draw a random field of unit spread with `knots` knots along the longest axis."""
    coarse = [max(3, round(knots * length / max(shape))) for length in shape]
    field = rng.standard_normal(coarse).astype(np.float32)
    for axis, (length, size) in enumerate(zip(shape, coarse, strict=True)):
        field = np.moveaxis(np.tensordot(_hats(length, size), field, (1, axis)), 0, axis)
    return np.asarray(field / field.std(), np.float32)


def _hats(length: int, knots: int) -> Floats:
    """Return (length, knots) weights that interpolate linearly between evenly spaced knots."""
    places = np.linspace(0, knots - 1, length)[:, None]
    return np.asarray(np.clip(1 - np.abs(places - np.arange(knots)), 0, None), np.float32)
