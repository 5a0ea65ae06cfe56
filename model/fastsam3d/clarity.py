"""Which pieces of a patch its image shows: thin, ragged or invisible ones teach nothing."""

import torch
import torch.nn.functional as F
from torch import Tensor

SOLID = 0.25
"""At least this share of a piece's cells must have all six neighbours in the piece."""

CONTRAST = 0.4
"""A piece must differ from its surroundings by so many standard deviations (Cohen's d)."""

NEARBY = 2
"""A piece's surroundings are the cells so far from it along an axis, beyond the partial volume."""


def clear_pieces(image: Tensor, pieces: Tensor, count: int) -> Tensor:
    """Tell which pieces are solid and stand out from what is round them.

    Args:
        image: (s, s, s) of any type, s a multiple of g.
        pieces: (g, g, g) int64, numbered from 1, 0 between them.
        count: of pieces.

    Returns:
        (count,) bool.
    """
    coarse = F.avg_pool3d(image.float()[None, None], image.shape[-1] // pieces.shape[-1])[0, 0]
    return (_solidity(pieces, count) >= SOLID) & (_contrast(coarse, pieces, count) >= CONTRAST)


def _solidity(pieces: Tensor, count: int) -> Tensor:
    """Return the share of each piece's cells that lie within it."""
    within = torch.ones_like(pieces, dtype=torch.bool)
    for axis in range(3):
        same = pieces.narrow(axis, 1, len(pieces) - 1) == pieces.narrow(axis, 0, len(pieces) - 1)
        within.narrow(axis, 1, len(pieces) - 1).logical_and_(same)
        within.narrow(axis, 0, len(pieces) - 1).logical_and_(same)
    inner = torch.bincount(pieces[within], minlength=count + 1)
    return (inner / torch.bincount(pieces.flatten(), minlength=count + 1).clamp(min=1))[1:]


def _contrast(image: Tensor, pieces: Tensor, count: int) -> Tensor:
    """Return how far each piece's mean brightness is from its surroundings', in deviations.

    Of a piece that has none, 0.
    """
    values, owners = (torch.cat(parts) for parts in zip(*_nearby(image, pieces), strict=True))
    outside = _moments(values, owners, count)
    inside = _moments(image.flatten(), pieces.flatten(), count)
    spread = ((inside[1] + outside[1]) / 2).clamp(min=1e-6).sqrt()
    surrounded = torch.bincount(owners, minlength=count + 1) > 0
    return ((inside[0] - outside[0]).abs() / spread * surrounded)[1:]


def _nearby(image: Tensor, pieces: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Pair the brightness of each cell near a piece with the piece's number, in six directions."""
    found, length = [], len(pieces) - NEARBY
    for axis in range(3):
        for own, other in ((0, NEARBY), (NEARBY, 0)):
            mine, theirs = pieces.narrow(axis, own, length), pieces.narrow(axis, other, length)
            beyond = mine != theirs
            found.append((image.narrow(axis, other, length)[beyond], mine[beyond]))
    return found


def _moments(values: Tensor, owners: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the mean and the variance of each owner's values, (count + 1,) each."""
    values = values.double()
    total = torch.bincount(owners, minlength=count + 1).clamp(min=1)
    mean = torch.bincount(owners, values, minlength=count + 1) / total
    square = torch.bincount(owners, values**2, minlength=count + 1) / total
    return mean, (square - mean**2).clamp(min=0)
