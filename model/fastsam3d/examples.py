"""What training learns from: a patch, and the pieces of it that are objects."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from .clarity import clear_pieces
from .synthetic import Random

SMALLEST_PIECE = 48
"""In cells of the 64³ label grid."""

LARGEST_SHARE = 0.5
"""Of the patch."""

MOST_PIECES = 250
"""In a patch: their numbers fit a byte."""

MOST_PIECES_A_LABEL = 12

_LARGEST_HALF = 32768.0
"""A number that float16 holds, with room above it."""

Separate = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Splits a label map into its connected pieces; see `separate`."""

Supervoxels = Callable[[Tensor, Random], Tensor]
"""Splits a patch into regions of like intensity; see `supervoxels`."""


@dataclass(frozen=True)
class Intensities:
    """A patch as its scan has it, zero level and extremes included: the published networks need it.

    values: (128, 128, 128) float16, in units of `unit`, with the signs of the scan's.
    is_ct: whether they are Hounsfield units.
    """

    values: Tensor
    unit: float
    is_ct: bool = False

    @classmethod
    def of(cls, image: Tensor, *, is_ct: bool = False) -> "Intensities":
        """Keep a (128, 128, 128) patch to a part in 2000 of each voxel."""
        unit = float(image.abs().amax()) / _LARGEST_HALF or 1.0
        return cls((image / unit).half(), unit, is_ct)


@dataclass(frozen=True)
class Example:
    """One patch and the objects in it.

    image: (128, 128, 128) uint8, the 0.5th to the 99.5th percentile of the patch.
    objects: (64, 64, 64) uint8, 0 where nothing is to be segmented.
    targets: groups of values of `objects`; each group is one object.
    intensities: of the patch; None where our own networks alone are to learn from it.
    """

    image: Tensor
    objects: Tensor
    targets: tuple[tuple[int, ...], ...]
    intensities: Intensities | None = field(default=None, kw_only=True)


def separate(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Split a label map into its connected pieces, by faces, on the CPU.

    Returns:
        The map of pieces numbered from 1 and 0 between them, and each piece's label, ascending.
    """
    values = labels.cpu().numpy()
    pieces, owners = np.zeros(values.shape, np.int64), list[int]()
    for value in np.unique(values[values > 0]):
        own, count = ndimage.label(values == value)
        pieces += np.where(own > 0, own + len(owners), 0)
        owners += [int(value)] * count
    return torch.from_numpy(pieces), torch.tensor(owners, dtype=torch.long, device="cpu")


def supervoxels(image: Tensor, random: Random) -> Tensor:
    """Split a (128, 128, 128) patch into regions of like intensity: (64, 64, 64), 1 to 7 bands."""
    coarse = F.avg_pool3d(image[None, None], 2)[0, 0].cpu().numpy()
    smooth = ndimage.gaussian_filter(coarse, random.uniform(0.6, 1.6))
    quantiles = np.sort(random.rand(random.integer(2, 6)).cpu().numpy())
    bands = np.digitize(smooth, np.quantile(smooth, quantiles))
    return torch.from_numpy(ndimage.median_filter(bands, 3) + 1)


def to_uint8(image: Tensor) -> Tensor:
    """Map the 0.5th to 99.5th percentile of a patch to 0 to 255."""
    shares = torch.tensor([0.005, 0.995], device=image.device)
    low, high = torch.quantile(image.flatten()[::37].float(), shares)
    scaled: Tensor = (image - low) / (high - low).clamp(min=1e-6) * 255
    return scaled.round().clamp(0, 255).byte()


def make_example(
    image: Tensor, labels: Tensor, *, split: bool, separate: Separate = separate
) -> Example:
    """Turn a patch and its label map into an example.

    Args:
        image: (128, 128, 128).
        labels: (64, 64, 64); values above 0 are objects.
        split: make each connected piece that the image shows clearly an object of its own;
            otherwise a label's pieces are one, clear or not.
        separate: finds the pieces.
    """
    pieces, owners = separate(labels)
    sizes = torch.bincount(pieces.flatten(), minlength=len(owners) + 1)[1:]
    kept = _kept_pieces(owners.cpu().numpy(), sizes.cpu().numpy(), labels.numel())
    numbers = np.zeros(len(owners) + 1, np.uint8)
    for number, piece in enumerate((piece for group in kept for piece in group), 1):
        numbers[1 + piece] = number
    groups = [tuple(int(numbers[1 + piece]) for piece in group) for group in kept]
    objects = torch.from_numpy(numbers).to(pieces.device)[pieces]
    if split:
        clear = F.pad(clear_pieces(image, objects.long(), int(numbers.max())), (1, 0))
        objects = objects * clear[objects.long()]
        groups = [(int(n),) for n in clear.nonzero()]
    return Example(to_uint8(image), objects, tuple(groups))


def _kept_pieces(
    owners: NDArray[np.int64], sizes: NDArray[np.int64], cells: int
) -> list[list[int]]:
    """Choose, for each label, its largest pieces that are neither too small nor too large."""
    kept: list[list[int]] = []
    room = MOST_PIECES
    for value in np.unique(owners):
        own = np.flatnonzero(owners == value)
        largest = own[np.argsort(-sizes[own])[:MOST_PIECES_A_LABEL]]
        fit = (sizes[largest] >= SMALLEST_PIECE) & (sizes[largest] <= LARGEST_SHARE * cells)
        group = largest[fit][:room].tolist()
        kept += [group] if group else []
        room -= len(group)
    return kept
