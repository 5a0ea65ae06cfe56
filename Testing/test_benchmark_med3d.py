"""Our SAM-Med3D against its authors' package, medim, with the same weights."""

import pytest
import torch
from torch.testing import assert_close

from fastsam3d.benchmark.systems import SYSTEMS
from fastsam3d.config import ModelConfig
from fastsam3d.loading import build

medim = pytest.importorskip("medim", reason="No medim: pip install -e '.[dev]'.")

SMALL = ModelConfig(
    attention=("padded", "padded", "relative"),
    heads=2,
    shortcut=True,
    width=32,
    embedding=48,
    patch_size=32,
)
POINTS = torch.tensor([[[3.0, 20.5, 5.0], [9.0, 30.0, 1.0]]])
LABELS = torch.tensor([[1, 0]])


@pytest.fixture(scope="module")
def ours():
    torch.manual_seed(0)
    network = build(SMALL).eval().requires_grad_(requires_grad=False)
    for value in network.parameters():
        value.copy_(value + 0.1 * torch.randn_like(value))
    return network


@pytest.fixture(scope="module")
def theirs(ours):
    network = medim.create_model(
        "SAM-Med3D",
        encoder_embed_dim=SMALL.width,
        encoder_depth=len(SMALL.attention),
        encoder_num_heads=SMALL.heads,
        encoder_global_attn_indexes=[2],
        prompt_embed_dim=SMALL.embedding,
        image_size=SMALL.patch_size,
    )
    network.load_state_dict(ours.state_dict())
    return network.eval().requires_grad_(requires_grad=False)


def test_the_whole_network_has_the_keys_and_shapes_of_theirs():
    with torch.device("meta"):
        theirs = medim.create_model("SAM-Med3D").state_dict()
        ours = SYSTEMS["sam-med3d"].build().state_dict()
    shapes = [{key: tuple(value.shape) for key, value in own.items()} for own in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_patches_are_embedded_as_theirs(ours, theirs):
    image = torch.randn(1, 1, 32, 32, 32)
    assert_close(ours.encode(image), theirs.image_encoder(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("with_mask", [False, True])
def test_clicks_are_answered_as_theirs(ours, theirs, multimask, with_mask):
    embedding = torch.randn(1, 48, 2, 2, 2)
    previous = torch.randn(1, 1, 8, 8, 8) if with_mask else None
    sparse, dense = theirs.prompt_encoder(points=(POINTS, LABELS), boxes=None, masks=previous)
    expected = theirs.mask_decoder(
        image_embeddings=embedding,
        image_pe=theirs.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=multimask,
    )
    got = ours.decode(embedding, POINTS, LABELS, previous, multimask=multimask)
    assert_close(got, tuple(expected), rtol=1e-4, atol=1e-4)
