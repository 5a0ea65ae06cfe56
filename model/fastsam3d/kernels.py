"""The fastest kernel for softmax(q kᵀ / √c + bias) v that a device has."""

import importlib
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

WRITTEN_OUT_KEYS = 1024
"""Keys up to which a CPU writes bfloat16 logits out; beyond, they would fill the memory."""

FLASH_CHANNELS = 256
"""Channels of a head up to which flash_attn goes."""


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attend from (B, heads, N, c) queries to (B, heads, M, c) keys, in one fused kernel.

    That is the package flash_attn's on CUDA, where it is installed and takes the operands; else
    torch's own, which are flash, memory-efficient or cuDNN's on CUDA, Metal's on MPS and a blocked
    one on a CPU. In bfloat16 a CPU multiplies whole matrices by oneDNN, twice as fast as by blocks.
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and k.shape[2] <= WRITTEN_OUT_KEYS:
        return _written_out(q, k, v, bias)
    if bias is None and suits_flash_attn(q) and (flash := flash_attn()) is not None:
        mixed: Tensor = flash(*(x.transpose(1, 2) for x in (q, k, v)))
        return mixed.transpose(1, 2)
    out: Tensor = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    return out


def suits_flash_attn(q: Tensor) -> bool:
    """Tell whether the package flash_attn takes queries."""
    halved = q.dtype in (torch.float16, torch.bfloat16)
    whole = q.shape[-1] % 8 == 0 and q.shape[-1] <= FLASH_CHANNELS
    return q.is_cuda and halved and whole and torch.cuda.get_device_capability(q.device) >= (8, 0)


@cache
def flash_attn() -> Callable[..., Any] | None:
    """Return the function of the package flash_attn; None where it is not installed or broken."""
    try:
        found: Callable[..., Any] = importlib.import_module("flash_attn").flash_attn_func
    except (ImportError, OSError, AttributeError):
        return None
    return found


def _written_out(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    scale, logits = 1 / math.sqrt(q.shape[-1]), q @ k.mT
    logits = logits * scale if bias is None else torch.add(bias, logits, alpha=scale)
    return logits.softmax(-1) @ v
