"""What a network that reads slices gets of its earlier answers, as a user has it."""

import numpy as np
import pytest
import torch

from fastsam3d.benchmark.planar_method import PlanarMethod
from fastsam3d.benchmark.sam import SamNetwork, make_parts
from fastsam3d.benchmark.sam_med2d import SamMed2DNetwork, adapt, build_sam_med2d
from minibench import AFFINE

SIZE = 64


@pytest.fixture
def parts():
    torch.manual_seed(0)
    return make_parts(SIZE, layers=1, width=48)


@pytest.fixture
def volume():
    return np.random.default_rng(0).normal(size=(3, 32, 32)).astype(np.float32)


def masks_seen(network, volume):
    """Click twice on a slice; return the masks that the network got, and its first answer."""
    network.eval().requires_grad_(requires_grad=False)
    seen, answers = [], []
    network.prompt_encoder.register_forward_pre_hook(lambda _, given: seen.append(given[3]))
    network.mask_decoder.register_forward_hook(lambda _, given, out: answers.append(out))
    method = PlanarMethod("small", network)
    method.start(volume, AFFINE)
    method.click((1, 12, 16), positive=True)
    method.click((1, 20, 20), positive=False)
    masks, iou = answers[0][:2]
    return seen, masks[:, 0, iou[0, 0].argmax()][:, None]


def test_sam_is_given_its_logits_again(parts, volume):
    (first, second), logits = masks_seen(SamNetwork(parts, SIZE), volume)
    assert first is None
    torch.testing.assert_close(second, logits)


def test_sam_med2d_is_given_probabilities_as_in_its_own_training(parts, volume):
    (first, second), logits = masks_seen(SamMed2DNetwork(adapt(parts), SIZE), volume)
    assert first is None
    torch.testing.assert_close(second, logits.sigmoid())


def test_sam_med2d_of_the_tables_is_that_network():
    with torch.device("meta"):
        assert isinstance(build_sam_med2d(), SamMed2DNetwork)
