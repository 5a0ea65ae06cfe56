"""The project's own network: the paper's layout, narrower, with a high-resolution path beside it.

Tokens alone learn little from little: features at strides 4 and 8 run beside them, are sampled at
the clicks, and meet Gaussian maps of the clicks and the previous mask in the decoder.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import CompactConfig
from .decoder import MLPHead, TwoWayTransformer
from .encoder import Block, PatchEmbed, neck
from .layers import ChannelNorm

LEVELS = 16
"""Soft bins of brightness."""

STRIDE, TOKEN = 4, 16
"""Voxels along a side of a cell of the finest features, and of a token."""

HINTS = 12 + 8
"""Channels of the maps of the clicks and of the previous mask, on the stride-4 grid."""


class CompactEmbedding(NamedTuple):
    """What a patch leaves behind for its clicks: features at strides 16, 8 and 4.

    tokens: (B, 192, 8, 8, 8); middle: (B, 64, 16, 16, 16); fine: (B, 32, 32, 32, 32);
    brightness: (B, 1, 32, 32, 32), the mean of a cell's voxels. Of a smaller patch, fewer cells.
    """

    tokens: Tensor
    middle: Tensor
    fine: Tensor
    brightness: Tensor


class ConvBlock(nn.Module):
    """A residual block: norm, 3³ convolution, leaky ReLU, 1³ convolution."""

    def __init__(self, channels: int, slope: float):
        super().__init__()
        self.slope = slope
        self.norm = ChannelNorm(channels)
        self.conv = nn.Conv3d(channels, channels, 3, padding=1)
        self.mix = nn.Conv3d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, d, h, w) to the same shape."""
        mixed: Tensor = x + self.mix(F.leaky_relu(self.conv(self.norm(x)), self.slope))
        return mixed


class CompactEncoder(nn.Module):
    """A 6-layer ViT on 16³ patches, fed and followed by convolutions at strides 4 and 8."""

    def __init__(self, config: CompactConfig):
        super().__init__()
        width, c8, c4 = config.width, config.middle, config.fine
        self.patch_embed = PatchEmbed(width, TOKEN)
        self.stem = nn.Conv3d(1, c4, STRIDE, STRIDE)
        self.levels = nn.Conv3d(LEVELS, c4, 1, bias=False)
        self.fine_in = ConvBlock(c4, config.slope)
        self.to_middle = nn.Conv3d(c4, c8, 2, 2)
        self.middle_in = ConvBlock(c8, config.slope)
        self.to_tokens = nn.Conv3d(c8, width, 2, 2)
        self.pos_embed = nn.Parameter(torch.empty(1, *(config.patch_size // TOKEN,) * 3, width))
        nn.init.normal_(self.pos_embed, std=0.02)
        self.blocks = nn.Sequential(*(_block(config, layer) for layer in range(config.depth)))
        self.neck = neck(width, config.embedding)
        self.up_middle = nn.ConvTranspose3d(config.embedding, c8, 2, 2)
        self.middle_out = ConvBlock(c8, config.slope)
        self.up_fine = nn.ConvTranspose3d(c8, c4, 2, 2)
        self.fine_out = nn.Sequential(ConvBlock(c4, config.slope), ChannelNorm(c4))

    def forward(self, image: Tensor) -> CompactEmbedding:
        """Encode (B, 1, 128, 128, 128) normalised patches, or smaller ones of whole tokens.

        A smaller patch is read as the same field of view, seen more coarsely.
        """
        brightness = F.avg_pool3d(image, STRIDE)
        fine = self.fine_in(self.stem(image) + self.levels(_soft_bins(brightness)))
        middle = self.middle_in(self.to_middle(fine))
        tokens = self.patch_embed(image) + self.to_tokens(middle).movedim(1, -1)
        place = _spread(self.pos_embed, tokens.shape[1])
        embedding = self.neck(self.blocks(tokens + place).movedim(-1, 1))
        middle = self.middle_out(middle + self.up_middle(embedding))
        fine = self.fine_out(fine + self.up_fine(middle))
        return CompactEmbedding(embedding, middle, fine, brightness)


def _spread(positions: Tensor, cells: int) -> Tensor:
    """Bring (1, g, g, g, C) embeddings of positions to a grid of other cells, if it is another."""
    if positions.shape[1] == cells:
        return positions
    return F.interpolate(positions.movedim(-1, 1), size=(cells,) * 3, mode="area").movedim(1, -1)


def _soft_bins(brightness: Tensor) -> Tensor:
    """Spread (B, 1, g, g, g) standard scores over (B, 16, g, g, g) bins from -2.5 to 2.5."""
    centres = torch.linspace(-2.5, 2.5, LEVELS, device=brightness.device)
    offset = (brightness - centres.view(-1, 1, 1, 1)) * (LEVELS - 1) / 5
    return torch.exp(-(offset**2) / 2)


def _block(config: CompactConfig, layer: int) -> Block:
    attention = "none" if layer < config.plain_layers else config.attention
    return Block(config.width, config.heads, attention=attention)


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
        self.appearance = nn.Linear(config.fine, config.embedding)
        self.register_buffer("frequencies", torch.randn(3, config.embedding // 2))

    def position(self, places: Tensor) -> Tensor:
        """Encode (..., 3) places, from 0 to 1 along a side, as (..., C) sines and cosines."""
        angles = (2 * places - 1) @ self.frequencies * (2 * math.pi)
        return torch.cat([angles.sin(), angles.cos()], -1)

    def grid_position(self, cells: int) -> Tensor:
        """Encode the centres of a grid: (cells³, C)."""
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
        tokens = self.position(places) + self.appearance(features) + self.labels(labels)
        maps = [
            part
            for label in (1, 0)
            for part in self._maps(
                points, (labels == label).to(fine.dtype), features, fine, contrast
            )
        ]
        return tokens, torch.cat(maps, 1)

    def _maps(
        self, points: Tensor, weight: Tensor, features: Tensor, fine: Tensor, contrast: Tensor
    ) -> tuple[Tensor, ...]:
        """Map the clicks of (B, N) weight 1: six (B, 1, g, g, g), as `forward` lists them."""
        axis = (torch.arange(fine.shape[-1], device=points.device) + 0.5) * STRIDE - 0.5
        whole = self.patch_size / (STRIDE * fine.shape[-1])
        squared = ((points[..., None] - axis) * whole) ** 2  # (B, N, 3, g)
        near = [_nearness(squared, sigma, weight).amax(1) for sigma in self.SIGMAS]
        alike = [
            (torch.exp(-contrast / (2 * width**2)) * weight[..., None, None, None])
            for width in self.CONTRASTS
        ]
        both = (alike[1] * _nearness(squared, self.REACH, weight)).amax(1)
        maps = [*near, _likeness(fine, features, weight), *(each.amax(1) for each in alike), both]
        return tuple(each[:, None].to(fine.dtype) for each in maps)


def _nearness(squared: Tensor, sigma: float, weight: Tensor) -> Tensor:
    """Return a Gaussian round each click, (B, N, g, g, g), of (B, N, 3, g) squared offsets."""
    d, h, w = torch.exp(-squared / (2 * sigma**2)).to(weight.dtype).unbind(2)
    d = d * weight[..., None]
    return d[..., None, None] * h[:, :, None, :, None] * w[:, :, None, None, :]


def _likeness(fine: Tensor, features: Tensor, weight: Tensor) -> Tensor:
    """Return how like each cell is to the clicks' mean feature, (B, g, g, g); 0 without clicks."""
    total = weight.sum(1)[:, None]
    mean = (features * weight[..., None]).sum(1) / total.clamp(min=1)
    distance = (fine - mean[:, :, None, None, None]).pow(2).mean(1)
    return torch.exp(-distance) * (total > 0)[..., None, None]


def _features_at(fine: Tensor, points: Tensor) -> Tensor:
    """Look up (B, C, g, g, g) at (B, N, 3) patch voxels: (B, N, C)."""
    index = (points / STRIDE).long().clamp(0, fine.shape[-1] - 1)
    batch = torch.arange(fine.shape[0], device=fine.device)[:, None]
    return fine[batch, :, index[..., 0], index[..., 1], index[..., 2]]


class CompactDecoder(nn.Module):
    """A small U of convolutions with SAM's two-way transformer at its bottom."""

    def __init__(self, config: CompactConfig):
        super().__init__()
        self.slope = config.slope
        width, c8, c4 = config.embedding, config.middle, config.fine
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(4, width)
        self.mix = nn.Conv3d(c4 + HINTS, c4, 1)
        self.to_middle = nn.Conv3d(c4, c8, 2, 2)
        self.middle_in = ConvBlock(c8, config.slope)
        self.to_tokens = nn.Conv3d(c8, width, 2, 2)
        self.transformer = TwoWayTransformer(width, 8, 3 * width, published_first=False)
        self.up_middle = nn.ConvTranspose3d(width, c8, 2, 2)
        self.middle_out = ConvBlock(c8, config.slope)
        self.up_fine = nn.ConvTranspose3d(c8, c4, 2, 2)
        self.fine_out = nn.Sequential(ConvBlock(c4, config.slope), ConvBlock(c4, config.slope))
        self.hypernetworks = nn.ModuleList(
            MLPHead(width, width, 8 * (c4 + HINTS + 1)) for _ in range(4)
        )
        self.iou_head = MLPHead(width, width, 4)

    def forward(
        self,
        embedding: CompactEmbedding,
        clicks: Tensor,
        maps: Tensor,
        grid_position: Tensor,
        mask_logits: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Decode all four masks.

        Args:
            embedding: of B patches.
            clicks: (B, N, E) tokens.
            maps: (B, 12, 32, 32, 32).
            grid_position: (512, E).
            mask_logits: (B, 1, 64, 64, 64); zeros where there is no previous mask.

        Returns:
            (B, 4, 64, 64, 64) logits and (B, 4) predicted IoU.
        """
        previous = _space_to_depth(torch.tanh(mask_logits / 4).to(maps.dtype))
        hints = torch.cat([maps, previous], 1)
        mixed = self.mix(torch.cat([embedding.fine, hints], 1))
        fine = F.leaky_relu(mixed, self.slope) + embedding.fine
        middle = self.middle_in(self.to_middle(fine) + embedding.middle)
        image = self.to_tokens(middle) + embedding.tokens
        batch = image.shape[0]
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight]).expand(batch, -1, -1)
        cells = image.flatten(2).transpose(1, 2)
        tokens, cells = self.transformer(torch.cat([own, clicks], 1), cells, grid_position)
        image = cells.transpose(1, 2).reshape(embedding.tokens.shape)
        middle = self.middle_out(middle + self.up_middle(image))
        fine = self.fine_out(fine + self.up_fine(middle))
        features = torch.cat([F.leaky_relu(fine, self.slope), hints], 1)
        return self._masks(tokens, features), self.iou_head(tokens[:, 0])

    def _masks(self, tokens: Tensor, fine: Tensor) -> Tensor:
        """Let each mask token weigh the features of a cell into its eight mask voxels."""
        weights = torch.stack(
            [net(tokens[:, 1 + n]) for n, net in enumerate(self.hypernetworks)], 1
        )
        weights = weights.reshape(len(weights), -1, fine.shape[1] + 1)  # (B, 4, 8 c) -> (B, 32, c)
        logits = torch.baddbmm(weights[..., -1:], weights[..., :-1], fine.flatten(2))
        return _depth_to_space(logits.reshape(len(logits), -1, *fine.shape[2:]))


def _space_to_depth(x: Tensor) -> Tensor:
    # (B, 1, 2g, 2g, 2g) -> (B, 8, g, g, g)
    B, _, D, H, W = x.shape
    x = x.reshape(B, 1, D // 2, 2, H // 2, 2, W // 2, 2)
    return x.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def _depth_to_space(x: Tensor) -> Tensor:
    # (B, 8 n, g, g, g) -> (B, n, 2g, 2g, 2g)
    B, _, D, H, W = x.shape
    x = x.reshape(B, -1, 2, 2, 2, D, H, W).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(B, -1, 2 * D, 2 * H, 2 * W)
