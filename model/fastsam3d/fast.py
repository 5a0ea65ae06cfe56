"""Layers that compute in their weights' precision and, on a CPU, in one call of oneDNN."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Packed(NamedTuple):
    """A weight in oneDNN's own order, what it was made from, and for inputs of which shape."""

    weight: Tensor
    source: Tensor
    version: int
    shape: torch.Size | None


class Fast(nn.Module):
    """A layer with a fast form, that of frozen weights on a CPU: they are packed for oneDNN.

    They are so at the first use, and again once they have changed. The packed copy is not part of
    the state. Elsewhere, with weights that learn and where `plain` is set, the layer is torch's
    own.
    """

    weight: Any
    bias: Any
    plain = False
    _packed: Packed | None = None

    def packs(self, x: Tensor) -> bool:
        """Tell whether the fast form is to be taken."""
        return not self.plain and can_be_packed(x, self.weight)

    def packed(self, shape: torch.Size | None = None) -> Tensor:
        """Return the packed weight, of a convolution for inputs of a shape."""
        source, kept = self.weight, self._packed
        if (
            kept is None
            or kept.source is not source
            or kept.version != source._version
            or kept.shape != shape
        ):
            packed = self.pack(source.detach(), shape)
            self._packed = kept = Packed(packed, source, source._version, shape)
        return kept.weight

    def pack(self, weight: Tensor, shape: torch.Size | None) -> Tensor:
        """Bring a weight to oneDNN's order: of a linear layer, (outputs, ...)."""
        packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.flatten(1))
        return packed

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Fast":
        self._packed = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def __getstate__(self) -> dict[str, Any]:
        # Packed weights can be neither copied nor pickled.
        return {**self.__dict__, "_packed": None}


def cast_to(x: Tensor, weight: Tensor) -> Tensor:
    """Bring a layer's input to its weight's precision, unless autocast sees to that."""
    if x.dtype == weight.dtype:
        return x
    automatic = not x.is_meta and torch.is_autocast_enabled(x.device.type)
    return x if automatic else x.to(weight.dtype)


def multiply(x: Tensor, packed: Tensor, bias: Tensor | None, activation: str = "none") -> Tensor:
    """Multiply (..., inputs) by a packed linear weight, and activate: one call of oneDNN."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, activation, [], "none")
    return out


def can_be_packed(x: Tensor, weight: Tensor) -> bool:
    """Tell whether x is multiplied with packed weights: frozen ones, on a CPU, cast or float32."""
    return (
        x.device.type == weight.device.type == "cpu"
        and x.dtype == weight.dtype
        and not (weight.requires_grad or weight.is_inference())
        and not (x.requires_grad and torch.is_grad_enabled())
        and not torch.is_autocast_enabled("cpu")
        and has_packing(weight.dtype)
    )


@cache
def has_packing(dtype: torch.dtype = torch.float32) -> bool:
    """Tell whether this torch and processor have oneDNN's calls in a precision, by trying them."""
    if dtype not in (torch.float32, torch.bfloat16):
        return False
    one, cube = torch.ones(1, 1, dtype=dtype), torch.ones(1, 1, 1, 1, 1, dtype=dtype)
    still, step = [0] * 3, [1] * 3
    ops: Any = torch.ops.mkldnn
    try:
        multiply(one, ops._reorder_linear_weight(one), one[0], "gelu")
        packed = ops._reorder_convolution_weight(cube, still, step, step, 1, [1] * 5)
        ops._convolution_pointwise(cube, packed, one[0], still, step, step, 1, "none", [], "")
    except (AttributeError, RuntimeError):
        return False
    return True
