"""An image and its labels brought to cubic voxels together, on one grid."""

from typing import Any, Literal, get_args

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .errors import InputError
from .images import Volume
from .masks import place

Interpolation = Literal["linear", "bspline"]
INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)

MOST_VOXELS = 1 << 30

_INTERPOLATORS = {"linear": sitk.sitkLinear, "bspline": sitk.sitkBSpline}
_KEPT_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4")
_ROUNDING = 1e-6
_FEWEST_SLICES = 2


class Grid:
    """Cubic voxels over the whole of a volume, along its axes and round its centre.

    No voxel's centre lies beyond the volume, so nothing has to be made up.

    Args:
        volume: whose grid is replaced.
        spacing_mm: between voxels.

    Raises:
        InputError: there would be more voxels than can be handled.
    """

    def __init__(self, volume: Volume, spacing_mm: float) -> None:
        image = _image(volume.array_kji, volume)
        extent = np.multiply(image.GetSize(), image.GetSpacing())
        voxels = np.maximum(np.ceil(extent / spacing_mm - _ROUNDING), 1)
        if not np.isfinite(voxels).all() or voxels.prod() > MOST_VOXELS:
            shown = " x ".join(f"{mm:.4g}" for mm in extent)
            raise InputError(
                f"{volume.name} extends over {shown} mm, too much for voxels of {spacing_mm:g} mm; "
                "correct its spacing."
            )
        self.size = [int(count) for count in voxels]
        self.spacing = [float(spacing_mm)] * 3
        self.direction = image.GetDirection()
        middle = image.TransformContinuousIndexToPhysicalPoint(
            [(count - 1) / 2 for count in image.GetSize()]
        )
        reach = np.reshape(self.direction, (3, 3)) @ ((voxels - 1) / 2 * spacing_mm)
        self.origin = (np.array(middle) - reach).tolist()

    def resample(self, image: Any, interpolator: int, outside: float) -> Any:
        """Interpolate an image of SimpleITK at these voxels."""
        return sitk.Resample(
            image, self.size, sitk.Transform(), interpolator, self.origin, self.spacing,
            self.direction, outside,
        )  # fmt: skip


def resample_image(volume: Volume, grid: Grid, interpolation: str = "linear") -> Any:
    """Bring a scan to a grid, as an image of SimpleITK; its type stays unless it is a rare one."""
    array = volume.array_kji
    if array.dtype.str[1:] not in _KEPT_TYPES:
        array = array.astype(np.float32)
    image = _image(array, volume)
    return grid.resample(image, _INTERPOLATORS[interpolation], float(array.min()))


def resample_labels(labels_kji: NDArray[np.uint16], volume: Volume, grid: Grid) -> Any:
    """Bring the label map of a scan to a grid, by nearest neighbour."""
    return grid.resample(_image(labels_kji, volume), sitk.sitkNearestNeighbor, 0)


def round_trip(labels_kji: NDArray[np.uint16], volume: Volume, resampled: Any) -> dict[int, float]:
    """Bring resampled labels back to their scan's grid; return the Dice of each value there."""
    reference = _image(labels_kji, volume)
    back = sitk.GetArrayFromImage(
        sitk.Resample(resampled, reference, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    )
    before, after = counts_of(labels_kji), counts_of(back)
    shared = counts_of(labels_kji[labels_kji == back])
    return {
        value: 2 * shared.get(value, 0) / (count + after.get(value, 0))
        for value, count in before.items()
    }


def unreadable(image: Any) -> str | None:
    """Say why no command would read a resampled image of SimpleITK as a scan; None if it would."""
    spacing = image.GetSpacing()[2]
    if image.GetSize()[2] < _FEWEST_SLICES:
        return f"too thin: a single slice is left at {spacing:g} mm, and a volume has several"
    array = sitk.GetArrayViewFromImage(image)
    low, high = float(array.min()), float(array.max())
    if low == high or not np.isfinite([low, high]).all():
        return f"at {spacing:g} mm all voxels are equal, or some are NaN or infinite"
    return None


def counts_of(labels: NDArray[Any]) -> dict[int, int]:
    """Count the voxels of each value above 0."""
    counts = np.bincount(labels[labels > 0])
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}


def same_place(first: Any, second: Any) -> bool:
    """Tell whether two images of SimpleITK have exactly the same voxels."""
    return all(
        getattr(first, what)() == getattr(second, what)()
        for what in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection")
    )


def _image(array_kji: NDArray[Any], volume: Volume) -> Any:
    image = sitk.GetImageFromArray(array_kji)
    place(image, volume.ijk_to_ras)
    return image
