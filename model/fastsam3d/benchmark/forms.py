"""The four forms of attention that Table 4 compares, in an encoder of our geometry or the paper's.

"flash" is `scaled_dot_product_attention` in a fused kernel, which never holds the logits: on CUDA
flash attention in bfloat16 and the memory-efficient kernel in float32, which flash does not take;
on the CPU its fused CPU kernel. The others write all logits out. Sparse segments are computed all
at once in either.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..attention import (
    FUSED,
    Forms,
    dense_attention_plain,
    relative_bias,
    windowed_attention_plain,
)
from ..config import PRESETS, TOKEN, AttentionKind, CompactConfig, ModelConfig
from ..encoder import Attention, use_forms
from ..loading import build
from .parts import LEFT_OUT, Part, part_of

ENCODER = "fastsam3d.benchmark.forms:encoder"
"""The maker of what is measured."""

OURS, PUBLISHED = "fastsam3d-default", "published"
GEOMETRIES = {PUBLISHED: "fastsam3d", OURS: OURS}
"""The preset of each geometry. The published one stands without its relative positions, which no
fused kernel takes."""

FLASH = ("flash", "sparse+flash")
SPARSE = ("sparse", "sparse+flash")

USUAL = (64, 4)
"""w and r of the published code, and of our weights."""

TRAINED_TOKENS = 8
"""A side of what our weights read."""

Sizes = tuple[int, int]
"""Segment length w and dilation r."""


def sparse_written_out(
    q: Tensor, k: Tensor, v: Tensor, *, segment: int = USUAL[0], ratio: int = USUAL[1]
) -> Tensor:
    """Compute `attention.sparse_attention` with all logits written out, all segments at once."""
    q, k, v = (_segments(x, segment, ratio) for x in (q, k, v))
    out = dense_attention_plain(q, k, v)
    # (B, heads, spans, r, w, c) -> (B, heads, N, c)
    return out.movedim(3, 4).flatten(2, 4)


WRITTEN_OUT = Forms(
    dense_attention_plain, sparse_written_out, windowed_attention_plain, relative_bias
)


def sizes_of(tokens: int, segments: Iterable[int], dilations: Iterable[int]) -> Iterator[Sizes]:
    """Yield each w and r whose product divides the tokens of a cube of so many a side."""
    yield from ((w, r) for w, r in product(segments, dilations) if tokens**3 % (w * r) == 0)


def use_form(network: nn.Module, form: str, sizes: Sizes = USUAL) -> None:
    """Make the attention of a network's blocks dense or sparse, flash or not; its weights stay."""
    use_forms(network, FUSED if form in FLASH else WRITTEN_OUT)
    for module in network.modules():
        if isinstance(module, Attention):
            module.sparse = form in SPARSE
            module.segment, module.ratio = sizes


def config_of(geometry: str, tokens: int) -> ModelConfig | CompactConfig:
    """Return the configuration of a geometry, dense, for a cube of so many tokens a side."""
    config = PRESETS[GEOMETRIES[geometry]]
    if isinstance(config, CompactConfig):
        return replace(config, attention="dense", patch_size=tokens * TOKEN)
    attention: tuple[AttentionKind, ...] = tuple(
        "none" if kind == "none" else "dense" for kind in config.attention
    )
    return replace(config, attention=attention, patch_size=tokens * config.stride)


def encoder(
    device: str,
    *,
    geometry: str,
    tokens: int,
    form: str,
    segment: int | None = None,
    dilation: int | None = None,
) -> Part:
    """Make the encoder of a geometry with random weights, in one form.

    Args:
        device: "cpu", "cuda", "mps" or "meta".
        geometry: of `GEOMETRIES`.
        tokens: a side.
        form: of `table_ablation.FORMS`.
        segment: w of sparse attention.
        dilation: r of it.
    """
    torch.manual_seed(0)
    with torch.device("meta" if device == "meta" else "cpu"):
        network = build(config_of(geometry, tokens)).eval().requires_grad_(requires_grad=False)
    network.to(device)
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    use_form(network, form, (segment or USUAL[0], dilation or USUAL[1]))
    # The code behind the paper's flash rows did without the projection, which its count shows.
    leave_out = LEFT_OUT["fastsam3d"] if geometry == PUBLISHED and form in FLASH else ()
    part = part_of(network, "encoder", leave_out)
    alone = form in FLASH and torch.device(device).type in ("cpu", "cuda")
    return replace(part, run=_in_a_fused_kernel(part.run)) if alone else part


def _in_a_fused_kernel(run: Callable[[], Any]) -> Callable[[], Any]:
    """Let attention fail where torch would take up its plain form without a word."""

    def fused() -> Any:
        with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]):
            return run()

    return fused


def _segments(x: Tensor, segment: int, ratio: int) -> Tensor:
    # (B, heads, N, c) -> (B, heads, spans, r, w, c)
    B, heads, _, channels = x.shape
    return x.reshape(B, heads, -1, segment, ratio, channels).movedim(4, 3)
