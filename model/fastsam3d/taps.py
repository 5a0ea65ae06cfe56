"""What the layers of an image encoder put out, for a student to follow."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from .compact import CompactEncoder
from .encoder import ImageEncoder
from .model import FastSAM3D

Encoder = ImageEncoder | CompactEncoder


def encoder_of(network: FastSAM3D) -> Encoder:
    """Return a network's image encoder."""
    encoder = network.image_encoder
    assert isinstance(encoder, Encoder)
    return encoder


def layer_outputs(encoder: Encoder, image: Tensor) -> tuple[list[Tensor], Any]:
    """Encode patches and keep what each layer put out.

    Args:
        encoder: of a published network or of one of our own.
        image: (B, 1, 128, 128, 128), normalised.

    Returns:
        Each layer's (B, 8, 8, 8, C), in their order, and the encoder's own answer.
    """
    with _tapped(encoder.blocks) as outputs:
        embedding = encoder(image)
    return outputs, embedding


@contextmanager
def _tapped(blocks: nn.Sequential | nn.ModuleList) -> Iterator[list[Tensor]]:
    """Lend a list that takes what each block puts out meanwhile."""
    outputs: list[Tensor] = []
    hooks = [
        block.register_forward_hook(lambda block, inputs, output: outputs.append(output))
        for block in blocks
    ]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def depth(encoder: Encoder) -> int:
    """Count the layers."""
    return len(encoder.blocks)


def width(encoder: Encoder) -> int:
    """Return the channels of a token."""
    return encoder.pos_embed.shape[-1]


def grid(encoder: Encoder) -> int:
    """Return the tokens along a side."""
    return encoder.pos_embed.shape[1]
