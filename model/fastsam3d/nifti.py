"""What ITK does not check or accept of a NIfTI file: its completeness, its sheared axes."""

import gzip
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

_CHUNK = 1 << 22


def is_nifti(path: Path) -> bool:
    """Tell by its name whether a file is a NIfTI image in one piece."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def check_complete(path: Path) -> None:
    """Refuse a NIfTI-1 file that ends before its last voxel; ITK would read zeros.

    A compressed file whose trailer states the right length is taken at its word, others are
    unpacked.

    Raises:
        InputError: the file is cut short.
    """
    header = _header(path)
    if len(header) < 348 or _order(header) is None:
        return
    expected = _expected_bytes(header)
    if path.suffix.lower() != ".gz":
        found = path.stat().st_size
    elif _stated_bytes(path) == expected % 2**32:
        return
    else:
        found = _unpacked_bytes(path, expected)
    if found < expected:
        raise InputError(
            f"{path.name} is cut short: its header promises {expected} bytes and it holds fewer; "
            "copy or download it again."
        )


def check_finite(path: Path) -> None:
    """Refuse a NIfTI-1 file of floats with NaN or infinity among them; ITK would read zeros.

    Raises:
        InputError: there are such voxels.
    """
    header = _header(path)
    order = _order(header) if len(header) >= 348 else None
    if order is None:
        return
    kind = {16: "f4", 64: "f8"}.get(struct.unpack_from(f"{order}h", header, 70)[0])
    if kind is None:
        return
    (offset,) = struct.unpack_from(f"{order}f", header, 108)
    bad = 0
    with _open(path) as file:
        file.seek(int(offset))
        while chunk := file.read(_CHUNK):
            whole = len(chunk) - len(chunk) % 8
            bad += int((~np.isfinite(np.frombuffer(chunk[:whole], order + kind))).sum())
    if bad:
        raise InputError(
            f"{path.name} has {bad} NaN or infinite voxels; replace them by a number "
            "(such as that of air) and try again."
        )


def sform(path: Path) -> NDArray[np.float64]:
    """Read the (4, 4) matrix from (i, j, k, 1) to mm in RAS that a NIfTI-1 header states."""
    header = _header(path)
    rows = struct.unpack_from(f"{_order(header) or '<'}12f", header, 280)
    return np.vstack([np.reshape(rows, (3, 4)), [0, 0, 0, 1]]).astype(np.float64)


@contextmanager
def permissive() -> Iterator[None]:
    """Let ITK read sheared axes; it takes the nearest orthogonal ones."""
    name = "ITK_NIFTI_SFORM_PERMISSIVE"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _open(path: Path) -> BinaryIO:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _header(path: Path) -> bytes:
    try:
        with _open(path) as file:
            return file.read(352)
    except (OSError, EOFError):
        return b""


def _order(header: bytes) -> str | None:
    return next((o for o in "<>" if struct.unpack_from(f"{o}i", header)[0] == 348), None)


def _expected_bytes(header: bytes) -> int:
    order = _order(header)
    rank, *sizes = struct.unpack_from(f"{order}8h", header, 40)
    (bits,) = struct.unpack_from(f"{order}h", header, 72)
    (offset,) = struct.unpack_from(f"{order}f", header, 108)
    voxels = np.prod([max(size, 1) for size in sizes[:rank]], dtype=np.int64)
    return int(offset) + int(voxels) * int(bits) // 8


def _stated_bytes(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        return int(struct.unpack("<I", file.read(4))[0])


def _unpacked_bytes(path: Path, enough: int) -> int:
    found = 0
    try:
        with _open(path) as file:
            while found < enough and (chunk := file.read(_CHUNK)):
                found += len(chunk)
    except (OSError, EOFError):
        pass
    return found
