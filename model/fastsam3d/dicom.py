"""A DICOM series in a folder: which there are, and one of them as an image."""

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from .errors import InputError


def read_series(folder: Path, series: str | None) -> Any:
    """Read a series of a folder as a SimpleITK image.

    Args:
        folder: whose own files (not those of its subfolders) are looked at.
        series: its UID or its number, from 1; None where there is only one.

    Raises:
        InputError: no series, several and none chosen, or slices that make no regular grid.
    """
    uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not uids:
        raise InputError(
            f"Folder {folder} holds no DICOM series; give an image file, or the folder in which "
            "the DICOM files themselves lie."
        )
    files = _files(folder, _choose(folder, uids, series))
    try:
        return sitk.ReadImage(files[0]) if len(files) == 1 else _stack(files, folder)
    except RuntimeError as error:
        raise InputError(
            f"The DICOM series in {folder} cannot be read as one volume; remove scouts and "
            "damaged files from the folder, or convert it to NIfTI first."
        ) from error


def _files(folder: Path, uid: str) -> tuple[str, ...]:
    return tuple(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid))


def _choose(folder: Path, uids: tuple[str, ...], series: str | None) -> str:
    if series is None and len(uids) == 1:
        return uids[0]
    if series in uids:
        return str(series)
    if series is not None and series.isdecimal() and 1 <= int(series) <= len(uids):
        return uids[int(series) - 1]
    listing = "; ".join(f"{n} = {_describe(folder, uid)}" for n, uid in enumerate(uids, start=1))
    missing = "" if series is None else f" but no {series!r}"
    raise InputError(
        f"Folder {folder} holds {len(uids)} DICOM series{missing}; choose one with --series NUMBER "
        f"or --series UID: {listing}."
    )


def _describe(folder: Path, uid: str) -> str:
    files = _files(folder, uid)
    reader = sitk.ImageFileReader()
    reader.SetFileName(files[0])
    reader.ReadImageInformation()
    tags = [_tag(reader, key) for key in ("0008|0060", "0008|103e")]
    return ", ".join([*filter(None, tags), f"{len(files)} files", uid])


def _tag(source: Any, key: str) -> str:
    return source.GetMetaData(key).strip("\0 ") if source.HasMetaDataKey(key) else ""


def _stack(files: tuple[str, ...], folder: Path) -> Any:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    reader.MetaDataDictionaryArrayUpdateOn()
    image = reader.Execute()
    found = [place for k in range(len(files)) if (place := _position(reader, k)) is not None]
    expected = [image.TransformIndexToPhysicalPoint((0, 0, k)) for k in range(len(files))]
    if len(found) < len(files):
        return image
    if len(set(found)) < len(found):
        raise InputError(
            f"The DICOM series in {folder} has several frames: {len(found)} files at "
            f"{len(set(found))} positions; leave one frame's files in a folder of their own."
        )
    off_mm = float(np.linalg.norm(np.subtract(found, expected), axis=1).max())
    if off_mm > 0.5 * min(image.GetSpacing()):
        raise InputError(
            f"The slices of the DICOM series in {folder} lie up to {off_mm:.1f} mm off a regular "
            "grid (slices missing, or a tilted gantry); complete the series or resample it first."
        )
    return image


def _position(reader: Any, k: int) -> tuple[float, ...] | None:
    key = "0020|0032"
    if not reader.HasMetaDataKey(k, key):
        return None
    return tuple(float(part) for part in reader.GetMetaData(k, key).split("\\"))
