"""What a user of 3D Slicer would pick instead, given the same clicks as the network.

Grow from seeds is Slicer's own filter (the package slicer-core); region growing and fast marching
are SimpleITK's. Each sees the cube of 128 voxels of 1.5 mm round the first click, on the volume's
own grid; a click outside it widens it to hold the cube round that click, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .clicks import Click, Mask, Voxel
from .errors import InputError
from .extras import how_to_get
from .geometry import Box, Patch, kji_to_ras, spacing_of

BALL_RADIUS = 2
"""Of the ball, in voxels, that a click marks."""

_OBJECT, _BACKGROUND = 1, 2
_ROUNDS = 4
_MULTIPLIERS = (2.5, 2.0, 1.5, 1.0, 0.5)
_EDGE_PERCENTILE, _EDGE_POWER, _LEAST_SPEED = 75, 2, 1e-3
_NEVER = float(np.finfo(np.float32).max)
_Floats = NDArray[np.float32]


class ClassicalTool:
    """One tool on one object at a time; a subclass turns the clicks so far into a mask."""

    name: str

    def start(
        self, volume_kji: NDArray[Any], ijk_to_ras: NDArray[np.float64], *, whole: bool = False
    ) -> None:
        """Begin with an object of a volume, without clicks; whole: to see all of it at once."""
        self._volume, self._ijk_to_ras, self._whole = volume_kji, ijk_to_ras, whole
        self._clicks: list[Click] = []
        self._box: Box | None = None

    def click(self, voxel_kji: Voxel, *, positive: bool) -> Mask:
        """Add a click and return the mask, of the volume's shape."""
        self._clicks.append(Click(voxel_kji, positive))
        if self._box is None or not _holds(self._box, voxel_kji):
            self._box = self._widened(voxel_kji)
            self._open(self._volume[self._box].astype(np.float32))
        clicks = [replace(c, voxel_kji=_inside(c.voxel_kji, self._box)) for c in self._clicks]
        mask = np.zeros(self._volume.shape, bool)
        mask[self._box] = self._segment(clicks)
        return mask

    def _widened(self, voxel_kji: Voxel) -> Box:
        if self._whole:
            k, j, i = (slice(0, length) for length in self._volume.shape)
            return k, j, i
        right, anterior, superior = kji_to_ras([voxel_kji], self._ijk_to_ras)[0].tolist()
        cube = Patch((right, anterior, superior)).box_in(self._volume.shape, self._ijk_to_ras)
        k, j, i = (
            slice(min(a.start, b.start), max(a.stop, b.stop))
            for a, b in zip(cube, self._box or cube, strict=True)
        )
        return k, j, i

    def _open(self, image: _Floats) -> None:
        """Prepare for a part of the volume; all clicks so far count anew."""
        raise NotImplementedError

    def _segment(self, clicks: Sequence[Click]) -> Mask:
        """Return the mask in that part, given all clicks so far, counted from its corner."""
        raise NotImplementedError


class GrowFromSeeds(ClassicalTool):
    """Slicer's Grow from seeds: a ball round each click, and the cube's six faces as background.

    The faces lie just outside the cube and the volume, with the intensities of their edge.

    Raises:
        InputError: slicer-core is not installed.
    """

    name = "grow-from-seeds"

    def __init__(self) -> None:
        self._filter_class = _grow_cut_class()

    def _open(self, image: _Floats) -> None:
        self._shape = image.shape
        # The filter never grows from the outermost layer, so there is one more round the faces.
        self._filter = self._filter_class()
        self._filter.SetIntensityVolume(_vtk_image(np.pad(image, 2, mode="edge")))

    def _segment(self, clicks: Sequence[Click]) -> Mask:
        from vtk.util.numpy_support import vtk_to_numpy

        seeds = np.pad(np.zeros(self._shape, np.uint8), 2, constant_values=_BACKGROUND)
        inner = seeds[2:-2, 2:-2, 2:-2]
        for click in clicks:
            draw_ball(inner, click.voxel_kji, _OBJECT if click.positive else _BACKGROUND)
        self._filter.SetSeedLabelVolume(_vtk_image(seeds))
        self._filter.Update()
        labels = vtk_to_numpy(self._filter.GetOutput().GetPointData().GetScalars())
        return np.asarray(labels.reshape(seeds.shape)[2:-2, 2:-2, 2:-2] == _OBJECT)


class RegionGrowing(ClassicalTool):
    """SimpleITK's confidence-connected region round the include clicks.

    Its band of intensities is as wide as the exclude clicks allow; what the narrowest still
    takes of them is cut out as a ball.
    """

    name = "region-growing"

    def _open(self, image: _Floats) -> None:
        self._image = sitk.GetImageFromArray(image)

    def _segment(self, clicks: Sequence[Click]) -> Mask:
        included = [click.voxel_kji for click in clicks if click.positive]
        excluded = [click.voxel_kji for click in clicks if not click.positive]
        grown = np.zeros(self._image.GetSize()[::-1], bool)
        for multiplier in _MULTIPLIERS if included else ():
            grown = self._grow(included, multiplier)
            if not any(grown[voxel] for voxel in excluded):
                return grown
        for voxel in excluded:
            draw_ball(grown, voxel, False)
        return grown

    def _grow(self, voxels: Sequence[Voxel], multiplier: float) -> Mask:
        seeds = [voxel[::-1] for voxel in voxels]
        grown = sitk.ConfidenceConnected(self._image, seeds, _ROUNDS, multiplier, BALL_RADIUS)
        return np.asarray(sitk.GetArrayFromImage(grown), bool)


class FastMarching(ClassicalTool):
    """SimpleITK's fast marching: a front from each click, slow across edges.

    A voxel belongs to the object if a front from an include click reaches it before any from an
    exclude click or from the cube's faces does.
    """

    name = "fast-marching"

    def _open(self, image: _Floats) -> None:
        i, j, k = spacing_of(self._ijk_to_ras).tolist()
        padded = np.pad(image, 1, mode="edge")
        faces = np.pad(np.zeros(image.shape, bool), 1, constant_values=True)
        self._speed = _speed(padded, (i, j, k))
        self._marched = 0
        self._arrival = {
            True: np.full(padded.shape, np.inf, np.float32),
            False: self._march(np.argwhere(faces), np.inf),
        }

    def _segment(self, clicks: Sequence[Click]) -> Mask:
        for click in clicks[self._marched :]:
            # A front later than every winner so far changes nothing: the march may stop there.
            latest = float(np.minimum(self._arrival[True], self._arrival[False]).max())
            arrival = self._arrival[click.positive]
            np.minimum(arrival, self._march(np.array([click.voxel_kji]) + 1, latest), out=arrival)
        self._marched = len(clicks)
        won = self._arrival[True] < self._arrival[False]
        return np.asarray(won[1:-1, 1:-1, 1:-1])

    def _march(self, starts_kji: NDArray[np.intp], latest: float) -> _Floats:
        fronts = sitk.FastMarchingImageFilter()
        fronts.SetTrialPoints(starts_kji[:, ::-1].tolist())
        if np.isfinite(latest):
            fronts.SetStoppingValue(latest)
        arrival = fronts.Execute(self._speed)  # kept: a view does not keep its image alive
        return np.asarray(np.minimum(sitk.GetArrayViewFromImage(arrival), _NEVER), np.float32)


TOOLS: dict[str, Callable[[], ClassicalTool]] = {
    tool.name: tool for tool in (GrowFromSeeds, RegionGrowing, FastMarching)
}


def draw_ball(
    array: NDArray[Any], centre_kji: Voxel, value: int, radius: int = BALL_RADIUS
) -> None:
    """Write a value into a ball of voxels, as far as it lies in the array."""
    reach = np.indices((2 * radius + 1,) * 3).reshape(3, -1).T - radius
    voxels = reach[(reach**2).sum(axis=1) <= radius**2] + centre_kji
    voxels = voxels[((voxels >= 0) & (voxels < array.shape)).all(axis=1)]
    array[tuple(voxels.T)] = value


def _speed(image: _Floats, spacing_ijk_mm: tuple[float, float, float]) -> Any:
    """Return the speed of a front, an image of SimpleITK's: 1 in flat parts, less on edges."""
    volume = sitk.GetImageFromArray(image)
    volume.SetSpacing(spacing_ijk_mm)
    edges = sitk.GradientMagnitude(sitk.DiscreteGaussian(volume, variance=1.0))
    strength = sitk.GetArrayViewFromImage(edges)
    scale = max(float(np.percentile(strength, _EDGE_PERCENTILE)), 1e-6)
    return 1 / (1 + (edges / scale) ** _EDGE_POWER) + _LEAST_SPEED


def _holds(box: Box, voxel: Voxel) -> bool:
    return all(part.start <= n < part.stop for part, n in zip(box, voxel, strict=True))


def _inside(voxel: Voxel, box: Box) -> Voxel:
    k, j, i = (n - part.start for n, part in zip(voxel, box, strict=True))
    return k, j, i


def _grow_cut_class() -> Any:
    try:
        import slicer
    except ImportError as error:
        raise InputError(
            f"Grow from seeds needs slicer-core, which cannot be imported ({error}); "
            f"run: {how_to_get('compare')}."
        ) from error
    return slicer.vtkImageGrowCutSegment


def _vtk_image(array_kji: NDArray[Any]) -> Any:
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    image = vtk.vtkImageData()
    image.SetDimensions(*array_kji.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array_kji).ravel(), deep=1))
    return image
