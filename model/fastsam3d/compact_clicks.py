"""How clicks reach the project's own network: as tokens, and as maps beside its finest features."""

import math

import torch
from torch import Tensor, nn

from .compact import STRIDE, CompactEmbedding
from .config import CompactConfig
from .layers import Linear
from .remembered import Remembered


class ClickEncoder(nn.Module):
    """Turns clicks into tokens and into maps on the stride-4 grid."""

    SIGMAS = (4.0, 14.0)
    """Widths of the Gaussian maps, in voxels of a whole patch."""
    REACH = 28.0
    """Width of the Gaussian within which brightness is compared, likewise."""
    CONTRASTS = (0.1, 0.4)
    """How like in brightness a cell is, in standard deviations of the patch."""

    frequencies: Tensor

    def __init__(self, config: CompactConfig):
        super().__init__()
        self.patch_size = config.patch_size
        self.labels = nn.Embedding(2, config.embedding)
        self.appearance = Linear(config.fine, config.embedding)
        self._positions = Remembered()
        self.register_buffer("frequencies", torch.randn(3, config.embedding // 2))

    def position(self, places: Tensor) -> Tensor:
        """Encode (..., 3) places, from 0 to 1 along a side, as (..., C) sines and cosines."""
        angles = (2 * places - 1) @ self.frequencies * (2 * math.pi)
        return torch.cat([angles.sin(), angles.cos()], -1)

    def grid_position(self, cells: int) -> Tensor:
        """Encode the centres of a grid: (cells³, C)."""
        return self._positions.of(self.frequencies, cells, lambda: self._of_cells(cells))

    def _of_cells(self, cells: int) -> Tensor:
        axis = (torch.arange(cells, device=self.frequencies.device) + 0.5) / cells
        grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
        return self.position(grid).flatten(0, 2)

    def forward(
        self, points: Tensor, labels: Tensor, embedding: CompactEmbedding
    ) -> tuple[Tensor, Tensor]:
        """Encode clicks.

        Args:
            points: (B, N, 3) in voxels of the patch as it was embedded.
            labels: (B, N), 1 to include and 0 to exclude.
            embedding: of B patches.

        Returns:
            (B, N, E) tokens; (B, 12, g, g, g) maps: nearness to the clicks at two widths, likeness
            to their features, likeness to their brightness in two ways and near them, for included
            and excluded clicks.
        """
        fine = embedding.fine
        features = _features_at(fine, points)
        bright = _features_at(embedding.brightness, points)[..., 0]
        contrast = (embedding.brightness - bright[..., None, None, None]) ** 2  # (B, N, g, g, g)
        places = (points + 0.5) / (STRIDE * fine.shape[-1])
        signs = self.labels(labels.clamp(min=0))
        tokens = self.position(places) + self.appearance(features) + signs
        away = self._squared_distances(points, fine.shape[-1])
        maps = [
            each[:, None].to(fine.dtype)
            for own in (labels == 1, labels == 0)
            for each in self._maps(own, away, contrast, features, fine)
        ]
        return tokens, torch.cat(maps, 1)

    def _squared_distances(self, points: Tensor, cells: int) -> Tensor:
        """Return those of the cells to the clicks, in voxels of a whole patch, (B, N, g, g, g)."""
        axis = (torch.arange(cells, device=points.device) + 0.5) * STRIDE - 0.5
        whole = self.patch_size / (STRIDE * cells)
        d, h, w = (((points[..., None] - axis) * whole) ** 2).unbind(2)  # (B, N, g)
        return d[..., None, None] + h[:, :, None, :, None] + w[:, :, None, None, :]

    def _maps(
        self, own: Tensor, away: Tensor, contrast: Tensor, features: Tensor, fine: Tensor
    ) -> tuple[Tensor, ...]:
        """Map the clicks of (B, N) `own`: six (B, g, g, g), as `forward` lists them.

        The greatest of some exponentials is that of the least: one a cell, however many clicks.
        """
        others = torch.zeros_like(contrast[..., :1, :1, :1])
        others = others.masked_fill(~own[..., None, None, None], torch.inf)
        away, contrast = away + others, contrast + others
        narrow, wide = self.CONTRASTS
        both = contrast / (2 * wide**2) + away / (2 * self.REACH**2)
        nearest, likest = away.amin(1), contrast.amin(1)
        return (
            *(torch.exp(-nearest / (2 * sigma**2)) for sigma in self.SIGMAS),
            _likeness(fine, features, own.to(fine.dtype)),
            *(torch.exp(-likest / (2 * width**2)) for width in (narrow, wide)),
            torch.exp(-both.amin(1)),
        )


def _likeness(fine: Tensor, features: Tensor, weight: Tensor) -> Tensor:
    """Return how like each cell is to the clicks' mean feature, (B, g, g, g); 0 without clicks."""
    total = weight.sum(1)[:, None]
    mean = (features * weight[..., None]).sum(1) / total.clamp(min=1)
    # Channels last, as they lie in memory: many times as fast in float32.
    distance = (fine.movedim(1, -1) - mean[:, None, None, None]).pow(2).mean(-1)
    return torch.exp(-distance) * (total > 0)[..., None, None]


def _features_at(fine: Tensor, points: Tensor) -> Tensor:
    """Look up (B, C, g, g, g) at (B, N, 3) patch voxels: (B, N, C)."""
    index = (points / STRIDE).long().clamp(0, fine.shape[-1] - 1)
    batch = torch.arange(fine.shape[0], device=fine.device)[:, None]
    return fine[batch, :, index[..., 0], index[..., 1], index[..., 2]]
