"""MobileSAM and TinySAM: SAM's decoder behind a small hybrid encoder, TinyViT (Wu et al. 2022).

In plain torch, for the packages that have it need a torchvision that matches the installed torch,
and where there is another, they and Lightning do not start. Names follow the official files.
"""

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .sam import SIZE, SamNetwork, make_parts

WIDTHS = (64, 128, 160, 320)
DEPTHS = (2, 2, 6, 2)
HEADS = (4, 5, 10)
WINDOWS = (7, 14, 7)
"""Of the three stages with attention."""

EXPANSION = 4
"""Channels inside a convolution block or an MLP to one outside."""


class ConvNorm(nn.Sequential):
    """A convolution that keeps the grid, or halves it, and a batch norm."""

    def __init__(
        self, inside: int, outside: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        conv = nn.Conv2d(
            inside, outside, kernel, stride, padding=kernel // 2, groups=groups, bias=False
        )
        super().__init__(OrderedDict(c=conv, bn=nn.BatchNorm2d(outside)))


class ConvBlock(nn.Module):
    """Widens, looks at neighbours channel by channel, narrows; a shortcut round all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = EXPANSION * width
        self.conv1 = ConvNorm(width, wide)
        self.conv2 = ConvNorm(wide, wide, kernel=3, groups=wide)
        self.conv3 = ConvNorm(wide, width)

    def forward(self, grid: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        inner = F.gelu(self.conv2(F.gelu(self.conv1(grid))))
        return F.gelu(grid + self.conv3(inner))


class Merging(nn.Module):
    """Goes to the next stage's width, and to half the resolution unless told to keep it."""

    def __init__(self, width: int, wider: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, wider)
        self.conv2 = ConvNorm(wider, wider, kernel=3, stride=stride, groups=wider)
        self.conv3 = ConvNorm(wider, wider)

    def forward(self, grid: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', h / stride, w / stride)."""
        out: Tensor = self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(grid)))))
        return out


class WindowAttention(nn.Module):
    """Attention within a window, with a learned bias for every distance along both axes."""

    bias_indices: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        self.register_buffer("bias_indices", bias_indices(window), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, window², C) to the same shape."""
        B, N, C = tokens.shape
        # (B, N, 3 C) -> (B, heads, N, 3 C / heads): a head's q, k and v lie side by side
        qkv = self.qkv(self.norm(tokens)).view(B, N, self.heads, -1).transpose(1, 2)
        query, key, value = qkv.chunk(3, dim=-1)
        bias = self.attention_biases[:, self.bias_indices]
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        projected: Tensor = self.proj(out.transpose(1, 2).reshape(B, N, C))
        return projected


class FeedForward(nn.Module):
    """A norm and an MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, EXPANSION * width)
        self.fc2 = nn.Linear(EXPANSION * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., C) to the same shape."""
        out: Tensor = self.fc2(F.gelu(self.fc1(self.norm(tokens))))
        return out


class AttentionBlock(nn.Module):
    """Attention in windows, a look at neighbours, an MLP."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads, window)
        self.local_conv = ConvNorm(width, width, kernel=3, groups=width)
        self.mlp = FeedForward(width)

    def forward(self, grid: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        tokens: Tensor = self.local_conv(grid + self.in_windows(grid)).permute(0, 2, 3, 1)
        mixed: Tensor = tokens + self.mlp(tokens)
        return mixed.permute(0, 3, 1, 2)

    def in_windows(self, grid: Tensor) -> Tensor:
        """Attend within windows; the last ones are filled up with zeros, which attend too."""
        B, C, h, w = grid.shape
        side = self.window
        grid = F.pad(grid, (0, -w % side, 0, -h % side))
        rows, columns = grid.shape[2] // side, grid.shape[3] // side
        # (B, C, rows side, columns side) -> (B rows columns, side², C)
        windows = grid.view(B, C, rows, side, columns, side).permute(0, 2, 4, 3, 5, 1)
        out: Tensor = self.attn(windows.reshape(-1, side * side, C))
        out = out.view(B, rows, columns, side, side, C).permute(0, 5, 1, 3, 2, 4)
        return out.reshape(B, C, rows * side, columns * side)[:, :, :h, :w]


class Stage(nn.Module):
    """Blocks of one width, then the way to the next."""

    def __init__(self, blocks: list[nn.Module], downsample: Merging | None) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.downsample = nn.Sequential() if downsample is None else downsample

    def forward(self, grid: Tensor) -> Tensor:
        """Map (B, C, h, w) to what the next stage reads."""
        out: Tensor = self.downsample(self.blocks(grid))
        return out


class PatchEmbed(nn.Module):
    """Brings an image to a quarter of its resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            ConvNorm(3, width // 2, kernel=3, stride=2),
            nn.GELU(),
            ConvNorm(width // 2, width, kernel=3, stride=2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, S, S) to (B, C, S / 4, S / 4)."""
        out: Tensor = self.seq(images)
        return out


class TinyViT(nn.Module):
    """The encoder; its last merging keeps the resolution, so that the embedding is SAM's."""

    def __init__(self, neck: nn.Module) -> None:
        super().__init__()
        kinds: list[list[nn.Module]] = [[ConvBlock(WIDTHS[0]) for _ in range(DEPTHS[0])]]
        for width, depth, heads, window in zip(WIDTHS[1:], DEPTHS[1:], HEADS, WINDOWS, strict=True):
            kinds.append([AttentionBlock(width, heads, window) for _ in range(depth)])
        steps = [*zip(pairwise(WIDTHS), (2, 2, 1), strict=True)]
        merges = [Merging(*widths, stride) for widths, stride in steps]
        self.patch_embed = PatchEmbed(WIDTHS[0])
        self.layers = nn.Sequential(
            *(Stage(*each) for each in zip(kinds, [*merges, None], strict=True))
        )
        self.neck = neck

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, S, S) to (B, 256, S / 16, S / 16)."""
        grid = self.layers(self.patch_embed(images))
        out: Tensor = self.neck(grid.permute(0, 2, 3, 1))
        return out


class TinyNetwork(SamNetwork):
    """SAM with TinyViT for its encoder."""

    def __init__(self, size: int) -> None:
        parts = make_parts(size, layers=0, width=WIDTHS[-1])
        parts.vision_encoder = TinyViT(parts.vision_encoder.neck)
        super().__init__(parts, size)

    def embed(self, images: Tensor) -> Tensor:
        """Return (B, 256, S / 16, S / 16)."""
        out: Tensor = self.image_encoder(images)
        return out


def bias_indices(window: int) -> Tensor:
    """Return (window², window²): which bias belongs to two tokens, by rows and columns between."""
    steps = torch.arange(window)
    apart = (steps[:, None] - steps).abs()
    # (row, column, row', column')
    which = apart[:, None, :, None] * window + apart[None, :, None, :]
    return which.reshape(window**2, window**2)


def build_tiny() -> TinyNetwork:
    """Make the network of MobileSAM and TinySAM with random weights."""
    return TinyNetwork(SIZE)
