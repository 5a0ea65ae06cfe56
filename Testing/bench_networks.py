"""Time of encoding a patch and of decoding clicks on it, fused beside plain attention.

Speed does not depend on the weights, so the published networks get random ones.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from bench_timing import Row, milliseconds, once
from fastsam3d import decoder, layers
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

PLAIN_NOTE = "plain: softmax written out, linear layers and activations one after the other"
TEACHER_NOTE = "plain: the same, and the windows of 8 of its 12 blocks padded to 14³; timed once"
WINDOW_NOTE = "plain: the window padded to 14³, softmax written out; timed once"


def default_network() -> tuple[FastSAM3D, bool]:
    """Return the default network, and whether its weights were there."""
    try:
        return load_model(device="cpu"), True
    except InputError:
        return random_network("fastsam3d-default"), False


def random_network(preset: str) -> FastSAM3D:
    torch.manual_seed(0)
    return load_model(preset, state_dict=build(PRESETS[preset]).state_dict(), device="cpu")


def published(repeats: int, *, padded: bool) -> Iterator[Row]:
    """Time the published student and teacher.

    `padded` times the teacher's padded windows too: seconds, gigabytes.
    """
    student = random_network("fastsam3d")
    yield encode_row("student: encode", student, repeats, limit=250)
    yield decode_row("student: decode 3 clicks", student, repeats, limit=18)
    yield teacher_row(repeats, padded=padded)
    if padded:
        yield window_row(repeats)


def default(repeats: int) -> Iterator[Row]:
    """Time the project's own network."""
    network, _ = default_network()
    yield encode_row("default: encode", network, repeats)
    yield decode_row("default: decode 3 clicks", network, repeats)


@contextmanager
def plainly(network: FastSAM3D) -> Iterator[None]:
    """Compute in plain torch for a while."""
    use_forms(network, PLAIN)
    with (
        patch.object(decoder, "dense_attention", dense_attention_plain),
        patch.object(layers, "has_packing", lambda: False),
    ):
        yield
    use_forms(network, FUSED)


def encode_row(what: str, network: FastSAM3D, repeats: int, limit: float | None = None) -> Row:
    action = encoding(network)
    ours = milliseconds(action, repeats)
    with plainly(network):
        plain = milliseconds(action, repeats)
    return Row(what, ours, plain, limit, note=PLAIN_NOTE)


def decode_row(what: str, network: FastSAM3D, repeats: int, limit: float | None = None) -> Row:
    embedding = encoding(network)()
    points = torch.tensor([[[64.0, 60.0, 70.0], [30.0, 90.0, 50.0], [80.0, 80.0, 20.0]]])
    labels, previous = torch.tensor([[1, 0, 1]]), torch.randn(1, 1, *(network.mask_size,) * 3)

    @torch.inference_mode()
    def action() -> Any:
        return network.decode(embedding, points, labels, previous)

    ours = milliseconds(action, 4 * repeats)
    with plainly(network):
        plain = milliseconds(action, 4 * repeats)
    return Row(what, ours, plain, limit, note=PLAIN_NOTE)


def teacher_row(repeats: int, *, padded: bool) -> Row:
    """Time the teacher's whole encode, with its windows padded once."""
    network = random_network("sam-med3d")
    action, plain = encoding(network), None
    ours = milliseconds(action, repeats)
    if padded:
        with plainly(network):
            plain = once(action)
    return Row("teacher: encode", ours, plain, limit=750, note=TEACHER_NOTE if padded else "")


@torch.inference_mode()
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
    return Row("teacher: one windowed attention", ours, plain, least_gain=8, note=WINDOW_NOTE)


def encoding(network: FastSAM3D) -> Callable[[], Any]:
    image = torch.randn(1, 1, *(network.patch_size,) * 3)
    return torch.inference_mode()(lambda: network.encode(image))
