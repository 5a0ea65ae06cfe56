"""`trilinear` where the source lies: all eight neighbours in one gather, each axis in one step.

What one place needs is worked out in float64 on the host, and goes to the device in float32, which
is all that some devices know.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .trilinear import Doubles, Shape

_CHUNK_VOXELS = 1 << 22
"""Output voxels that are interpolated at once: each takes some 100 bytes meanwhile."""


class _Way(NamedTuple):
    """Where the voxels of an output lie in a source, counted from a voxel near the first of them.

    origin: (3,), that voxel.
    lines: three of (3, n): what each axis of the output adds.
    bounds: four of (3, 1): the least and the greatest place that has two neighbours, and those
        that count as inside.
    leaves: whether any of them lies outside.
    """

    origin: NDArray[np.int_]
    lines: list[Doubles]
    bounds: list[Doubles]
    leaves: bool


def uploaded(values: NDArray[Any], device: torch.device) -> Tensor:
    """Bring an array to a device; do not wait until it is there."""
    owned = torch.from_numpy(np.require(values, requirements=("C", "W", "E")))
    return owned.to(device, non_blocking=device.type == "cuda")


@torch.inference_mode()
def interpolate_on(
    source: Tensor, matrix: Doubles, shape: Shape, limits: Sequence[tuple[float, float]]
) -> tuple[Tensor, Tensor | None]:
    """Interpolate tensors at the places that a grid of output voxels maps to.

    Args:
        source: (C, k, j, i) float32, of fewer than 2³¹ voxels; its edge values hold beyond it.
        matrix: as of `trilinear.interpolate`, and `shape` and `limits` too.
        shape: of the output.
        limits: what counts as inside.

    Returns:
        (C, *shape) values; and the voxels of `shape` that lie outside, None if there are none.
    """
    way = _way(matrix, shape, source.shape[1:], limits)
    table = np.hstack([*way.lines, *way.bounds]).astype(np.float32)
    there = uploaded(table, source.device)[..., None, None]
    lines = torch.split(there, [*shape, 1, 1, 1, 1], 1)
    plane = lines[1].transpose(1, 2) + lines[2].transpose(1, 3)  # (3, 1, J, I)
    steps = [source.shape[2] * source.shape[3], source.shape[3], 1]
    taps = uploaded(_taps(way.origin, source.shape[1:], steps), source.device)
    values, beyond = [], []
    for slab in torch.split(lines[0], max(1, _CHUNK_VOXELS // (shape[1] * shape[2])), 1):
        index = slab + plane
        values.append(_weighed(source.flatten(1), index.clamp(*lines[3:5]), taps, steps))
        if way.leaves:
            beyond.append(((index < lines[5]) | (index > lines[6])).any(0))
    return _joined(values, 1), _joined(beyond, 0) if beyond else None


def _way(
    matrix: Doubles, shape: Shape, lengths: Sequence[int], limits: Sequence[tuple[float, float]]
) -> _Way:
    lines = [matrix[:3, axis, None] * np.arange(n) for axis, n in enumerate(shape)]
    lines[0] = lines[0] + matrix[:3, 3:]
    nearest, farthest = (
        sum(ends(line, axis=1, keepdims=True) for line in lines) for ends in (np.min, np.max)
    )
    last = np.reshape(lengths, (3, 1)) - 1
    # Counted from near by, float32 tells small parts of a voxel apart.
    origin = np.clip(np.floor(nearest), 0, np.maximum(last - 1, 0))
    lines[0] = lines[0] - origin
    low, high = (np.reshape(each, (3, 1)) for each in zip(*limits, strict=True))
    # Just before the last voxel, so that there is one after the place.
    top = np.nextafter(np.float32(last - origin), np.float32(0))
    bounds = [np.zeros((3, 1)), top, low - origin, high - origin]
    leaves = bool((nearest < low).any() or (farthest > high).any())
    return _Way(origin[:, 0].astype(int), lines, bounds, leaves)


def _taps(origin: NDArray[np.int_], lengths: Sequence[int], steps: list[int]) -> NDArray[np.int32]:
    """Return how far, (8, 1, 1, 1), the neighbours of a place lie along the flat source."""
    # An axis of one voxel has no neighbour to weigh.
    ahead = [step if length > 1 else 0 for step, length in zip(steps, lengths, strict=True)]
    offsets = origin @ steps + np.indices((2, 2, 2)).reshape(3, 8).T @ ahead
    return offsets.astype(np.int32).reshape(8, 1, 1, 1)


def _weighed(flat: Tensor, place: Tensor, taps: Tensor, steps: list[int]) -> Tensor:
    """Interpolate a flat source, (C, n), at (3, K, J, I) places."""
    low = place.int()
    upper = place - low
    corner = low[2].add(low[1], alpha=steps[1]).add(low[0], alpha=steps[0])
    values = flat.index_select(1, (corner + taps).flatten()).view(-1, 8, *corner.shape)
    for share in upper:  # halves the neighbours: 8, 4, 2, 1
        below, above = values.chunk(2, 1)
        values = torch.lerp(below, above, share)
    return values[:, 0]


def _joined(parts: list[Tensor], axis: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)
