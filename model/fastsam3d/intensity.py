"""Intensities as a network was trained to see them."""

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

NORMALISATIONS = ("zscore-positive", "zscore-clipped")
"""Names that `normalise` knows; a field of every preset."""

CT_RANGE_HU = (-1000.0, 1000.0)
"""SAM-Med3D's clamp for CT; FastSAM3D's weights were trained without it."""

STRIDE = 37
"""Between the voxels whose percentiles count."""


def normalise(
    patch: NDArray[np.float32], how: str, *, ct_clamp: bool = False
) -> NDArray[np.float32]:
    """Shift and scale a patch to mean 0 and standard deviation 1.

    Args:
        patch: raw intensities, any shape.
        how: "zscore-positive" takes mean and deviation of the voxels above 0, as the published
            networks do (of all voxels if none is); "zscore-clipped" clips to the 0.5 and 99.5
            percentiles of every 37th voxel first, and takes them of all.
        ct_clamp: clamp to [-1000, 1000] first.

    Returns:
        float32 of the same shape, finite; all 0 where the intensities are all alike.

    Raises:
        InputError: `how` is not one of `NORMALISATIONS`.
    """
    values = np.asarray(patch, np.float32)
    if ct_clamp:
        values = values.clip(*CT_RANGE_HU)
    if how == "zscore-positive":
        return _zscore(values, values[values > 0])
    if how == "zscore-clipped":
        low, high = np.percentile(values.reshape(-1)[::STRIDE], (0.5, 99.5))
        values = values.clip(np.float32(low), np.float32(high))
        return _zscore(values, values)
    raise InputError(f"Got normalisation {how!r}; expected one of {', '.join(NORMALISATIONS)}.")


def _zscore(values: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float32]:
    counted = reference if reference.size else values
    mean = float(counted.mean(dtype=np.float64))
    slope = zscore_slope(mean, float(counted.std(dtype=np.float64)))
    return ((values - np.float32(mean)) * np.float32(slope)).astype(np.float32, copy=False)


def zscore_slope(mean: float, deviation: float) -> float:
    """Return what a z-score multiplies by; 0 where the intensities are all alike."""
    return 0.0 if deviation <= 1e-6 * max(1.0, abs(mean)) else 1 / deviation
