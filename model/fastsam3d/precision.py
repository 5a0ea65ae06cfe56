"""In which precision a network computes."""

from typing import Literal

import torch
from torch import nn

from .fast import Fast
from .layers import ChannelNorm

Precision = Literal["float32", "bfloat16", "float16"]
DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

HALVED = ("image_encoder", "mask_decoder")
"""Parts that float16 takes as a whole. What encodes clicks stays in float32 in any case: half
precision would move them."""


def cast(network: nn.Module, precision: Precision) -> None:
    """Bring what a float32 network multiplies to a precision, for good.

    In bfloat16, with its 8 bits, what blocks hand on stays float32, as in torch's autocast: the
    rounding of twelve sums would add up to a hundredth of the embedding. In float16, with 11, all
    is halved, so that nothing is converted on the way.
    """
    dtype = DTYPES[precision]
    for name, module in network.named_modules():
        if isinstance(module, Fast | ChannelNorm) or (precision == "float16" and name in HALVED):
            module.to(dtype)
    network.to(next(network.parameters()).device)  # lets go of what was recorded of it
