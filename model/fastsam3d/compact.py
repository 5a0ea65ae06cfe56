"""The project's own network: the paper's layout, narrower, with a high-resolution path beside it.

Tokens alone learn little from little: features at strides 4 and 8 run beside them, are sampled at
the clicks, and meet Gaussian maps of the clicks and the previous mask in the decoder.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import TOKEN, CompactConfig
from .decoder import MLPHead, TwoWayTransformer, before_tokens
from .encoder import Block, PatchEmbed, neck
from .fast import cast_to
from .layers import ChannelNorm, Conv, Upsample

LEVELS = 16
"""Soft bins of brightness."""

STRIDE = 4
"""Voxels along a side of a cell of the finest features."""

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
        self.norm = ChannelNorm(channels)
        self.conv = Conv(channels, channels, 3, slope=slope)
        self.mix = Conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, d, h, w) to the same shape."""
        mixed: Tensor = self.mix(self.conv(self.norm(x)), onto=x)
        return mixed


class CompactEncoder(nn.Module):
    """A 6-layer ViT on 16³ patches, fed and followed by convolutions at strides 4 and 8."""

    def __init__(self, config: CompactConfig):
        super().__init__()
        width, c8, c4 = config.width, config.middle, config.fine
        self.patch_embed = PatchEmbed(width, TOKEN)
        self.stem = Conv(1, c4, STRIDE, STRIDE)
        self.levels = Conv(LEVELS, c4, 1, bias=False)
        self.fine_in = ConvBlock(c4, config.slope)
        self.to_middle = Conv(c4, c8, 2, 2)
        self.middle_in = ConvBlock(c8, config.slope)
        self.to_tokens = Conv(c8, width, 2, 2)
        self.pos_embed = nn.Parameter(torch.empty(1, *(config.patch_size // TOKEN,) * 3, width))
        nn.init.normal_(self.pos_embed, std=0.02)
        self.blocks = nn.Sequential(*(_block(config, layer) for layer in range(config.depth)))
        self.neck = neck(width, config.embedding)
        self.up_middle = Upsample(config.embedding, c8)
        self.middle_out = ConvBlock(c8, config.slope)
        self.up_fine = Upsample(c8, c4)
        self.fine_out = nn.Sequential(ConvBlock(c4, config.slope), ChannelNorm(c4))

    def forward(self, image: Tensor) -> CompactEmbedding:
        """Encode (B, 1, 128, 128, 128) normalised patches, or smaller ones of whole tokens.

        A smaller patch is read as the same field of view, seen more coarsely.
        """
        brightness = _cell_means(image)
        image = cast_to(image, self.stem.weight)
        fine = self.fine_in(self.levels(_soft_bins(brightness), onto=self.stem(image)))
        middle = self.middle_in(self.to_middle(fine))
        tokens = self.patch_embed(image) + self.to_tokens(middle).movedim(1, -1)
        place = _spread(self.pos_embed, tokens.shape[1])
        embedding = self.neck(self.blocks(tokens + place).movedim(-1, 1))
        middle = self.middle_out(middle + self.up_middle(embedding))
        fine = self.fine_out(fine + self.up_fine(middle))
        return CompactEmbedding(embedding, middle, fine, brightness)


def _cell_means(image: Tensor) -> Tensor:
    """Average (B, 1, D, H, W) voxels over the finest cells."""
    if image.device.type != "mps":
        return F.avg_pool3d(image, STRIDE)
    # Older torch has no pooling in 3D on Apple's GPUs.
    for axis in (2, 4, 6):
        image = image.unflatten(axis, (-1, STRIDE))  # type: ignore[no-untyped-call]
    return image.mean((3, 5, 7))


def _spread(positions: Tensor, cells: int) -> Tensor:
    """Bring (1, g, g, g, C) embeddings of positions to a grid of other cells, if it is another."""
    if positions.shape[1] == cells:
        return positions
    return F.interpolate(positions.movedim(-1, 1), size=(cells,) * 3, mode="area").movedim(1, -1)


def _soft_bins(brightness: Tensor) -> Tensor:
    """Spread (B, 1, g, g, g) standard scores over (B, 16, g, g, g) bins from -2.5 to 2.5."""
    centres = torch.linspace(-2.5, 2.5, LEVELS, device=brightness.device)
    offset = (brightness - centres.view(-1, 1, 1, 1)).mul_((LEVELS - 1) / 5)
    return offset.square_().div_(-2).exp_()


def _block(config: CompactConfig, layer: int) -> Block:
    attention = "none" if layer < config.plain_layers else config.attention
    if attention != "sparse":
        return Block(config.width, config.heads, attention=attention)
    return Block(config.width, config.heads, attention=attention, segment=config.segment)


class CompactDecoder(nn.Module):
    """A small U of convolutions with SAM's two-way transformer at its bottom."""

    def __init__(self, config: CompactConfig):
        super().__init__()
        self.slope = config.slope
        width, c8, c4 = config.embedding, config.middle, config.fine
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(4, width)
        self.mix = Conv(c4 + HINTS, c4, 1, slope=config.slope)
        self.to_middle = Conv(c4, c8, 2, 2)
        self.middle_in = ConvBlock(c8, config.slope)
        self.to_tokens = Conv(c8, width, 2, 2)
        self.transformer = TwoWayTransformer(width, 8, 3 * width, published_first=False)
        self.up_middle = Upsample(width, c8)
        self.middle_out = ConvBlock(c8, config.slope)
        self.up_fine = Upsample(c8, c4)
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
        bias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Decode all four masks.

        Args:
            embedding: of B patches.
            clicks: (B, N, E) tokens.
            maps: (B, 12, 32, 32, 32).
            grid_position: (512, E).
            mask_logits: (B, 1, 64, 64, 64); zeros where there is no previous mask.
            bias: (B, 1, 1, N) of the clicks: -inf where there is none, 0 elsewhere.

        Returns:
            (B, 4, 64, 64, 64) logits and (B, 4) predicted IoU.
        """
        previous = _space_to_depth(torch.tanh(mask_logits / 4).to(maps.dtype))
        hints = torch.cat([maps, previous], 1).contiguous(memory_format=torch.channels_last_3d)
        fine = self.mix(torch.cat([embedding.fine, hints], 1)) + embedding.fine
        middle = self.middle_in(self.to_middle(fine, onto=embedding.middle))
        image = self.to_tokens(middle, onto=embedding.tokens)
        batch = image.shape[0]
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(batch, -1, -1), clicks.to(own.dtype)], 1)
        cells = image.flatten(2).transpose(1, 2)
        tokens, cells = self.transformer(
            tokens, cells, grid_position.to(own.dtype), before_tokens(bias, own)
        )
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
        cells = fine.movedim(1, -1).flatten(1, 3)  # (B, g³, c)
        logits = torch.baddbmm(weights[:, None, :, -1], cells, weights[..., :-1].mT)
        return _depth_to_space(logits.mT.reshape(len(logits), -1, *fine.shape[2:]))


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
