"""The small layers that encoder, prompts and decoder share."""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["none", "relu", "gelu"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": F.relu,
    "gelu": F.gelu,
}


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


class Packed(NamedTuple):
    """A weight in oneDNN's own order, and what it was made from."""

    weight: Tensor
    source: Tensor
    version: int


class WithPacking(nn.Module):
    """A layer with a weight of (outputs, ...) that is multiplied in one call of oneDNN.

    Frozen weights are packed for it at the first use, and again once they have changed. The packed
    copy is not part of the state.
    """

    weight: Any
    bias: Any
    _kept: Packed | None = None

    def multiplied(self, x: Tensor, activation: Activation = "none") -> Tensor:
        """Bring (..., inputs) to (..., outputs), where `can_be_packed` says so."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._packed(), self.bias, activation, [], "none"
        )
        return out

    def _packed(self) -> Tensor:
        source, kept = self.weight, self._kept
        if kept is None or kept.source is not source or kept.version != source._version:
            packed = torch.ops.mkldnn._reorder_linear_weight(source.detach().flatten(1))
            self._kept = kept = Packed(packed, source, source._version)
        return kept.weight

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "WithPacking":
        self._kept = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def __getstate__(self) -> dict[str, Any]:
        # Packed weights can be neither copied nor pickled.
        return {**self.__dict__, "_kept": None}


class Linear(WithPacking, nn.Linear):
    """A linear layer and its activation: in float32 on a CPU, one call of oneDNN.

    Elsewhere, and with weights that learn, it is plain torch.
    """

    def __init__(self, inputs: int, outputs: int, activation: Activation = "none") -> None:
        super().__init__(inputs, outputs)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Bring (..., inputs) to (..., outputs)."""
        if can_be_packed(x, self.weight):
            return self.multiplied(x, self.activation)
        return ACTIVATIONS[self.activation](super().forward(x))


class PatchConv(WithPacking, nn.Conv3d):
    """A convolution of one channel whose kernels lie side by side: a linear layer on patches."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(1, channels, stride, stride)

    def forward(self, image: Tensor) -> Tensor:
        """Bring (B, 1, D, H, W) to (B, d, h, w, C)."""
        if not can_be_packed(image, self.weight):
            return super().forward(image).movedim(1, -1).contiguous()
        stride = self.stride[0]
        patches = image[:, 0]
        for axis in (1, 2, 3):
            patches = patches.unfold(axis, stride, stride)  # (B, d, h, w, stride, stride, stride)
        return self.multiplied(patches.flatten(4))


def can_be_packed(x: Tensor, weight: Tensor) -> bool:
    """Tell whether x is multiplied with packed weights: frozen ones, float32, on a CPU."""
    return (
        x.device.type == weight.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not (weight.requires_grad or weight.is_inference())
        and not (x.requires_grad and torch.is_grad_enabled())
        and not torch.is_autocast_enabled("cpu")
        and has_packing()
    )


@cache
def has_packing() -> bool:
    """Tell whether this build of torch has the two calls of oneDNN, by trying them."""
    one = torch.ones(1, 1)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(one)
        torch.ops.mkldnn._linear_pointwise(one, packed, one[0], "gelu", [], "none")
    except (AttributeError, RuntimeError):
        return False
    return True


class MLP(nn.Module):
    """Two linear layers with an activation between, on the last axis."""

    def __init__(self, width: int, hidden: int, activation: Activation = "gelu") -> None:
        super().__init__()
        self.lin1 = Linear(width, hidden, activation)
        self.lin2 = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        out: Tensor = self.lin2(self.lin1(x))
        return out


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Bring (B, N, C) to (B, heads, N, C / heads)."""
    return x.reshape(*x.shape[:-1], heads, -1).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Bring (B, heads, N, c) back to (B, N, heads · c)."""
    return x.transpose(1, 2).flatten(2)
