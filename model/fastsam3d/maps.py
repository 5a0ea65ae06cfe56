"""Maps of numbers to files, on the grid of the scan they were made from."""

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .errors import InputError
from .masks import check_output, place
from .whole import write_whole

MAP_SUFFIXES = (".nii.gz", ".nrrd")


def check_map(path: Path) -> None:
    """Make sure before any work that a map of this name can be written.

    Raises:
        InputError: as from `masks.check_output`, or a segmentation's name.
    """
    if path.name.lower().endswith(".seg.nrrd"):
        raise InputError(
            f"Cannot write {path.name}: a map is no segmentation; give a name that ends in "
            f"{' or '.join(MAP_SUFFIXES)}."
        )
    check_output(path, MAP_SUFFIXES)


def write_map(path: Path, values_kji: NDArray[np.floating[Any]], ijk_to_ras: Any) -> None:
    """Write a map as float32, whole or not at all.

    Args:
        path: what it ends in decides the format.
        values_kji: (k, j, i).
        ijk_to_ras: (4, 4), of the scan.

    Raises:
        InputError: as from `check_map` and `masks.write_whole`.
    """
    check_map(path)
    image = sitk.GetImageFromArray(values_kji.astype(np.float32, copy=False))
    place(image, np.asarray(ijk_to_ras, float))
    write_whole(path, lambda partial: sitk.WriteImage(image, str(partial), useCompression=True))
