"""What is looked at in the benchmark: balls in noise, in volumes of any size."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

SPACING_IJK_MM = (0.7, 0.7, 1.5)
OBLIQUE_DEG = (20, 15, 10)

Shape = tuple[int, int, int]
"""(k, j, i)"""
Centre = tuple[int, int, int]
"""(i, j, k)"""


def balls(shape_kji: Shape, centres_ijk: Iterable[Centre], radius_mm: float) -> NDArray[np.int16]:
    """Draw bright balls in noise, slice by slice: the peak of memory is to be the session's."""
    rng = np.random.default_rng(0)
    out = np.empty(shape_kji, np.int16)
    spacing_i, spacing_j, spacing_k = SPACING_IJK_MM
    j, i = np.ogrid[: shape_kji[1], : shape_kji[2]]
    for k, plane in enumerate(out):
        plane[:] = rng.integers(-30, 30, plane.shape, np.int16)
        for x, y, z in centres_ijk:
            if abs(left := spacing_k * (k - z)) < radius_mm:
                squared = (spacing_i * (i - x)) ** 2 + (spacing_j * (j - y)) ** 2
                plane[squared < radius_mm**2 - left**2] += 120
    return out
