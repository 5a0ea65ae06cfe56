"""Operations of a part of a network in two conventions: the paper's, and all of them."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..layers import Norm

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.LayerNorm, Norm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def count_published(
    module: nn.Module, *inputs: Any, leave_out: Sequence[str] = (), **named: Any
) -> int:
    """Count the operations of a call as the paper does: multiply-accumulates of modules.

    A transposed convolution counts as if every output saw its whole kernel, a norm counts four an
    element, and only if it is torch's own; what is computed between modules counts nothing.

    Args:
        module: best on the meta device, where nothing is computed.
        inputs: what it is called with.
        leave_out: modules do not count that have one of these texts in their name.
        named: what it is called with by name.
    """
    counted: Counter[str] = Counter()

    def count(name: str, layer: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        counted[name] += _operations(layer, given, out)

    hooks = [
        layer.register_forward_hook(partial(count, name))
        for name, layer in module.named_modules()
        if not any(text in name for text in leave_out)
    ]
    try:
        with torch.no_grad():
            module(*inputs, **named)
    finally:
        for hook in hooks:
            hook.remove()
    return counted.total()


def count_exact(
    module: nn.Module, *inputs: Any, leave_out: Sequence[str] = (), **named: Any
) -> int:
    """Count all multiplications and additions of a call, attention's among them.

    Args:
        module: best on the meta device.
        inputs: what it is called with.
        leave_out: modules inside it do not count that have one of these names.
        named: what it is called with by name.
    """
    # Else the counter follows gradients, which are missing where weights are frozen or on meta.
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs, **named)
    left_out = sum(
        sum(operations.values())
        for name, operations in counter.get_flop_counts().items()
        if name.rpartition(".")[2] in leave_out
    )
    return int(counter.get_total_flops()) - left_out


def _operations(layer: nn.Module, given: tuple[Any, ...], out: Any) -> int:
    if isinstance(layer, nn.Linear):
        return int(out.numel()) * layer.in_features
    if isinstance(layer, _CONVOLUTIONS):
        return int(out.numel()) * layer.weight[0].numel()
    if isinstance(layer, _TRANSPOSED):
        return int(out.numel()) * layer.in_channels * math.prod(layer.kernel_size)
    return 4 * int(given[0].numel()) if type(layer) in _NORMS else 0
