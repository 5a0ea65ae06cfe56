"""`resample` where the source lies: the same values on a GPU, in few launches, with no waiting.

Weights go there as dense matrices, a product to an axis: sparse ones would take a gather and a
sum for each weight of a voxel, and move more memory than the zeros cost arithmetic.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .ondevice_trilinear import interpolate_on, uploaded
from .resample import (
    Doubles,
    Floats,
    Shape,
    averaged,
    coarsened,
    is_parallel,
    lines_of,
    without_slants,
)

_SLAB_VOXELS = 1 << 26
"""Voxels of a source that are turned to float32 at once."""


@torch.inference_mode()
def resample_on(
    source: Tensor,
    matrix: Doubles,
    shape: Shape,
    *,
    spans: Sequence[float] = (1, 1, 1),
    outside: float | None = 0.0,
) -> Tensor:
    """Interpolate a tensor, on its device, at the places that a grid of output voxels maps to.

    Args:
        source: (k, j, i) finite values of any real type, or (C, k, j, i), C of them.
        matrix: as of `resample.resample`, and `shape` and `spans` too.
        shape: of the output.
        spans: how many voxels of the source an output voxel covers.
        outside: value beyond the source. None: the least one of `source`.

    Returns:
        float32 of `shape`, or (C, *shape); maybe not contiguous.
    """
    if source.dim() == 3:
        return resample_on(source[None], matrix, shape, spans=spans, outside=outside)[0]
    if 0 in source.shape or 0 in shape:
        size = (len(source), *shape)
        return torch.full(size, outside or 0.0, dtype=torch.float32, device=source.device)
    matrix = without_slants(matrix, shape)
    method = _parallel if is_parallel(matrix) else _oblique
    return method(source, matrix, shape, spans, outside)


def _parallel(
    source: Tensor, matrix: Doubles, shape: Shape, spans: Sequence[float], outside: float | None
) -> Tensor:
    lengths = source.shape[1:]
    axes, places, beyond = lines_of(matrix, shape, lengths)
    weights = [
        averaged(place, length, span).toarray()
        for place, length, span in zip(places, lengths, spans, strict=True)
    ]
    values = _weighed(source, weights).permute(0, *(1 + np.argsort(axes)).tolist())
    ends = [
        values.narrow(1 + int(axis), end.start, end.stop - end.start)
        for axis, both in zip(axes, beyond, strict=True)
        for end in both
        if end.start < end.stop
    ]
    if ends:
        fill = _fill(source, outside)
        for end in ends:
            end.fill_(fill)
    return values


def _oblique(
    source: Tensor, matrix: Doubles, shape: Shape, spans: Sequence[float], outside: float | None
) -> Tensor:
    weights, matrix, limits = coarsened(matrix, source.shape[1:], spans)
    averages = _weighed(source, [each.toarray() for each in weights]) if weights else source
    values, beyond = interpolate_on(averages.float(), matrix, shape, limits)
    if beyond is not None:
        values.masked_fill_(beyond, _fill(source, outside))
    return values


def _fill(source: Tensor, outside: float | None) -> Tensor | float:
    return source.amin().float() if outside is None else outside


def _weighed(source: Tensor, weights: Sequence[Floats]) -> Tensor:
    """Apply (m, n) weights along the last three axes, first where that leaves the fewest voxels."""
    there = _uploaded(weights, source.device)
    thick = max(1, _SLAB_VOXELS // source[:, 0].numel())
    if source.shape[1] > thick:
        slabs = [
            _along(2, there[1], _along(3, there[2], slab.float().contiguous()))
            for slab in torch.split(source, thick, 1)
        ]
        return _along(1, there[0], torch.cat(slabs, 1))
    values = source.float().contiguous()
    left = [len(each) / each.shape[1] for each in weights]
    for axis in sorted(range(3), key=left.__getitem__):
        values = _along(axis + 1, there[axis], values)
    return values


def _along(axis: int, weights: Tensor, values: Tensor) -> Tensor:
    """Apply (m, n) weights along an axis of contiguous (C, k, j, i) values: one product."""
    if axis == 3:
        return values @ weights.T
    before = values.shape[:axis].numel()
    columns = values.view(before, values.shape[axis], -1)
    product = weights.expand(before, *weights.shape).bmm(columns)
    return product.view(*values.shape[:axis], len(weights), *values.shape[axis + 1 :])


def _uploaded(matrices: Sequence[Floats], device: torch.device) -> list[Tensor]:
    """Bring matrices to a device in one copy."""
    flat = uploaded(np.concatenate([each.ravel() for each in matrices]), device)
    parts = torch.split(flat, [each.size for each in matrices])
    return [part.view(each.shape) for part, each in zip(parts, matrices, strict=True)]
