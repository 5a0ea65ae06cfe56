import copy

import pytest
import torch
import torch.nn.functional as F

from fastsam3d import layers
from fastsam3d.layers import Linear, PatchConv, can_be_packed, has_packing

needs_packing = pytest.mark.skipif(not has_packing(), reason="this torch has no oneDNN")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def tokens():
    return torch.randn(2, 3, 5, 48)


def frozen(activation="none"):
    return Linear(48, 72, activation).requires_grad_(requires_grad=False)


def plain(layer, tokens):
    return F.linear(tokens, layer.weight, layer.bias)


@needs_packing
def test_frozen_weights_are_packed_on_a_cpu(tokens):
    assert can_be_packed(tokens, frozen().weight)


@pytest.mark.parametrize(
    ("activation", "function"), [("none", torch.clone), ("relu", F.relu), ("gelu", F.gelu)]
)
def test_packed_layer_gives_the_numbers_of_layer_and_activation(tokens, activation, function):
    layer = frozen(activation)
    torch.testing.assert_close(layer(tokens), function(plain(layer, tokens)))


def test_tokens_of_any_layout_and_number_are_taken(tokens):
    layer = frozen("gelu")
    for given in (tokens.transpose(0, 2), tokens[..., :1, :], tokens[0, 0, 0], tokens[:0]):
        torch.testing.assert_close(layer(given), F.gelu(plain(layer, given)))


def changed_in_place(layer):
    layer.weight.mul_(2)


def loaded(layer):
    layer.load_state_dict(frozen().state_dict())


def given_new_ones(layer):
    layer.load_state_dict(frozen().state_dict(), assign=True)
    layer.requires_grad_(requires_grad=False)


def rounded(layer):
    layer.bfloat16().float()


@pytest.mark.parametrize("change", [changed_in_place, loaded, given_new_ones, rounded])
def test_weights_that_have_changed_are_packed_again(tokens, change):
    layer = frozen()
    before = layer(tokens)
    change(layer)
    assert not torch.equal(layer(tokens), before)
    torch.testing.assert_close(layer(tokens), plain(layer, tokens))


def test_layer_that_learns_is_plain_and_gives_gradients(tokens):
    layer = Linear(48, 72, "gelu")
    assert not can_be_packed(tokens, layer.weight)
    layer(tokens).sum().backward()
    assert layer.weight.grad.abs().sum() > 0


def test_gradients_pass_through_a_frozen_layer(tokens):
    tokens.requires_grad_()
    frozen("relu")(tokens).sum().backward()
    assert tokens.grad.abs().sum() > 0


def test_autocast_is_obeyed(tokens):
    with torch.autocast("cpu", torch.bfloat16):
        assert frozen("gelu")(tokens).dtype == torch.bfloat16


def test_weights_made_in_inference_mode_are_not_packed_for_they_keep_no_version(tokens):
    with torch.inference_mode():
        layer = frozen()
        assert not can_be_packed(tokens, layer.weight)
        torch.testing.assert_close(layer(tokens), plain(layer, tokens))


def test_packed_weights_are_no_part_of_the_state_and_not_copied(tokens):
    layer = frozen()
    before = layer(tokens)
    assert list(layer.state_dict()) == ["weight", "bias"]
    torch.testing.assert_close(copy.deepcopy(layer)(tokens), before)


def test_torch_without_packing_is_served(tokens, monkeypatch):
    monkeypatch.setattr(layers, "has_packing", lambda: False)
    layer = frozen("gelu")
    torch.testing.assert_close(layer(tokens), F.gelu(plain(layer, tokens)))
    assert layer._kept is None


@pytest.mark.parametrize("learns", [False, True])
def test_patches_are_multiplied_as_the_convolution_does(learns):
    layer = PatchConv(24, 4).requires_grad_(requires_grad=learns)
    image = torch.randn(2, 1, 8, 12, 16)
    expected = F.conv3d(image, layer.weight, layer.bias, stride=4).movedim(1, -1)
    tokens = layer(image)
    assert tokens.is_contiguous()
    torch.testing.assert_close(tokens, expected)
    layer.to(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(layer(image), expected)
