import pytest
import torch
from torch.testing import assert_close

from distilling import PUBLISHED_TEACHER, STUDENT, network
from fastsam3d.taps import depth, encoder_of, grid, layer_outputs, width


@pytest.mark.parametrize("config", [STUDENT, PUBLISHED_TEACHER], ids=["own", "published"])
def test_each_layer_is_tapped_once_and_the_answer_stays(config):
    encoder, image = encoder_of(network(config)), torch.randn(2, 1, 128, 128, 128)
    outputs, embedding = layer_outputs(encoder, image)
    assert [tuple(output.shape) for output in outputs] == [(2, 8, 8, 8, 16)] * depth(encoder)
    assert_close(tuple(embedding), tuple(encoder(image)))
    for block, before, after in zip(list(encoder.blocks)[1:], outputs, outputs[1:], strict=False):
        assert_close(block(before), after)


def test_taps_are_gone_afterwards_even_if_encoding_failed():
    encoder = encoder_of(network(STUDENT))
    with pytest.raises(RuntimeError):
        layer_outputs(encoder, torch.zeros(1, 2, 128, 128, 128))
    assert not any(block._forward_hooks for block in encoder.blocks)


def test_sizes_are_read_off_the_encoder():
    encoder = encoder_of(network(PUBLISHED_TEACHER))
    assert (depth(encoder), width(encoder), grid(encoder)) == (4, 16, 8)
