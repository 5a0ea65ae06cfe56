"""A scan turned so that its axes run to the patient's right, front and top, to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from .geometry import ras_to_kji, spacing_of
from .points import Point


@dataclass(frozen=True, eq=False)
class Scene:
    """A scan and its labels with the axes nearest to R, A, S in that order, and their spacing."""

    image: NDArray[Any]
    labels: NDArray[Any]
    spacing_mm: NDArray[np.float64]
    clicks: tuple[tuple[NDArray[np.float64], bool], ...]
    """Positions in voxels of these axes, and whether they include."""


def to_scene(
    volume_kji: NDArray[Any],
    labels_kji: NDArray[Any],
    ijk_to_ras: NDArray[np.float64],
    points: Sequence[Point] = (),
) -> Scene:
    """Turn arrays (k, j, i) so that their axes run to the right, the front and the top."""
    axes, flips = nearest_axes(ijk_to_ras)
    positions = np.array([point.position for point in points]).reshape(-1, 3)
    voxels = ras_to_kji(positions, ijk_to_ras)[:, axes]
    lengths = np.array(volume_kji.shape)[axes]
    voxels = np.where(np.array(flips) < 0, lengths - 1 - voxels, voxels)
    clicks = zip(voxels, (point.positive for point in points), strict=True)
    turn = tuple(slice(None, None, sign) for sign in flips)
    return Scene(
        volume_kji.transpose(axes)[turn],
        labels_kji.astype(np.uint16).transpose(axes)[turn],
        spacing_of(ijk_to_ras)[::-1][axes],
        tuple(clicks),
    )


def nearest_axes(ijk_to_ras: ArrayLike) -> tuple[list[int], list[int]]:
    """Find for R, A and S the array axis (k = 0, j = 1, i = 2) nearest to it, and its sign."""
    matrix = np.asarray(ijk_to_ras, float)[:3, 2::-1]
    directions = matrix / np.linalg.norm(matrix, axis=0)
    _, axes = linear_sum_assignment(-np.abs(directions))
    signs = [1 if directions[world, axis] > 0 else -1 for world, axis in enumerate(axes)]
    return [int(axis) for axis in axes], signs
