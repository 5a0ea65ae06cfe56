"""Postprocessing on the whole of a mask, as where one was started from."""

import math

import numpy as np
from numpy.typing import NDArray

from .geometry import Box, ras_to_kji
from .history import bounds
from .points import Target
from .postprocess import Postprocessing

Mask = NDArray[np.bool_]


def tidied(
    mask_kji: Mask,
    options: Postprocessing,
    target: Target,
    ijk_to_ras: NDArray[np.float64],
    region: Box | None = None,
) -> Mask:
    """Return a mask with the choices applied to all of it.

    Args:
        mask_kji: of an object.
        options: the choices.
        target: the object, with its points in RAS.
        ijk_to_ras: (4, 4), of the mask.
        region: the part of the mask that may change; None for all.
    """
    if options == Postprocessing(keep_clicked=False) or not mask_kji.any():
        return mask_kji
    reach = math.ceil(4 * options.smooth_voxels) + 1
    k, j, i = (slice(max(0, part.start - reach), part.stop + reach) for part in bounds(mask_kji))
    included = [point.position for point in target.points if point.positive]
    voxels = ras_to_kji(np.reshape(included, (-1, 3)), ijk_to_ras)
    whole, kept = mask_kji.copy(), mask_kji.copy()
    whole[k, j, i] = options.apply(mask_kji[k, j, i], voxels - (k.start, j.start, i.start))
    within = region or (slice(None),) * 3
    kept[within] = whole[within]
    return kept
