"""The small layers that encoder, prompts and decoder share."""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fast import Fast, cast_to, multiply
from .remembered import Remembered

Activation = Literal["none", "relu", "gelu"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": F.relu,
    "gelu": F.gelu,
}


class Norm(nn.LayerNorm):
    """A LayerNorm that takes any precision, and answers in that of its own weight."""

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        return super().forward(cast_to(x, self.weight))


class ChannelNorm(nn.Module):
    """Normalise a (B, C, D, H, W) tensor over its channels (LayerNorm, channels first)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        x, shape = cast_to(x, self.weight).movedim(1, -1), self.weight.shape
        return F.layer_norm(x, shape, self.weight, self.bias, self.eps).movedim(-1, 1)


class Linear(Fast, nn.Linear):
    """A linear layer and its activation."""

    def __init__(self, inputs: int, outputs: int, activation: Activation = "none") -> None:
        super().__init__(inputs, outputs)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Bring (..., inputs) to (..., outputs)."""
        x = cast_to(x, self.weight)
        if self.packs(x):
            return multiply(x, self.packed(), self.bias, self.activation)
        return ACTIVATIONS[self.activation](super().forward(x))


class PatchConv(Fast, nn.Conv3d):
    """A convolution of one channel whose kernels lie side by side: a linear layer on patches."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(1, channels, stride, stride)

    def forward(self, image: Tensor) -> Tensor:
        """Bring (B, 1, D, H, W) to (B, d, h, w, C)."""
        image = cast_to(image, self.weight)
        if self.plain:
            return super().forward(image).movedim(1, -1).contiguous()
        stride = self.stride[0]
        patches = image[:, 0]
        for axis in (1, 2, 3):
            patches = patches.unfold(axis, stride, stride)  # (B, d, h, w, stride, stride, stride)
        if self.packs(patches):
            return multiply(patches.flatten(4), self.packed(), self.bias)
        return F.linear(patches.flatten(4), self.weight.flatten(1), self.bias)


class Conv(Fast, nn.Conv3d):
    """A convolution, its leaky ReLU if it has one, and what the outcome is added to.

    Args:
        inputs: channels.
        outputs: channels.
        size: of the kernel; odd ones keep the grid, if `stride` is 1.
        stride: between the kernel's places.
        bias: whether there is one.
        slope: of the leaky ReLU below 0; None for no activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        stride: int = 1,
        *,
        bias: bool = True,
        slope: float | None = None,
    ) -> None:
        around = size // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, size, stride, around, bias=bias)
        self.slope = slope

    def forward(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        """Bring (B, inputs, D, H, W) to (B, outputs, d, h, w), added to `onto` if that is given."""
        x = cast_to(x, self.weight)
        if self.packs(x):
            return self._in_one_call(x, onto)
        out: Tensor = super().forward(x)
        if self.slope is not None:
            out = F.leaky_relu(out, self.slope)
        return out if onto is None else onto + out

    def _in_one_call(self, x: Tensor, onto: Tensor | None) -> Tensor:
        ops: Any = torch.ops.mkldnn
        given: tuple[Tensor | None, ...] = x, self.packed(x.shape), self.bias
        sizes = self.padding, self.stride, self.dilation, 1
        out: Tensor
        if onto is not None and self.slope is None:
            given = x, cast_to(onto, self.weight), *given[1:]
            out = ops._convolution_pointwise.binary(*given, *sizes, "add", None, None, [], None)
            return out
        activation = ("none", [], "") if self.slope is None else ("leaky_relu", [self.slope], "")
        out = ops._convolution_pointwise(*given, *sizes, *activation)
        return out if onto is None else onto + out

    def pack(self, weight: Tensor, shape: torch.Size | None) -> Tensor:
        """Bring the weight to the order that suits inputs of a shape."""
        sizes = self.padding, self.stride, self.dilation, 1
        packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, *sizes, shape)
        return packed


class Upsample(Fast, nn.ConvTranspose3d):
    """A transposed convolution of each cell to eight: a linear layer, and its activation."""

    def __init__(self, inputs: int, outputs: int, activation: Activation = "none") -> None:
        super().__init__(inputs, outputs, 2, 2)
        self.activation = activation
        self._rows = Remembered()

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Bring (B, inputs, D, H, W) to (B, outputs, 2D, 2H, 2W)."""
        x = cast_to(x, self.weight)
        if self.plain:
            return ACTIVATIONS[self.activation](super().forward(x, output_size))
        B, _, D, H, W = x.shape
        cells = self._linear(x.movedim(1, -1))
        # (B, D, H, W, 8 C) -> (B, D, 2, H, 2, W, 2, C) -> (B, C, 2D, 2H, 2W)
        parts = cells.view(B, D, H, W, 2, 2, 2, -1).permute(0, 1, 4, 2, 5, 3, 6, 7)
        return parts.reshape(B, 2 * D, 2 * H, 2 * W, -1).movedim(-1, 1)

    def _linear(self, x: Tensor) -> Tensor:
        bias = self.bias.repeat(8)
        if self.packs(x):
            return multiply(x, self.packed(), bias, self.activation)
        weight = self.weight
        if not weight.requires_grad:
            weight = self._rows.of(weight, (), lambda: _rows_of(weight).contiguous())
        else:
            weight = _rows_of(weight)
        return ACTIVATIONS[self.activation](F.linear(x, weight, bias))

    def pack(self, weight: Tensor, shape: torch.Size | None) -> Tensor:
        """Bring (inputs, outputs, 2, 2, 2) to a packed (8 · outputs, inputs)."""
        return super().pack(_rows_of(weight), shape)


def _rows_of(weight: Tensor) -> Tensor:
    # (inputs, outputs, 2, 2, 2) -> (8 * outputs, inputs)
    return weight.permute(2, 3, 4, 1, 0).flatten(0, 3)


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
