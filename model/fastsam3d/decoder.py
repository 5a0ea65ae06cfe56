"""The mask decoder: tokens and an image embedding look at each other and become masks."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import FUSED
from .layers import MLP, Activation, ChannelNorm, Linear, Norm, Upsample, merge_heads, split_heads

MASKS = 4
"""Mask tokens: the first for one mask, the others for three that differ."""


class TokenAttention(nn.Module):
    """Attention between two sets of tokens, in `width` / `downsample` channels."""

    def __init__(self, width: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner = width // downsample
        self.heads = heads
        self.forms = FUSED
        self.q_proj = Linear(width, inner)
        self.k_proj = Linear(width, inner)
        self.v_proj = Linear(width, inner)
        self.out_proj = Linear(inner, width)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return (B, N, C) for queries (B, N, C), keys and values (B, M, C).

        `bias`, (B, 1, 1, M), is added to the logits: -inf hides a key.
        """
        q, k, v = self.q_proj(q), self.k_proj(k), self.v_proj(v)
        q, k, v = (split_heads(x, self.heads) for x in (q, k, v))
        bias = None if bias is None else bias.to(q.dtype)
        out: Tensor = self.out_proj(merge_heads(self.forms.dense(q, k, v, bias)))
        return out


def hidden(labels: Tensor, like: Tensor) -> Tensor:
    """Return the (B, 1, 1, N) bias that hides the clicks of (B, N) labels below 0."""
    bias = torch.zeros_like(labels, dtype=like.dtype).masked_fill(labels < 0, -torch.inf)
    return bias[:, None, None]


def before_tokens(bias: Tensor | None, own: Tensor) -> Tensor | None:
    """Let a bias of clicks begin with (T, C) tokens of the decoder's own, which all attend to."""
    return None if bias is None else F.pad(bias, (len(own), 0))


class TwoWayLayer(nn.Module):
    """Tokens attend to themselves and to the image, then the image attends to the tokens.

    With `first`, the self-attention has neither positions nor shortcut, as published.
    """

    def __init__(
        self, width: int, heads: int, mlp_dim: int, downsample: int, *, first: bool
    ) -> None:
        super().__init__()
        self.first = first
        self.self_attn = TokenAttention(width, heads)
        self.norm1 = Norm(width)
        self.cross_attn_token_to_image = TokenAttention(width, heads, downsample)
        self.norm2 = Norm(width)
        self.mlp = MLP(width, mlp_dim, "relu")
        self.norm3 = Norm(width)
        self.norm4 = Norm(width)
        self.cross_attn_image_to_token = TokenAttention(width, heads, downsample)

    def forward(
        self,
        tokens: Tensor,
        image: Tensor,
        tokens_pe: Tensor,
        image_pe: Tensor,
        bias: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return new tokens (B, N, C) and image (B, M, C)."""
        tokens = self.norm1(self._attend_to_tokens(tokens, tokens_pe, bias))
        keys = image + image_pe
        seen = self.cross_attn_token_to_image(tokens + tokens_pe, keys, image)
        tokens = self.norm2(tokens + seen)
        tokens = self.norm3(tokens + self.mlp(tokens))
        told = self.cross_attn_image_to_token(keys, tokens + tokens_pe, tokens, bias)
        return tokens, self.norm4(image + told)

    def _attend_to_tokens(self, tokens: Tensor, tokens_pe: Tensor, bias: Tensor | None) -> Tensor:
        if self.first:
            alone: Tensor = self.self_attn(tokens, tokens, tokens, bias)
            return alone
        query = tokens + tokens_pe
        out: Tensor = tokens + self.self_attn(query, query, tokens, bias)
        return out


class TwoWayTransformer(nn.Module):
    """Exchange between prompt tokens and an image (Segment Anything's decoder, in 3D).

    Args:
        width: channels of tokens and image.
        heads: of every attention.
        mlp_dim: hidden channels of the tokens' MLP.
        depth: number of layers.
        downsample: of the channels in the attention between tokens and image.
        published_first: whether the first layer's self-attention has neither positions nor
            shortcut.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_dim: int,
        *,
        depth: int = 2,
        downsample: int = 2,
        published_first: bool = True,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayLayer(width, heads, mlp_dim, downsample, first=published_first and i == 0)
            for i in range(depth)
        )
        self.final_attn_token_to_image = TokenAttention(width, heads, downsample)
        self.norm_final_attn = Norm(width)

    def forward(
        self, tokens: Tensor, image: Tensor, image_pe: Tensor, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the tokens (B, N, C) and the image (B, M, C) after the exchange.

        Args:
            tokens: (B, N, C), which are their own positional encoding.
            image: (B, M, C).
            image_pe: (M, C), added to the image where it is a key or a query.
            bias: (B, 1, 1, N), -inf for tokens that nothing is to attend to.
        """
        tokens_pe = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, tokens_pe, image_pe, bias)
        seen = self.final_attn_token_to_image(tokens + tokens_pe, image + image_pe, image)
        return self.norm_final_attn(tokens + seen), image


class MLPHead(nn.Module):
    """Three linear layers with ReLU between, on the last axis."""

    def __init__(self, width: int, hidden: int, out: int) -> None:
        super().__init__()
        sizes = (width, hidden, hidden, out)
        activations: tuple[Activation, ...] = ("relu", "relu", "none")
        layers = zip(pairwise(sizes), activations, strict=True)
        self.layers = nn.Sequential(*(Linear(*pair, activation) for pair, activation in layers))

    def forward(self, x: Tensor) -> Tensor:
        """Bring (..., width) to (..., out)."""
        out: Tensor = self.layers(x)
        return out


class MaskDecoder(nn.Module):
    """Turn an image embedding and prompts into four masks and their predicted IoU.

    Args:
        width: channels of the embedding and of the prompts' tokens.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(width, heads=8, mlp_dim=2048)
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(MASKS, width)
        self.output_upscaling = nn.Sequential(
            Upsample(width, width // 4),
            ChannelNorm(width // 4),
            nn.GELU(),
            Upsample(width // 4, width // 8, "gelu"),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLPHead(width, width, width // 8) for _ in range(MASKS)
        )
        self.iou_prediction_head = MLPHead(width, 256, MASKS)

    def forward(
        self,
        image: Tensor,
        image_pe: Tensor,
        clicks: Tensor,
        bias: Tensor | None = None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Decode the first mask, or the other three.

        Args:
            image: (B, C, g, g, g), the embedding with the previous mask's added.
            image_pe: (g³, C).
            clicks: (B, N, C).
            bias: (B, 1, 1, N) of the clicks: -inf where there is none, 0 elsewhere.
            multimask: whether to return masks 1 to 3 instead of mask 0.

        Returns:
            (B, 1 or 3, 4g, 4g, 4g) logits and (B, 1 or 3) predicted IoU.
        """
        wanted = slice(1, MASKS) if multimask else slice(0, 1)
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(len(clicks), -1, -1), clicks.to(own.dtype)], 1)
        cells = image.flatten(2).transpose(1, 2).to(own.dtype)
        tokens, cells = self.transformer(
            tokens, cells, image_pe.to(own.dtype), before_tokens(bias, own)
        )
        fine = self.output_upscaling(cells.transpose(1, 2).reshape(image.shape))
        weights = self._mask_weights(tokens[:, 1 : 1 + MASKS], wanted)
        logits = (fine.movedim(1, -1).flatten(1, 3) @ weights.mT).mT
        logits = logits.reshape(len(weights), -1, *fine.shape[2:])
        return logits, self.iou_prediction_head(tokens[:, 0])[:, wanted]

    def _mask_weights(self, tokens: Tensor, wanted: slice) -> Tensor:
        # (B, 4, C) -> (B, 1 or 3, C / 8)
        networks = list(self.output_hypernetworks_mlps)[wanted]
        chosen = tokens[:, wanted].unbind(1)
        return torch.stack([net(token) for net, token in zip(networks, chosen, strict=True)], 1)
