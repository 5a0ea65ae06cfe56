"""Where the cube that the network sees lies in the world, and the way there and back.

Arrays are indexed (k, j, i). An `ijk_to_ras` is a (4, 4) matrix that maps (i, j, k, 1), counted
from voxel centre to voxel centre, to mm in the world: right, anterior, superior.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .resample import resample

Box = tuple[slice, slice, slice]
"""Half-open part of a (k, j, i) grid, within it."""

Matrix = NDArray[np.float64]
Points = NDArray[np.float64]

_KJI = np.eye(4)[[2, 1, 0, 3]]


def kji_to_ras(points_kji: ArrayLike, ijk_to_ras: ArrayLike) -> Points:
    """Convert (N, 3) array indices (k, j, i), whole or not, to mm."""
    return _apply(_kji_to_ras(ijk_to_ras), points_kji)


def ras_to_kji(points_ras: ArrayLike, ijk_to_ras: ArrayLike) -> Points:
    """Convert (N, 3) points in mm to fractional array indices (k, j, i).

    Raises:
        InputError: the matrix cannot be inverted.
    """
    return _apply(_inverse(_kji_to_ras(ijk_to_ras)), points_ras)


def spacing_of(ijk_to_ras: ArrayLike) -> Points:
    """Measure the (3,) distances in mm between neighbours along i, j and k."""
    return np.asarray(np.linalg.norm(_affine(ijk_to_ras)[:3, :3], axis=0))


def box_shape(box: Box) -> tuple[int, int, int]:
    """Count the voxels of a box along k, j and i."""
    k, j, i = (part.stop - part.start for part in box)
    return k, j, i


def meet(first: Box, second: Box) -> Box:
    """Return the part that two boxes share; empty if there is none."""
    starts = [max(a.start, b.start) for a, b in zip(first, second, strict=True)]
    stops = [min(a.stop, b.stop) for a, b in zip(first, second, strict=True)]
    k, j, i = (slice(a, max(a, b)) for a, b in zip(starts, stops, strict=True))
    return k, j, i


@dataclass(frozen=True)
class Patch:
    """A cube in the world whose array axes point right, anterior, superior: patch[r, a, s].

    Voxel p (whole numbers are centres) lies at centre_ras + (p - (size - 1) / 2) * spacing_mm.
    """

    centre_ras: tuple[float, float, float]
    spacing_mm: float = 1.5
    size: int = 128

    def __post_init__(self) -> None:
        if not (self.size > 0 and self.spacing_mm > 0 and isfinite(self.spacing_mm)):
            raise InputError(
                f"A patch of {self.size} voxels of {self.spacing_mm} mm holds nothing; "
                "give a positive size and spacing."
            )
        if len(self.centre_ras) != 3 or not all(map(isfinite, self.centre_ras)):
            raise InputError(
                f"Got {self.centre_ras} as a patch's centre; give three finite numbers of mm."
            )

    def to_patch(self, points_ras: ArrayLike) -> Points:
        """Convert (N, 3) points in mm to patch voxels, in the order R, A, S."""
        return _apply(_inverse(self._to_ras), points_ras)

    def to_ras(self, points: ArrayLike) -> Points:
        """Convert (N, 3) patch voxels to points in mm."""
        return _apply(self._to_ras, points)

    def contains(self, points_ras: ArrayLike, margin_mm: float = 0.0) -> NDArray[np.bool_]:
        """Tell for each of (N, 3) points in mm if the cube holds it, `margin_mm` from its faces."""
        reach = self.size * self.spacing_mm / 2 - margin_mm
        away = np.abs(np.asarray(points_ras, float) - self.centre_ras)
        return np.asarray((away <= reach).all(axis=-1))

    def box_in(self, shape_kji: Iterable[int], ijk_to_ras: ArrayLike) -> Box:
        """Return the part of a volume's grid that the cube may touch; empty if it touches none."""
        return self._box(shape_kji, self._to_kji(ijk_to_ras), np.zeros(3))

    def sample(
        self,
        volume_kji: NDArray[Any],
        ijk_to_ras: ArrayLike,
        *,
        outside: float | None = None,
    ) -> NDArray[np.float32]:
        """Resample the cube, and no more, from a volume with any affine.

        Linearly, and averaged first along the axes of the volume that are finer than the patch.

        Args:
            volume_kji: 3D array, memory-mapped or not.
            ijk_to_ras: of that volume.
            outside: value beyond the volume. None: the least value of the part that was read.

        Returns:
            (size, size, size) values in the order R, A, S.

        Raises:
            InputError: no 3D array, or an affine that cannot be inverted.
        """
        box, matrix, spans = self.reading(volume_kji.shape, ijk_to_ras)
        part = volume_kji[box]
        if outside is None:
            outside = float(part.min()) if part.size else 0.0
        return resample(part, matrix, (self.size,) * 3, spans=spans, outside=outside)

    def reading(
        self, shape_kji: Sequence[int], ijk_to_ras: ArrayLike
    ) -> tuple[Box, Matrix, list[float]]:
        """Tell what `sample` reads of a volume.

        Returns:
            The part of the volume, the way from patch voxels to indices of that part, and how many
            of its voxels a patch voxel covers along k, j and i.

        Raises:
            InputError: no 3D array, or an affine that cannot be inverted.
        """
        if len(shape_kji) != 3:
            raise InputError(
                f"Got an array of shape {shape_kji}; expected one 3D volume (k, j, i)."
            )
        matrix = self._to_kji(ijk_to_ras)
        spans = np.maximum(self.spacing_mm / spacing_of(ijk_to_ras)[::-1], 1)
        box = self._box(shape_kji, matrix, 3 * spans + 1)
        return box, _shift([-part.start for part in box]) @ matrix, spans.tolist()

    def paste(
        self,
        grid: NDArray[np.float32],
        shape_kji: Iterable[int],
        ijk_to_ras: ArrayLike,
        *,
        within: Box | None = None,
    ) -> tuple[Box, NDArray[np.float32]]:
        """Interpolate values on the patch's cells at the voxel centres of a volume.

        Args:
            grid: (m, m, m) in the order R, A, S; its cells divide the cube evenly. Beyond the
                outermost centres their values hold.
            shape_kji: of the volume.
            ijk_to_ras: of the volume.
            within: compute no more than this part of the volume.

        Returns:
            The part of the volume that the cube may touch (and `within`), and its values there,
            -inf in voxels whose centre the cube does not hold.
        """
        box, matrix = self.pasting(grid.shape, shape_kji, ijk_to_ras, within=within)
        return box, resample(grid, matrix, box_shape(box), outside=-np.inf)

    def pasting(
        self,
        cells: Sequence[int],
        shape_kji: Iterable[int],
        ijk_to_ras: ArrayLike,
        *,
        within: Box | None = None,
    ) -> tuple[Box, Matrix]:
        """Tell where `paste` writes: a part of the volume, and the way from it to (3,) cells."""
        matrix = self._to_kji(ijk_to_ras)
        box = self._box(shape_kji, matrix, np.zeros(3))
        if within is not None:
            box = meet(box, within)
        scale = np.divide(cells, self.size)
        to_cells = np.diag([*scale, 1.0])
        to_cells[:3, 3] = (scale - 1) / 2
        return box, to_cells @ _inverse(matrix) @ _shift([part.start for part in box])

    @property
    def _to_ras(self) -> Matrix:
        matrix = np.diag([self.spacing_mm] * 3 + [1.0])
        matrix[:3, 3] = np.asarray(self.centre_ras) - (self.size - 1) / 2 * self.spacing_mm
        return matrix

    def _to_kji(self, ijk_to_ras: ArrayLike) -> Matrix:
        return np.asarray(_inverse(_kji_to_ras(ijk_to_ras)) @ self._to_ras)

    def _box(self, shape_kji: Iterable[int], to_kji: Matrix, margin_kji: Points) -> Box:
        corners = np.indices((2, 2, 2)).reshape(3, 8).T * self.size - 0.5
        reached = _apply(to_kji, corners)
        start = np.floor(reached.min(0) - margin_kji + 0.5)
        stop = np.floor(reached.max(0) + margin_kji + 0.5) + 1
        limit = np.asarray(tuple(shape_kji))
        k, j, i = (
            slice(int(a), int(max(a, b)))
            for a, b in zip(np.clip(start, 0, limit), np.clip(stop, 0, limit), strict=True)
        )
        return k, j, i


def _apply(matrix: Matrix, points: ArrayLike) -> Points:
    return np.asarray(points, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def _inverse(matrix: Matrix) -> Matrix:
    return np.linalg.inv(matrix).astype(np.float64)


def _shift(offset: Iterable[int]) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, 3] = tuple(offset)
    return matrix


def _kji_to_ras(ijk_to_ras: ArrayLike) -> Matrix:
    return np.asarray(_affine(ijk_to_ras) @ _KJI)


def _affine(ijk_to_ras: ArrayLike) -> Matrix:
    matrix = np.asarray(ijk_to_ras, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise InputError(
            f"Got an ijk_to_ras of shape {matrix.shape}; expected 4 x 4 finite numbers."
        )
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if abs(np.linalg.det(matrix[:3, :3])) <= 1e-6 * lengths.prod():
        raise InputError(
            f"The volume's axes span no space (ijk_to_ras {matrix[:3, :3].tolist()}); "
            "repair the image's directions and spacing."
        )
    return matrix
