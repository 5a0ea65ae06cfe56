"""Whether two volumes lie on one grid of voxels, and a grid in words."""

import numpy as np

from .errors import InputError
from .geometry import kji_to_ras, spacing_of
from .images import Volume


def same_grid(volume: Volume, other: Volume) -> bool:
    """Tell whether two volumes have the same voxels, to a tenth of one."""
    shape = np.array(volume.array_kji.shape)
    if tuple(shape) != other.array_kji.shape:
        return False
    corners = np.indices((2, 2, 2)).reshape(3, 8).T * (shape - 1)
    apart = kji_to_ras(corners, volume.ijk_to_ras) - kji_to_ras(corners, other.ijk_to_ras)
    return bool(np.abs(apart).max() <= 0.1 * spacing_of(other.ijk_to_ras).min())


def check_on_grid(labels: Volume, image: Volume) -> None:
    """Refuse labels that lie elsewhere than their image.

    Raises:
        InputError: shape, spacing, origin or axes differ.
    """
    if not same_grid(labels, image):
        raise InputError(
            f"{labels.name} ({grid_text(labels)}) is not on the grid of {image.name} "
            f"({grid_text(image)}); resample the labels onto it, by nearest neighbour."
        )


def grid_text(volume: Volume) -> str:
    """Say how many voxels a volume has, how large, and where (RAS mm) the first and last lie."""
    size = " x ".join(str(n) for n in volume.array_kji.shape[::-1])
    mm = " x ".join(f"{n:.3g}" for n in spacing_of(volume.ijk_to_ras))
    ends = np.array([(0, 0, 0), np.array(volume.array_kji.shape) - 1])
    first, last = (
        ",".join(f"{n:.1f}" for n in point) for point in kji_to_ras(ends, volume.ijk_to_ras)
    )
    return f"{size} voxels of {mm} mm from {first} to {last}"
