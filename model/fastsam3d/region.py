"""The region of interest: a box of voxels between two corners."""

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .geometry import Box, ras_to_kji
from .points import Point, Target, in_ras, triple_of


def parse_region(
    text: str, space: str, shape_kji: tuple[int, ...], ijk_to_ras: NDArray[np.float64]
) -> Box:
    """Read a region of interest, `X,Y,Z,X,Y,Z`: two opposite corners.

    Returns:
        The part of the volume's grid between them, both voxels included.

    Raises:
        InputError: not six numbers, or a region that holds no voxel of the volume.
    """
    parts = text.split(",")
    if len(parts) != 6:
        raise InputError(f"Region {text!r} is not six numbers; expected X,Y,Z,X,Y,Z: two corners.")
    ends = Target(
        "region", (Point(triple_of(parts[:3], text)), Point(triple_of(parts[3:], text))), space
    )
    corners = np.array([point.position for point in in_ras(ends, ijk_to_ras).points])
    choices = np.indices((2, 2, 2)).reshape(3, 8).T
    voxels = ras_to_kji(corners[choices, np.arange(3)], ijk_to_ras)
    low = np.clip(np.rint(voxels.min(axis=0)), 0, shape_kji).astype(int)
    high = np.clip(np.rint(voxels.max(axis=0)) + 1, 0, shape_kji).astype(int)
    if (low >= high).any():
        raise InputError(
            f"Region {text!r} holds no voxel of the volume; check it and --coordinates."
        )
    k, j, i = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return k, j, i
