"""The image encoder: a patch becomes tokens, blocks of attention and MLP, and an embedding."""

import torch
from torch import Tensor, nn

from .attention import FUSED, AxisTables, Forms, Padding
from .config import AttentionKind, ModelConfig
from .layers import MLP, ChannelNorm, Conv, Linear, Norm, PatchConv, merge_heads, split_heads


class Attention(nn.Module):
    """Self-attention over (B, ..., C) tokens, dense or 3D sparse, without positions."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        sparse: bool = False,
        segment: int = 64,
        ratio: int = 4,
    ) -> None:
        super().__init__()
        self.heads, self.sparse, self.segment, self.ratio = heads, sparse, segment, ratio
        self.forms = FUSED
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        qkv = self.qkv(x.flatten(1, -2)).chunk(3, -1)
        mixed = self.attend(*(split_heads(part, self.heads) for part in qkv))
        out: Tensor = self.proj(merge_heads(mixed))
        return out.view(x.shape)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Mix values: (B, heads, N, c) to the same shape."""
        if self.sparse:
            return self.forms.sparse(q, k, v, segment=self.segment, ratio=self.ratio)
        return self.forms.dense(q, k, v)


class RelativeAttention(Attention):
    """Dense self-attention with the published relative positions, in a window or over the grid."""

    def __init__(self, width: int, heads: int, *, grid: int, window: int) -> None:
        super().__init__(width, heads)
        self.grid, self.window = grid, window
        for axis in "dhw":
            table = nn.Parameter(torch.zeros(2 * self.window - 1, width // heads))
            self.register_parameter(f"rel_pos_{axis}", table)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Mix values with the bias of `relative_bias`."""
        tables = AxisTables(*(self.get_parameter(f"rel_pos_{axis}").to(q.dtype) for axis in "dhw"))
        if self.window == self.grid:
            return self.forms.dense(q, k, v, self.forms.relative(q, tables, self.grid))
        padding = Padding(*self.qkv.bias.view(3, self.heads, -1))
        return self.forms.windowed(q, k, v, padding, tables, self.grid)


class Block(nn.Module):
    """Attention, if any, and an MLP, each after a norm.

    Args:
        width: channels of a token.
        heads: of the attention.
        attention: how tokens mix; "relative" and "padded" are the published forms of "dense".
        shortcut: whether the residual goes round the second norm, as is usual; the published
            student was trained without: `x = norm2(x); x = x + mlp(x)`.
        grid: tokens along a side, for "relative" and "padded".
        window: tokens along the side of the window, for "padded".
        segment: tokens of a sparse segment.
        ratio: step between the tokens of a sparse segment.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        attention: AttentionKind = "dense",
        shortcut: bool = True,
        grid: int = 8,
        window: int = 14,
        segment: int = 64,
        ratio: int = 4,
    ) -> None:
        super().__init__()
        self.attn: Attention | None = None
        if attention != "none":
            self.norm1 = Norm(width, eps=1e-6)
        if attention in ("dense", "sparse"):
            sparse = attention == "sparse"
            self.attn = Attention(width, heads, sparse=sparse, segment=segment, ratio=ratio)
        elif attention != "none":
            side = window if attention == "padded" else grid
            self.attn = RelativeAttention(width, heads, grid=grid, window=side)
        self.norm2 = Norm(width, eps=1e-6)
        self.mlp = MLP(width, 4 * width)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape, (B, ..., C)."""
        if self.attn is not None:
            x = x + self.attn(self.norm1(x))
        normed = self.norm2(x)
        out: Tensor = (x if self.shortcut else normed) + self.mlp(normed)
        return out


class PatchEmbed(nn.Module):
    """Cut a (B, 1, D, H, W) patch into tokens of `stride`³ voxels."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.proj = PatchConv(width, stride)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, d, h, w, C)."""
        tokens: Tensor = self.proj(image)
        return tokens


def neck(width: int, channels: int) -> nn.Sequential:
    """Build the convolutions from the tokens' width to the embedding's channels, at one size."""
    return nn.Sequential(
        Conv(width, channels, 1, bias=False),
        ChannelNorm(channels),
        Conv(channels, channels, 3, bias=False),
        ChannelNorm(channels),
    )


class ImageEncoder(nn.Module):
    """The published encoders: a 3D ViT and a neck."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        grid = config.grid
        self.patch_embed = PatchEmbed(config.width, config.stride)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, grid, config.width))
        self.blocks = nn.ModuleList(
            Block(
                config.width,
                config.heads,
                attention=kind,
                shortcut=config.shortcut,
                grid=grid,
                window=config.window,
            )
            for kind in config.attention
        )
        self.neck = neck(config.width, config.embedding)

    def forward(self, image: Tensor) -> Tensor:
        """Encode (B, 1, D, H, W) normalised patches as (B, C, d, h, w)."""
        x = self.patch_embed(image) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.neck(x.movedim(-1, 1))
        return out


def use_forms(network: nn.Module, forms: Forms) -> None:
    """Make the blocks of a network compute attention in one way, `FUSED` (as built) or `PLAIN`."""
    for module in network.modules():
        if isinstance(module, Attention):
            module.forms = forms
