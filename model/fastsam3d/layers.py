"""The small layers that encoder, prompts and decoder share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Normalise a (B, C, D, H, W) tensor over its channels (LayerNorm, channels first)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        shape = self.weight.shape
        return F.layer_norm(x.movedim(1, -1), shape, self.weight, self.bias, self.eps).movedim(
            -1, 1
        )


class MLP(nn.Module):
    """Two linear layers with an activation between, on the last axis."""

    def __init__(self, width: int, hidden: int, activation: type[nn.Module] = nn.GELU) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        out: Tensor = self.lin2(self.act(self.lin1(x)))
        return out


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Bring (B, N, C) to (B, heads, N, C / heads)."""
    return x.reshape(*x.shape[:-1], heads, -1).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Bring (B, heads, N, c) back to (B, N, heads · c)."""
    return x.transpose(1, 2).flatten(2)
