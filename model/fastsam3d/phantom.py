"""An abdomen drawn from formulas, with organs whose outlines are known: a scan nobody had to give.

It is no patient and none of the volumes that the network learnt from: those are random shapes, this
is anatomy as a CT after contrast would show it, with fat, bowel gas, vessels, ribs and noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .canvas import Canvas, Floats, Mask, Triple, smooth_field
from .errors import InputError

SHAPE_KJI = (108, 132, 176)
SPACING_IJK_MM = (2.0, 2.0, 2.5)

ORGANS = (
    "liver",
    "spleen",
    "right kidney",
    "left kidney",
    "stomach",
    "gallbladder",
    "aorta",
)
"""Of labels 1, 2, ..."""

_LABEL = {name: label for label, name in enumerate(ORGANS, start=1)}


@dataclass(frozen=True, eq=False)
class Phantom:
    """The scan in Hounsfield units, where it lies, and its organs."""

    array_kji: NDArray[np.int16]
    ijk_to_ras: NDArray[np.float64]
    labels_kji: NDArray[np.uint8]

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return float(np.prod(SPACING_IJK_MM)) / 1000

    def organ(self, name: str) -> Mask:
        """Return the mask of an organ.

        Raises:
            InputError: the phantom has no such organ.
        """
        if name not in ORGANS:
            raise InputError(f"The phantom has no {name!r}; expected one of {', '.join(ORGANS)}.")
        return np.asarray(self.labels_kji == _LABEL[name])


def make_phantom(seed: int = 1) -> Phantom:
    """Draw the phantom; one seed gives one and the same, to the last voxel."""
    rng = np.random.default_rng(seed)
    x, y, z = _grid()
    canvas = Canvas(x, y, z, rng, background=-1000)
    _paint_body(canvas)
    _paint_skeleton(canvas)
    _paint_bowel(canvas)
    _paint_organs(canvas)
    _paint_vessels(canvas)
    _paint_chest(canvas)
    return Phantom(_scan(canvas, rng), _ijk_to_ras(), canvas.labels)


def _grid() -> Iterator[Floats]:
    k, j, i = np.ogrid[tuple(slice(length) for length in SHAPE_KJI)]
    signs = (-1, -1, 1)
    lengths = SHAPE_KJI[::-1]
    for index, step, sign, length in zip((i, j, k), SPACING_IJK_MM, signs, lengths, strict=True):
        yield (sign * step * (index - (length - 1) / 2)).astype(np.float32)


def _ijk_to_ras() -> NDArray[np.float64]:
    matrix = np.diag([-SPACING_IJK_MM[0], -SPACING_IJK_MM[1], SPACING_IJK_MM[2], 1.0])
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(SHAPE_KJI[::-1]) - 1) / 2)
    return matrix


def _paint_body(canvas: Canvas) -> None:
    x, y, z = canvas.x, canvas.y, canvas.z
    waist = 1 + 0.05 * np.cos(z / 60)
    flat = np.where(y < 0, 1.12, 1.0)
    level = (np.abs(x / (158 * waist)) ** 2.3 + np.abs(y * flat / (112 * waist)) ** 2.3) ** (
        1 / 2.3
    )
    level = level + canvas.wobble(5, 0.008)
    canvas.paint(level < 1, 40)
    canvas.paint(level < 0.98, -105, grain=8)
    canvas.paint((level < 0.86) & (level > 0.80), 55, grain=8)
    back = (
        canvas.ellipsoid((42, -78, 0), (36, 22, 1e4)),
        canvas.ellipsoid((-42, -78, 0), (36, 22, 1e4)),
    )
    canvas.paint((np.minimum(*back) < 1) & (level < 0.9), 58, grain=8)
    canvas.cavity = level < 0.79
    canvas.paint(canvas.cavity & (y > -60), -95, grain=10)
    for side in (-1, 1):
        canvas.paint(canvas.ellipsoid((side * 38, -48, -70), (16, 19, 90)) < 1, 60, grain=8)
    ring = (level > 0.815) & (level < 0.865) & (z > -40)
    slope = z + 0.45 * (y + 80) + 8 * np.sign(x)
    canvas.paint(ring & (np.mod(slope, 34) < 11), 330, grain=40)


def _paint_skeleton(canvas: Canvas) -> None:
    z = np.broadcast_to(canvas.z, SHAPE_KJI)
    phase = np.mod(z + 10, 35)
    body = canvas.ellipsoid((0, -58, 0), (23, 17, 1e4)) * (
        1 + 0.10 * np.cos(phase / 35 * 2 * np.pi)
    )
    disc = phase < 8
    canvas.paint(body < 1, 420, grain=40)
    canvas.paint(body < 0.88, 190, grain=35)
    canvas.paint((body < 0.98) & disc, 85)
    arch = canvas.ellipsoid((0, -84, 0), (21, 17, 1e4)) < 1
    spine = canvas.ellipsoid((0, -100, 0), (4, 16, 1e4)) < 1
    wings = canvas.ellipsoid((0, -78, 0), (44, 6, 1e4)) < 1
    canvas.paint((arch | spine | wings) & (phase > 14), 300, grain=40)
    canvas.paint(canvas.ellipsoid((0, -82, 0), (11, 10, 1e4)) < 1, 30)


def _paint_bowel(canvas: Canvas) -> None:
    x, y, z = (axis / 11 for axis in (canvas.x, canvas.y, canvas.z))
    bend = canvas.wobble(7, 0.6)
    folds = np.sin(x + bend) * np.cos(y) + np.sin(y - bend) * np.cos(z) + np.sin(z) * np.cos(x)
    region = canvas.cavity & (canvas.y > -25) & (canvas.z < -20 + 0.3 * canvas.y)
    canvas.paint(region & (folds > 0.15), 62, grain=8)
    canvas.paint(region & (folds > 0.6), 25, grain=12)
    canvas.paint(region & (folds > 0.95) & (canvas.y > 20), -820, grain=30)
    for side, low in ((1, -140.0), (-1, -140.0)):
        path: list[Triple] = [(side * 105, -20, low), (side * 108, -5, -60), (side * 92, 25, -18)]
        level = canvas.tube(path, (20, 17)) + canvas.wobble(14, 0.10)
        canvas.paint((level < 1) & canvas.cavity, 58)
        canvas.paint((level < 0.8) & canvas.cavity, -300, grain=250)


def _paint_organs(canvas: Canvas) -> None:
    _paint_stomach(canvas)
    _paint_liver(canvas)
    spleen = np.maximum(
        canvas.ellipsoid((-100, -32, 42), (30, 46, 52), 25) + canvas.wobble(6, 0.05),
        1.95 - canvas.ellipsoid((-62, -8, 40), (30, 40, 44), 25),
    )
    canvas.paint((spleen < 1) & canvas.cavity, 122, _LABEL["spleen"], grain=6)
    pancreas = canvas.tube([(22, 8, -8), (0, 14, 6), (-38, 6, 16), (-72, -14, 24)], (14, 9))
    canvas.paint((pancreas + canvas.wobble(16, 0.12) < 1) & (canvas.labels == 0), 92, grain=10)
    _paint_kidney(canvas, 1, "right kidney", -22)
    _paint_kidney(canvas, -1, "left kidney", -8)
    gallbladder = canvas.ellipsoid((48, 48, -8), (15, 26, 17), 20) + canvas.wobble(6, 0.05)
    canvas.paint((gallbladder < 1.12) & canvas.cavity, 70)
    canvas.paint((gallbladder < 1) & canvas.cavity, 12, _LABEL["gallbladder"])


def _paint_stomach(canvas: Canvas) -> None:
    path: list[Triple] = [(-70, -5, 72), (-78, 20, 40), (-60, 45, 8), (-15, 50, 2), (18, 38, 4)]
    level = canvas.tube(path, (36, 15)) + canvas.wobble(8, 0.06)
    inside = (level < 1) & canvas.cavity
    canvas.paint(inside, 75, _LABEL["stomach"])
    canvas.paint(inside & (level < 0.86), 22, _LABEL["stomach"], grain=10)
    canvas.paint(inside & (level < 0.84) & (canvas.y > 56), -900, _LABEL["stomach"])


def _paint_liver(canvas: Canvas) -> None:
    right = canvas.ellipsoid((76, -6, 36), (62, 80, 68), 12)
    left = canvas.ellipsoid((8, 40, 50), (66, 34, 34), -14)
    level = -np.log(np.exp(-6 * right) + np.exp(-6 * left)) / 6 + canvas.wobble(6, 0.035)
    fissure = np.abs(canvas.x - 6 - 0.2 * canvas.y) < 2.5
    level = level + 0.6 * (fissure & (canvas.z < 30))
    liver = (level < 1) & canvas.cavity
    canvas.paint(liver, 108, _LABEL["liver"], grain=6)
    for path, radii in _liver_vessels(canvas.rng):
        canvas.paint(liver & (canvas.tube(path, radii) < 1), 158, _LABEL["liver"])
    lesion = canvas.ellipsoid((96, 14, 22), (13, 12, 12)) + canvas.wobble(14, 0.08)
    canvas.paint(liver & (lesion < 1), 62, _LABEL["liver"], grain=8)


def _liver_vessels(rng: np.random.Generator) -> Iterator[tuple[list[Triple], tuple[float, float]]]:
    hilum = np.array([32.0, 10.0, 14.0])
    for direction in (
        (1, -0.5, 0.3),
        (1, 0.3, 0.5),
        (0.8, 0.1, -0.6),
        (-0.3, 0.7, 0.7),
        (0.5, -0.7, 0.8),
    ):
        points = [hilum]
        for _ in range(5):
            step = np.array(direction) + 0.35 * rng.standard_normal(3)
            points.append(points[-1] + 17 * step / np.linalg.norm(step))
        yield [(float(x), float(y), float(z)) for x, y, z in points], (5.5, 2.0)


def _paint_kidney(canvas: Canvas, side: int, name: str, height: float) -> None:
    centre = (side * 68.0, -46.0, height)
    level = canvas.ellipsoid(centre, (31, 27, 56), side * 25) + canvas.wobble(8, 0.03)
    hilum = canvas.ellipsoid((side * 46, -34, height), (19, 15, 22))
    kidney = (level < 1) & (hilum > 1)
    canvas.paint((level < 1.22) & (canvas.labels == 0) & canvas.cavity, -100, grain=8)
    canvas.paint(kidney, 185, _LABEL[name], grain=8)
    canvas.paint(kidney & (level < 0.66), 140, _LABEL[name], grain=14)
    canvas.paint((hilum < 1) & (level < 1), -60, grain=30)


def _paint_vessels(canvas: Canvas) -> None:
    aorta = canvas.tube([(-9, -26, 160), (-8, -29, 20), (-2, -32, -160)], (12, 9))
    canvas.paint(aorta < 1, 240, _LABEL["aorta"])
    vena_cava = canvas.tube([(26, -8, 95), (20, -26, 20), (17, -30, -160)], (12, 11))
    canvas.paint(vena_cava < 1, 165)
    for side in (-1.0, 1.0):
        renal = canvas.tube([(side * 8, -30, -12), (side * 50, -34, -12)], (4, 3))
        canvas.paint((renal < 1) & (canvas.labels == 0), 200)


def _paint_chest(canvas: Canvas) -> None:
    for side, height in ((1, 104.0), (-1, 96.0)):
        dome = canvas.ellipsoid((side * 78, -14, 40), (68, 80, height - 40)) + canvas.wobble(
            6, 0.02
        )
        lung = canvas.cavity & (dome > 1) & (canvas.z > 40) & (np.abs(canvas.x - side * 85) < 72)
        canvas.paint(lung & (side * canvas.x > 18) & (canvas.labels == 0), -830, grain=35)
    heart = canvas.ellipsoid((-22, 30, 122), (58, 44, 38), -25) + canvas.wobble(6, 0.03)
    canvas.paint((heart < 1.08) & canvas.cavity & (canvas.labels == 0), -90, grain=8)
    canvas.paint((heart < 1) & canvas.cavity & (canvas.labels == 0), 60, grain=8)
    canvas.paint((heart < 0.72) & canvas.cavity & (canvas.labels == 0), 165, grain=8)


def _scan(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.int16]:
    blurred = ndimage.gaussian_filter(canvas.intensity, (0.45, 0.6, 0.6))
    noise = ndimage.gaussian_filter(
        rng.standard_normal(SHAPE_KJI).astype(np.float32), (0.3, 0.7, 0.7)
    )
    shading = smooth_field(rng, 4, SHAPE_KJI)
    image = blurred + 16 * noise / noise.std() + 5 * shading
    return np.asarray(np.clip(np.rint(image), -1024, 3071), np.int16)
