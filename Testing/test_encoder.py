import pytest
import torch

from fastsam3d.attention import PLAIN
from fastsam3d.config import ModelConfig
from fastsam3d.encoder import Block, ImageEncoder, use_forms
from fastsam3d.errors import InputError


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def tokens():
    return torch.randn(2, 4, 4, 4, 12)


def scatter(network):
    """Give every parameter a value, those too that start at zero."""
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


@torch.no_grad()
def test_published_student_block_has_no_shortcut_round_its_second_norm(tokens):
    block = scatter(Block(12, 2, attention="none", shortcut=False))
    normed = block.norm2(tokens)
    torch.testing.assert_close(block(tokens), normed + block.mlp(normed))


@torch.no_grad()
def test_usual_block_adds_both_halves_to_its_input(tokens):
    block = scatter(Block(12, 2))
    mixed = tokens + block.attn(block.norm1(tokens))
    torch.testing.assert_close(block(tokens), mixed + block.mlp(block.norm2(mixed)))


def test_block_without_attention_holds_no_weights_for_it():
    keys = {key.partition(".")[0] for key in Block(12, 2, attention="none").state_dict()}
    assert keys == {"norm2", "mlp"}


@torch.no_grad()
def test_sparse_block_mixes_within_its_segments_only(tokens):
    block = scatter(Block(12, 2, attention="sparse", segment=8, ratio=4))
    changed = tokens.clone()
    changed[:, 0, 0, 0] = torch.randn(12)
    moved = (block(changed) != block(tokens)).any(-1).flatten(1)
    assert moved[0].nonzero().flatten().tolist() == list(range(0, 32, 4))


@torch.no_grad()
@pytest.mark.parametrize("kind", ["dense", "sparse", "relative", "padded"])
def test_fused_forms_give_the_numbers_of_the_plain_ones(tokens, kind):
    block = scatter(Block(12, 2, attention=kind, grid=4, window=6, segment=8, ratio=4))
    fused = block(tokens)
    use_forms(block, PLAIN)
    assert (block(tokens) - fused).norm() < 1e-5 * fused.norm()


@torch.no_grad()
def test_encoder_brings_a_patch_to_its_grid_in_order():
    config = ModelConfig(
        attention=("none",), heads=2, shortcut=True, width=16, embedding=24, patch_size=64
    )
    encoder = scatter(ImageEncoder(config))
    image = torch.zeros(1, 1, 64, 64, 64)
    changed = image.clone()
    changed[0, 0, 0, 20, 60] = 1
    tokens = encoder.patch_embed(changed) != encoder.patch_embed(image)
    assert tokens.any(-1).nonzero().tolist() == [[0, 0, 1, 3]]
    assert encoder(image).shape == (1, 24, 4, 4, 4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patch_size": 100}, "100 is not a multiple of the encoder's stride 16"),
        ({"heads": 7}, "768 is not a multiple of the 7 heads"),
        ({"attention": ("padded",), "window": 8}, "window of 8 tokens is not larger"),
    ],
)
def test_sizes_that_do_not_fit_together_are_refused(wrong, message):
    sizes = {"attention": ("relative",), "heads": 12, "shortcut": True}
    with pytest.raises(InputError, match=message):
        ModelConfig(**(sizes | wrong))
