"""What the published protocol shows of an object: a cube round the middle of its true mask.

Used by that protocol alone: a user has no true mask to centre on.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..canonical import nearest_axes
from ..clicks import bounding_box
from ..dataset_resample import Grid, resample_image, resample_labels
from ..geometry import spacing_of
from ..images import Volume
from ..manifest import Object
from ..metrics import Truth
from ..plan import Scan

SPACING_MM = 1.5
SIZE = 128
_ALIKE_MM = 1e-3
_AFFINE = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])


@dataclass(frozen=True, eq=False)
class Crop:
    """128³ voxels of 1.5 mm, (k, j, i), whose axes run to the top, the front and the right.

    image_kji: raw intensities, float32; 0 beyond the scan. truth: of the object, in the cube.
    """

    image_kji: NDArray[np.float32]
    truth: Truth

    @property
    def ijk_to_ras(self) -> NDArray[np.float64]:
        """Return the (4, 4) matrix of a volume such as this one; where it lies is not kept."""
        return _AFFINE


@lru_cache(maxsize=1)
def crop_of(scan: Scan, label: Object) -> Crop:
    """Cut out the cube round an object; the same for all who ask one after the other.

    The scan is first brought to voxels of 1.5 mm, linearly, and its labels by nearest neighbour,
    unless it has them; then turned, by whole axes.

    Raises:
        ValueError: the object has no voxel left.
    """
    mask_kji = _turned(_labels_at(scan, scan.truth(label).mask), scan)
    box = bounding_box(mask_kji)
    if box is None:
        raise ValueError(f"no voxel of {label.value} is left at {SPACING_MM} mm")
    starts = [(part.start + part.stop) // 2 - SIZE // 2 for part in box]
    image = cut(_turned(_image_at(scan), scan), starts).astype(np.float32)
    return Crop(image, Truth(cut(mask_kji, starts), (SPACING_MM,) * 3))


def cut(array: NDArray[Any], starts: list[int], size: int = SIZE) -> NDArray[Any]:
    """Cut a cube out of an array; what lies beyond is 0."""
    whole = np.zeros((size,) * array.ndim, array.dtype)
    spans = [
        (max(start, 0), min(start + size, length), start)
        for start, length in zip(starts, array.shape, strict=True)
    ]
    there = tuple(slice(low - start, high - start) for low, high, start in spans)
    whole[there] = array[tuple(slice(low, high) for low, high, _ in spans)]
    return whole


@lru_cache(maxsize=1)
def _image_at(scan: Scan) -> NDArray[Any]:
    volume = _volume(scan)
    if _is_fine(scan):
        return volume.array_kji
    image = resample_image(volume, Grid(volume, SPACING_MM))
    return np.asarray(sitk.GetArrayFromImage(image))


def _labels_at(scan: Scan, mask_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if _is_fine(scan):
        return mask_kji
    volume = _volume(scan)
    labels = resample_labels(mask_kji.astype(np.uint16), volume, Grid(volume, SPACING_MM))
    return np.asarray(sitk.GetArrayFromImage(labels)) > 0


def _turned(array_kji: NDArray[Any], scan: Scan) -> NDArray[Any]:
    axes, signs = nearest_axes(scan.ijk_to_ras)
    turned = array_kji.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
    return turned.transpose(2, 1, 0)  # R, A, S -> k, j, i


def _is_fine(scan: Scan) -> bool:
    return bool(np.abs(spacing_of(scan.ijk_to_ras) - SPACING_MM).max() < _ALIKE_MM)


def _volume(scan: Scan) -> Volume:
    return Volume(scan.volume_kji, scan.ijk_to_ras, scan.case)
