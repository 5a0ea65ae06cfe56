"""TinyViT against figures that timm 1.0.31 gave (`timm.models.tiny_vit.TinyVit`).

It had the last merge's stride set to 1, and the weights of `drawn` under the official keys.
"""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from drawn import fill, picture
from fastsam3d.benchmark.keys import official
from fastsam3d.benchmark.tiny_vit import TinyNetwork, TinyViT

PARAMETERS = 5_071_124
"""Without neck and classifier."""

FEATURES = {(0, 0, 0): -0.39624, (100, 3, 5): 0.90343, (200, 7, 7): 1.76836, (319, 6, 1): 0.0827}
"""Of an image of 128²: by channel, row and column, before the neck."""

NORM = 171.71232
"""Of all features."""


@pytest.fixture(scope="module")
def encoder():
    network = TinyViT(nn.Identity()).eval().requires_grad_(requires_grad=False)
    own = network.state_dict()
    network.load_state_dict({key: fill(f"image_encoder.{key}", own[key]) for key in own})
    return network


def test_features_are_those_that_timm_computes(encoder):
    features = encoder(picture(128))[0].permute(2, 0, 1)
    assert features.shape == (320, 8, 8)
    got = torch.stack([features[place] for place in FEATURES])
    assert_close(got, torch.tensor([*FEATURES.values()]), rtol=1e-4, atol=1e-4)
    assert float(features.norm()) == pytest.approx(NORM, rel=1e-5)


def test_it_has_as_many_parameters_as_timm_counts(encoder):
    assert sum(value.numel() for value in encoder.parameters()) == PARAMETERS


def test_the_embedding_and_the_masks_have_the_shape_of_sams():
    torch.manual_seed(0)
    network = TinyNetwork(64).eval()
    embedding = network.encode(torch.randn(2, 3, 64, 64))
    assert embedding.shape == (2, 256, 4, 4)
    clicks = torch.full((2, 1, 2), 30.0), torch.ones(2, 1, dtype=torch.long)
    logits, iou = network.decode(embedding, *clicks, multimask=True)
    assert logits.shape == (2, 3, 16, 16)
    assert iou.shape == (2, 3)


def test_the_keys_of_its_stages_are_the_official_ones():
    with torch.device("meta"):
        keys = {official(key) for key in TinyNetwork(64).state_dict()}
    assert {
        "image_encoder.patch_embed.seq.2.bn.running_var",
        "image_encoder.layers.0.blocks.1.conv3.c.weight",
        "image_encoder.layers.0.downsample.conv2.bn.num_batches_tracked",
        "image_encoder.layers.2.blocks.5.attn.attention_biases",
        "image_encoder.layers.3.blocks.1.mlp.norm.bias",
        "image_encoder.layers.3.blocks.0.local_conv.c.weight",
        "image_encoder.neck.3.weight",
    } <= keys
    assert not any("layers.3.downsample" in key or "indices" in key for key in keys)
