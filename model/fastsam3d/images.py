"""Volumes from files: NIfTI, NRRD, MetaImage, DICOM; and what is no volume, refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from . import nifti
from .dicom import read_series
from .errors import InputError
from .masks import LPS_TO_RAS, write_mask

__all__ = ["Volume", "read_grid", "read_labels", "read_volume", "write_mask"]

_WHOLE = 1e-3
"""How far from a whole number a label may be."""


@dataclass(frozen=True, eq=False)
class Volume:
    """A scan and where it lies in the world."""

    array_kji: NDArray[Any]
    ijk_to_ras: NDArray[np.float64]
    name: str
    notes: tuple[str, ...] = ()
    """What the user should know of how it was read."""

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return abs(float(np.linalg.det(self.ijk_to_ras[:3, :3]))) / 1000


def read_volume(path: str | Path, series: str | None = None) -> Volume:
    """Read a scan.

    Args:
        path: NIfTI, NRRD, MetaImage or another file that ITK knows, or a folder of DICOM files.
        series: number or UID of a DICOM series, where the folder holds several.

    Raises:
        InputError: no such file, no image, two-dimensional, several frames, colours, voxels that
            are no numbers, or all voxels equal.
    """
    volume = _read(Path(path), series)
    low, high = float(volume.array_kji.min()), float(volume.array_kji.max())
    if not np.isfinite([low, high]).all():
        count = int((~np.isfinite(volume.array_kji)).sum())
        raise InputError(
            f"{volume.name} has {count} NaN or infinite voxels; replace them by a number "
            "(such as that of air) and try again."
        )
    if low == high:
        raise InputError(
            f"{volume.name} is constant: every voxel is {low:g}; give a scan with something in it."
        )
    return volume


def read_labels(path: str | Path) -> Volume:
    """Read a label map, which may be empty.

    Raises:
        InputError: as for `read_volume`, or values that are no whole numbers.
    """
    volume = _read(Path(path), None)
    array = volume.array_kji
    if array.dtype.kind not in "fiu" or not np.isfinite([array.min(), array.max()]).all():
        raise InputError(f"{volume.name} holds NaN or infinity; expected whole-number labels.")
    if array.dtype.kind == "f":
        array = _whole(array, volume.name)
    return Volume(array.astype(np.int32), volume.ijk_to_ras, volume.name, volume.notes)


def read_grid(path: str | Path) -> Volume:
    """Read where the voxels of a scan or label map lie, and none of them: they come as zeros.

    Raises:
        InputError: it is no volume.
    """
    path = Path(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with _quiet():
            reader.ReadImageInformation()
    except RuntimeError:  # a folder, axes that are not quite at right angles, or no image
        volume = _read(path, None)
        shape, ijk_to_ras = volume.array_kji.shape, volume.ijk_to_ras
    else:
        _check_form(reader, path.name)
        shape, ijk_to_ras = reader.GetSize()[2::-1], _ijk_to_ras(reader)
    return Volume(np.broadcast_to(np.uint8(0), shape), ijk_to_ras, path.name)


def _whole(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Round what is whole but for its type; refuse an image, or labels that were interpolated."""
    whole: NDArray[Any] = np.rint(array)
    off = np.abs(array - whole)
    if off.max() > _WHOLE:
        example = float(array.flat[int(off.argmax())])
        raise InputError(
            f"{name} holds values such as {example:.4g} between whole numbers; labels were "
            "interpolated, or it is no label map: resample labels by nearest neighbour."
        )
    return whole


def _read(path: Path, series: str | None) -> Volume:
    if not path.exists():
        raise InputError(f"There is no file or folder {path}; check its path.")
    notes: tuple[str, ...] = ()
    with _quiet():
        if path.is_dir():
            image = read_series(path, series)
            _check_form(image, path.name)
        else:
            image, notes = _read_file(path)
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    array = sitk.GetArrayFromImage(image)
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
    return Volume(array, _ijk_to_ras(image), path.name, notes)


def _read_file(path: Path) -> tuple[Any, tuple[str, ...]]:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_form(reader, path.name)
        if nifti.is_nifti(path):
            nifti.check_complete(path)
            nifti.check_finite(path)
        return reader.Execute(), ()
    except RuntimeError as error:
        if "orthonormal" in str(error) and nifti.is_nifti(path):
            return _read_sheared(path)
        raise InputError(
            f"{path.name} is not an image that can be read, or is damaged; expected NIfTI, NRRD, "
            "MetaImage, or a folder with a DICOM series."
        ) from error


def _read_sheared(path: Path) -> tuple[Any, tuple[str, ...]]:
    nifti.check_complete(path)
    nifti.check_finite(path)
    with nifti.permissive():
        try:
            image = sitk.ReadImage(str(path))
        except RuntimeError as error:
            raise _sheared(path, "") from error
    _check_form(image, path.name)
    corners = np.indices((2, 2, 2)).reshape(3, 8).T * (np.array(image.GetSize()[:3]) - 1)
    homogeneous = np.column_stack([corners, np.ones(8)])
    moved = homogeneous @ (nifti.sform(path) - _ijk_to_ras(image)).T
    off_mm = float(np.linalg.norm(moved, axis=1).max())
    if off_mm > 0.5 * min(image.GetSpacing()[:3]):
        raise _sheared(path, f" by up to {off_mm:.1f} mm")
    note = (
        f"{path.name}: its axes are not quite at right angles; taken as if ({off_mm:.2f} mm off)."
    )
    return image, (note,)


def _sheared(path: Path, amount: str) -> InputError:
    return InputError(
        f"The axes of {path.name} are sheared{amount}; resample it to axes at right angles first."
    )


def _check_form(image: Any, name: str) -> None:
    """Refuse what is no single grey volume; `image` is an image or a reader that knows its form."""
    size = tuple(image.GetSize())
    shown = " x ".join(map(str, size))
    components = _components(image)
    if len(size) < 3 or size[2] < 2:
        raise InputError(f"{name} is a 2D image ({shown}); expected a volume of several slices.")
    if components != 1 or "complex" in sitk.GetPixelIDValueAsString(image.GetPixelID()):
        raise InputError(
            f"{name} has {components} values a voxel (colours or vectors); expected grey values: "
            "convert it to one channel first."
        )
    if len(size) > 3 and any(length > 1 for length in size[3:]):
        raise InputError(
            f"{name} has several frames ({shown}); expected one: extract the frame to segment."
        )


def _components(image: Any) -> int:
    if isinstance(image, sitk.Image):
        return int(image.GetNumberOfComponentsPerPixel())
    return int(image.GetNumberOfComponents())


def _ijk_to_ras(image: Any) -> NDArray[np.float64]:
    """Return the matrix of the first three axes; `image` is an image or a reader."""
    axes = image.GetDimension()
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (axes, axes))[:3, :3] * image.GetSpacing()[:3]
    matrix[:3, 3] = image.GetOrigin()[:3]
    return np.asarray(LPS_TO_RAS @ matrix)


@contextmanager
def _quiet() -> Iterator[None]:
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
