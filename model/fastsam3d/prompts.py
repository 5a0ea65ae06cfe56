"""The prompt encoder: clicks become tokens, the previous mask becomes a map on the embedding."""

import math

import torch
from torch import Tensor, nn

from .layers import ChannelNorm, Conv
from .remembered import Remembered


class RandomPositions(nn.Module):
    """Random Fourier features of a place in the unit cube: sine, cosine and sine again."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(3, width // 3))

    def forward(self, places: Tensor) -> Tensor:
        """Encode (..., 3) coordinates from 0 to 1 as (..., width)."""
        angles = 2 * math.pi * ((2 * places - 1) @ self.positional_encoding_gaussian_matrix)
        sines = angles.sin()
        return torch.cat([sines, angles.cos(), sines], -1)


class PromptEncoder(nn.Module):
    """Encode clicks and the previous mask for the mask decoder.

    Args:
        width: channels of the image embedding.
        grid: its cells along a side.
        patch_size: voxels along a side of the patch.
    """

    def __init__(self, width: int, grid: int, patch_size: int) -> None:
        super().__init__()
        self.grid, self.patch_size = grid, patch_size
        self._positions = Remembered()
        self.pe_layer = RandomPositions(width)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in range(2))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.mask_downscaling = nn.Sequential(
            Conv(1, 4, 2, 2),
            ChannelNorm(4),
            nn.GELU(),
            Conv(4, 16, 2, 2),
            ChannelNorm(16),
            nn.GELU(),
            Conv(16, width, 1),
        )
        self.no_mask_embed = nn.Embedding(1, width)

    def clicks(self, points: Tensor, labels: Tensor) -> Tensor:
        """Encode clicks, with the padding token that ends them.

        Args:
            points: (B, N, 3) patch voxels, in the order of the array's axes.
            labels: (B, N), 1 for inside and 0 for outside.

        Returns:
            (B, N + 1, C).
        """
        outside, inside = (each.get_parameter("weight") for each in self.point_embeddings)
        tokens = self.pe_layer((points + 0.5) / self.patch_size)
        tokens = tokens + torch.where(labels[..., None] == 1, inside, outside)
        padding = self.not_a_point_embed.weight.expand(len(tokens), 1, -1)
        return torch.cat([tokens, padding], 1)

    def mask(self, logits: Tensor | None) -> Tensor:
        """Encode (B, 1, 4g, 4g, 4g) logits as (B, C, g, g, g); None as (1, C, 1, 1, 1)."""
        if logits is None:
            return self.no_mask_embed.weight[..., None, None, None]
        out: Tensor = self.mask_downscaling(logits)
        return out

    def positions(self) -> Tensor:
        """Encode the embedding's cells: (g³, C).

        The cell at (x, y, z) is encoded as (y, x, z): the published weights were trained so, though
        clicks keep their order.
        """
        table = self.pe_layer.positional_encoding_gaussian_matrix
        return self._positions.of(table, self.grid, lambda: self._of_cells(table))

    def _of_cells(self, table: Tensor) -> Tensor:
        axis = (torch.arange(self.grid, device=table.device, dtype=table.dtype) + 0.5) / self.grid
        x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
        out: Tensor = self.pe_layer(torch.stack([y, x, z], -1))
        return out.flatten(0, 2)
