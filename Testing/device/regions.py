"""Pieces of label maps and regions of like intensity, found on whatever device the arrays are."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam3d.synthetic import Random

SWEEPS = 4
"""Between two looks at whether anything still changes: each look waits for the device."""


def separate_on_device(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Do what `fastsam3d.examples.separate` does; the pieces' order differs.

    The largest index in each piece spreads to its neighbours of the same label, and each voxel
    takes what the voxel of its index has reached, until all agree.
    """
    labels = labels.long()
    own = torch.arange(1, labels.numel() + 1, device=labels.device).view(labels.shape)
    ids = torch.where(labels > 0, own, 0)
    joined = [_low(labels, axis) == _high(labels, axis) for axis in range(3)]
    while True:
        before = ids.clone()
        for _ in range(SWEEPS):
            _spread(ids, joined)
            ids = F.pad(ids.flatten(), (1, 0))[ids]
        if torch.equal(before, ids):
            break
    roots = torch.unique(ids[ids > 0])
    pieces = torch.where(ids > 0, torch.searchsorted(roots, ids) + 1, 0)
    return pieces, labels.flatten()[roots - 1]


def supervoxels_on_device(image: Tensor, random: Random) -> Tensor:
    """Do what `fastsam3d.examples.supervoxels` does; the patch's faces differ a little."""
    coarse = F.avg_pool3d(image[None, None].float(), 2)
    smooth = _gaussian(coarse, random.uniform(0.6, 1.6))
    shares = random.rand(random.integer(2, 6)).sort().values
    levels = torch.quantile(smooth.flatten(), shares)
    return _median(torch.bucketize(smooth, levels, right=True).float())[0, 0].long() + 1


def _low(values: Tensor, axis: int) -> Tensor:
    return values.narrow(axis, 0, values.shape[axis] - 1)


def _high(values: Tensor, axis: int) -> Tensor:
    return values.narrow(axis, 1, values.shape[axis] - 1)


def _spread(ids: Tensor, joined: list[Tensor]) -> None:
    for axis, same in enumerate(joined):
        low, high = _low(ids, axis), _high(ids, axis)
        larger = torch.where(same, torch.maximum(low, high), 0)
        low.copy_(torch.maximum(low, larger))
        high.copy_(torch.maximum(high, larger))


def _gaussian(values: Tensor, sigma: float) -> Tensor:
    """Smooth (1, 1, d, h, w)."""
    reach = int(4 * sigma + 0.5)
    offset = torch.arange(-reach, reach + 1, device=values.device, dtype=torch.float32)
    kernel = torch.exp(-(offset**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        padding = [0, 0, 0, 0, 0, 0]
        padding[4 - 2 * axis : 6 - 2 * axis] = [reach, reach]
        values = F.conv3d(F.pad(values, padding, mode="replicate"), kernel.view(shape))
    return values


def _median(values: Tensor) -> Tensor:
    """Take the median of each voxel's 27 neighbours: (1, 1, d, h, w) whole numbers."""
    windows = F.pad(values, [1] * 6, mode="replicate")
    for axis in (2, 3, 4):
        windows = windows.unfold(axis, 3, 1)
    return windows.flatten(5).median(-1).values
