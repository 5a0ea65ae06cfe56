"""Values of one grid at the voxels of another: trilinear, antialiased, any affine.

Where the axes of the two grids are parallel, each axis is resampled by itself with a few weights
a voxel. The weights are sparse: faster here than dense products, and no threads that spin.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .trilinear import interpolate

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Shape = tuple[int, int, int]
Weights: TypeAlias = "sparse.csr_array[np.float32, tuple[int, int]]"

_EDGE = 0.5 + 1e-6
_SLANT_VOXELS = 1e-3
_SLAB_VOXELS = 1 << 21


def resample(
    source: NDArray[Any],
    matrix: Doubles,
    shape: Shape,
    *,
    spans: Sequence[float] = (1, 1, 1),
    outside: float = 0.0,
) -> Floats:
    """Interpolate an array at the places that a grid of output voxels maps to.

    Args:
        source: 3D array. Its values hold up to half a voxel beyond the outermost centres.
        matrix: (4, 4); maps an output index to an index of `source`, voxel centres to centres.
        shape: of the output.
        spans: for each axis of `source`, how many of its voxels an output voxel covers; where
            that is more than one they are averaged first.
        outside: value of the voxels that lie farther out than half a voxel of `source`.
    """
    if 0 in source.shape or 0 in shape:
        return np.full(shape, outside, np.float32)
    matrix = without_slants(matrix, shape)
    method = resample_parallel if is_parallel(matrix) else resample_oblique
    return method(source, matrix, shape, spans, outside)


def is_parallel(matrix: Doubles) -> bool:
    """Tell whether a (4, 4) matrix maps each axis onto an axis, in any order and direction."""
    return bool((np.count_nonzero(matrix[:3, :3], axis=1) == 1).all())


@lru_cache(maxsize=32)
def averages(length: int, span: float) -> tuple[Weights, int]:
    """Weights that average `length` voxels to about the resolution they will be sampled at.

    Bins of floor(span) voxels first; then, for the rest, a triangle over neighbouring bins.

    Returns:
        (bins, length) weights, each row with the sum 1; and the number of voxels to a bin.
    """
    step = max(1, int(span + 1e-6))
    bins = -(-length // step)
    starts = np.minimum(np.arange(bins + 1) * step, length)
    binned = sparse.csr_array((np.ones(length), np.arange(length), starts), shape=(bins, length))
    beside = sparse.eye_array(bins, k=1) + sparse.eye_array(bins, k=-1)
    spread = sparse.eye_array(bins) + max(0.0, 1 - step / span) * beside
    return _rows_to_one(_rows_to_one(spread) @ _rows_to_one(binned)), step


class Lines(NamedTuple):
    """Where the voxels of an output lie along each axis of a source, if axes are parallel.

    axes: for each axis of the source, the one of the output that runs along it.
    places: for each axis of the source, indices along it.
    beyond: the two ends of each of those, maybe empty, that lie outside the source.
    """

    axes: NDArray[np.intp]
    places: list[Doubles]
    beyond: list[tuple[slice, slice]]


def lines_of(matrix: Doubles, shape: Shape, lengths: Sequence[int]) -> Lines:
    """Follow the axes of a source of some lengths; `matrix` as of `resample`, and parallel."""
    axes = np.abs(matrix[:3, :3]).argmax(1)
    places = [
        row[axis] * np.arange(shape[axis]) + row[3]
        for row, axis in zip(matrix[:3], axes, strict=True)
    ]
    beyond = [_ends(place, length) for place, length in zip(places, lengths, strict=True)]
    return Lines(axes, places, beyond)


def _ends(place: Doubles, length: int) -> tuple[slice, slice]:
    held = np.flatnonzero((place >= -_EDGE) & (place <= length - 1 + _EDGE))
    start, stop = (held[0], held[-1] + 1) if len(held) else (0, 0)
    return slice(0, int(start)), slice(int(stop), len(place))


def without_slants(matrix: Doubles, shape: Shape) -> Doubles:
    """Drop what moves no voxel by a thousandth of a voxel: rounding in the affine."""
    kept = matrix.copy()
    kept[:3, :3][np.abs(matrix[:3, :3]) * shape < _SLANT_VOXELS] = 0
    return kept


def resample_parallel(
    source: NDArray[Any], matrix: Doubles, shape: Shape, spans: Sequence[float], outside: float
) -> Floats:
    """Interpolate axis by axis: for a matrix that `is_parallel`; arguments as of `resample`."""
    axes, lines, beyond = lines_of(matrix, shape, source.shape)
    if max(spans) <= 1:
        starts, source = _needed(source, lines)
        lines = [line - start for line, start in zip(lines, starts, strict=True)]
    weights = [
        averaged(line, length, span)
        for line, length, span in zip(lines, source.shape, spans, strict=True)
    ]
    turn = np.argsort(axes)
    if source.size < np.prod(shape):  # the smaller of the two is the cheaper to transpose
        values = _weigh(source.transpose(turn), [weights[axis] for axis in turn])
    else:
        values = np.ascontiguousarray(_weigh(source, weights).transpose(turn))
    for ends, axis in zip(beyond, axes, strict=True):
        for end in ends:
            np.moveaxis(values, axis, 0)[end] = outside
    return values


def resample_oblique(
    source: NDArray[Any], matrix: Doubles, shape: Shape, spans: Sequence[float], outside: float
) -> Floats:
    """Interpolate voxel by voxel: for any matrix; arguments as of `resample`."""
    weights, matrix, limits = coarsened(matrix, source.shape, spans)
    if weights:
        source = _weigh(source, weights)
    return interpolate(source.astype(np.float32, copy=False), matrix, shape, limits, outside)


def coarsened(
    matrix: Doubles, lengths: Sequence[int], spans: Sequence[float]
) -> tuple[list[Weights], Doubles, list[tuple[float, float]]]:
    """Say how to average a source before it is interpolated voxel by voxel.

    Returns:
        Weights along each axis, none if there is nothing to average; `matrix`, as of `resample`,
        for what they leave; and the least and the greatest index there that lie inside.
    """
    limits = [(-_EDGE, length - 1 + _EDGE) for length in lengths]
    if max(spans) <= 1:
        return [], matrix, limits
    reductions = [averages(n, span) for n, span in zip(lengths, spans, strict=True)]
    steps = np.array([step for _, step in reductions])
    middles = (steps - 1) / 2
    matrix = matrix.copy()
    matrix[:3, 3] -= middles
    matrix[:3] /= steps[:, None]
    limits = [
        ((low - middle) / step, (high - middle) / step)
        for (low, high), middle, step in zip(limits, middles, steps, strict=True)
    ]
    return [weights for weights, _ in reductions], matrix, limits


def _needed(source: NDArray[Any], lines: Sequence[Doubles]) -> tuple[list[int], NDArray[Any]]:
    """Cut out what lines of indices lead to; return where it starts, and it."""
    lasts = [length - 1 for length in source.shape]
    starts = [
        int(np.clip(np.floor(line.min()), 0, last)) for line, last in zip(lines, lasts, strict=True)
    ]
    stops = [
        int(np.clip(np.ceil(line.max()), 0, last)) + 1
        for line, last in zip(lines, lasts, strict=True)
    ]
    k, j, i = (slice(start, stop) for start, stop in zip(starts, stops, strict=True))
    return starts, source[k, j, i]


def _linear(line: Doubles, length: int) -> Weights:
    line = line.clip(0, length - 1)
    low = line.astype(int)
    upper = line - low
    taps = np.stack([low, np.minimum(low + 1, length - 1)], 1)
    return _sparse(np.stack([1 - upper, upper], 1), taps, length)


def averaged(line: Doubles, length: int, span: float) -> Weights:
    """Return (n, length) weights of the voxels that each of n indices along an axis averages."""
    if span <= 1:
        return _linear(line, length)
    reduction, step = averages(length, span)
    return _linear((line - (step - 1) / 2) / step, reduction.shape[0]) @ reduction


def _sparse(shares: Doubles, taps: NDArray[np.int_], length: int) -> Weights:
    rows, each = taps.shape
    starts = np.arange(rows + 1) * each
    data = shares.astype(np.float32).ravel()
    return sparse.csr_array((data, taps.ravel(), starts), shape=(rows, length))


def _weigh(source: NDArray[Any], weights: Sequence[Weights]) -> Floats:
    """Apply (m, n) weights along each axis, in the order that touches the fewest voxels."""
    first, second, third = weights
    if first.shape[0] * second.shape[0] * third.shape[0] > source.size:
        return _along(1, second, _along(0, first, _along(2, third, source.astype(np.float32))))
    thick = max(1, _SLAB_VOXELS // source[0].size)
    slabs = [
        _along(2, third, _along(1, second, source[start : start + thick].astype(np.float32)))
        for start in range(0, len(source), thick)
    ]
    return _along(0, first, np.concatenate(slabs))


def _along(axis: int, weights: Weights, values: Floats) -> Floats:
    shape = values.shape[:axis] + weights.shape[:1] + values.shape[axis + 1 :]
    if axis == 2:
        return np.asarray(values.reshape(-1, values.shape[2]) @ weights.T).reshape(shape)
    before = int(np.prod(shape[:axis]))
    block = sparse.kron(sparse.eye_array(before, dtype=np.float32), weights, "csr")
    return np.asarray(block @ values.reshape(block.shape[1], -1)).reshape(shape)


def _rows_to_one(weights: Any) -> Weights:
    return sparse.csr_array(weights.multiply(1 / weights.sum(axis=1)[:, None])).astype(np.float32)
