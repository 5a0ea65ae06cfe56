"""Time of encoding a patch and of decoding clicks on it, fused beside plain attention.

Speed does not depend on the weights, so the published networks get random ones.
"""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from bench_timing import Row, milliseconds, once
from fastsam3d import decoder
from fastsam3d.attention import (
    FUSED,
    PLAIN,
    AxisTables,
    Padding,
    dense_attention_plain,
    windowed_attention,
    windowed_attention_plain,
)
from fastsam3d.config import PRESETS
from fastsam3d.encoder import use_forms
from fastsam3d.errors import InputError
from fastsam3d.model import FastSAM3D, build, load_model

WINDOWED_BLOCKS = 8
"""Of the teacher's twelve."""


def default_network() -> tuple[FastSAM3D, bool]:
    """Return the default network, and whether its weights were there."""
    try:
        return load_model(device="cpu"), True
    except InputError:
        return random_network("fastsam3d-default"), False


def random_network(preset: str) -> FastSAM3D:
    torch.manual_seed(0)
    return build(PRESETS[preset]).requires_grad_(requires_grad=False).eval()


@torch.inference_mode()
def published(repeats: int, *, padded: bool) -> Iterator[Row]:
    """Time the published student and teacher.

    `padded` times the teacher's attention in its padded windows too: seconds, gigabytes.
    """
    student = random_network("fastsam3d")
    yield encode_row("student: encode", student, repeats, limit=250)
    yield decode_row("student: decode 3 clicks", student, repeats, limit=18)
    yield teacher_row(repeats)
    if padded:
        yield window_row(repeats)


@torch.inference_mode()
def default(repeats: int) -> Iterator[Row]:
    """Time the project's own network."""
    network, _ = default_network()
    yield encode_row("default: encode", network, repeats)
    yield decode_row("default: decode 3 clicks", network, repeats)


def encode_row(what: str, network: FastSAM3D, repeats: int, limit: float | None = None) -> Row:
    action = encoding(network)
    fused = milliseconds(action, repeats)
    use_forms(network, PLAIN)
    plain = milliseconds(action, repeats)
    use_forms(network, FUSED)
    return Row(what, fused, plain, limit, "plain: softmax written out")


def decode_row(what: str, network: FastSAM3D, repeats: int, limit: float | None = None) -> Row:
    embedding = encoding(network)()
    points = torch.tensor([[[64.0, 60.0, 70.0], [30.0, 90.0, 50.0], [80.0, 80.0, 20.0]]])
    labels, previous = torch.tensor([[1, 0, 1]]), torch.randn(1, 1, *(network.mask_size,) * 3)

    def action() -> Any:
        return network.decode(embedding, points, labels, previous)

    fused = milliseconds(action, 4 * repeats)
    with patch.object(decoder, "dense_attention", dense_attention_plain):
        plain = milliseconds(action, 4 * repeats)
    return Row(what, fused, plain, limit, "plain: softmax written out")


def teacher_row(repeats: int) -> Row:
    network = random_network("sam-med3d")
    return Row("teacher: encode", milliseconds(encoding(network), repeats), limit=750)


def window_row(repeats: int) -> Row:
    """Time one windowed attention of the teacher's size both ways, the padded one once."""
    grid, side, heads, width = 8, 14, 12, 64

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape)

    q, k, v = (drawn(1, heads, grid**3, width) for _ in range(3))
    padding = Padding(*(drawn(heads, width) for _ in range(3)))
    tables = AxisTables(*(0.1 * drawn(2 * side - 1, width) for _ in range(3)))
    ours = milliseconds(lambda: windowed_attention(q, k, v, padding, tables, grid), repeats)
    plain = once(lambda: windowed_attention_plain(q, k, v, padding, tables, grid))
    note = f"plain: window of {side}³ padded, timed once; an encode has {WINDOWED_BLOCKS} of them"
    return Row("teacher: one windowed attention", ours, plain, note=note)


def encoding(network: FastSAM3D) -> Callable[[], Any]:
    image = torch.randn(1, 1, *(network.patch_size,) * 3)
    return lambda: network.encode(image)
