"""`mosaic.blend` on a device, of which no more than the signs come back: a bit a voxel."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from .bits import packed
from .geometry import Box, Matrix, box_shape, meet
from .history import Mask
from .mosaic import View, window_of
from .ondevice_resample import resample_on
from .ondevice_trilinear import uploaded

_SLAB_VOXELS = 1 << 26
"""Voxels of a volume that are blended at once."""

_Grid = tuple[tuple[int, ...], Matrix]


@torch.inference_mode()
def mask_on(
    views: Sequence[View],
    shape_kji: Iterable[int],
    ijk_to_ras: Matrix,
    within: Box,
    device: torch.device,
) -> tuple[Mask, Mask]:
    """Bring what views show of an object to a part of a volume's grid, by way of a device.

    Args:
        views: of one object.
        shape_kji: of the volume.
        ijk_to_ras: of the volume.
        within: the part of it.
        device: where to compute. It is waited for once, for the answer.

    Returns:
        Two masks of the shape of `within`: where `mosaic.blend` is above 0, and where it shows
        anything at all.
    """
    grid = tuple(shape_kji), ijk_to_ras
    lone = len(views) == 1 and meet(within, views[0].patch.box_in(*grid)) == within
    blended = _pasted if lone else _blended
    parts = [_signs(blended(views, grid, slab, device)) for slab in _slabs(within)]
    if len(parts) == 1:
        return parts[0]
    values, known = (np.concatenate(each) for each in zip(*parts, strict=True))
    return values, known


def _slabs(within: Box) -> Iterator[Box]:
    k, j, i = within
    _, *plane = box_shape(within)
    thick = max(1, _SLAB_VOXELS // max(1, math.prod(plane)))
    for start in range(k.start, max(k.stop, k.start + 1), thick):
        yield slice(start, min(start + thick, k.stop)), j, i


def _pasted(views: Sequence[View], grid: _Grid, within: Box, device: torch.device) -> Tensor:
    """Interpolate the first view alone."""
    (patch, logits, _), *_ = views
    box, matrix = patch.pasting(logits.shape, *grid, within=within)
    return resample_on(uploaded(logits, device), matrix, box_shape(box), outside=-math.inf)


def _blended(views: Sequence[View], grid: _Grid, within: Box, device: torch.device) -> Tensor:
    """Return logits of the sign of the blended ones, -inf where no view is."""
    sums = torch.zeros((2, *box_shape(within)), dtype=torch.float32, device=device)
    for patch, logits, _ in views:
        box, matrix = patch.pasting(logits.shape, *grid, within=within)
        if 0 in box_shape(box):
            continue
        window = uploaded(window_of(len(logits)), device)
        both = torch.stack((window * uploaded(logits, device), window))
        k, j, i = (
            slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, within, strict=True)
        )
        sums[:, k, j, i].add_(resample_on(both, matrix, box_shape(box)))
    return sums[0].masked_fill_(sums[1] <= 0, -math.inf)


def _signs(logits: Tensor) -> tuple[Mask, Mask]:
    """Tell, on the host, which logits are above 0, and which above -inf."""
    shape, count = logits.shape, logits.numel()
    bits = torch.empty((2, -(-count // 8) * 8), dtype=torch.bool, device=logits.device)
    bits[:, count:].fill_(value=False)
    for line, least in zip(bits, (0.0, -math.inf), strict=True):
        torch.gt(logits, least, out=line[:count].view(shape))
    unpacked = np.unpackbits(packed(bits).cpu().numpy(), axis=1, count=count)
    values, known = unpacked.view(bool).reshape(2, *shape)
    return values, known
