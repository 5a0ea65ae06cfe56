import copy

import pytest
import torch
import torch.nn.functional as F

from fastsam3d import fast
from fastsam3d.fast import can_be_packed, has_packing
from fastsam3d.layers import ChannelNorm, Conv, Linear, Norm, PatchConv, Upsample

needs_packing = pytest.mark.skipif(not has_packing(), reason="this torch has no oneDNN")
needs_bfloat16 = pytest.mark.skipif(
    not has_packing(torch.bfloat16), reason="this processor or torch has no bfloat16 in oneDNN"
)
CONVOLUTIONS = {
    "3³": lambda: Conv(6, 10, 3),
    "3³ with leaky ReLU": lambda: Conv(6, 10, 3, slope=0.1),
    "3³ with ReLU": lambda: Conv(6, 10, 3, slope=0.0),
    "1³ without bias": lambda: Conv(6, 10, 1, bias=False),
    "2³ in steps": lambda: Conv(6, 10, 2, 2),
}


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
    monkeypatch.setattr(fast, "has_packing", lambda dtype=None: False)
    layer = frozen("gelu")
    torch.testing.assert_close(layer(tokens), F.gelu(plain(layer, tokens)))
    assert layer._packed is None


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


def convolved(layer, x):
    """Return what a convolution is by definition."""
    out = F.conv3d(x, layer.weight, layer.bias, layer.stride, layer.padding)
    return out if layer.slope is None else F.leaky_relu(out, layer.slope)


@pytest.fixture
def cube():
    return torch.randn(2, 6, 8, 6, 4)


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_convolution_its_activation_and_sum_are_one_call_with_the_same_numbers(cube, kind, learns):
    layer = CONVOLUTIONS[kind]().requires_grad_(requires_grad=learns)
    expected = convolved(layer, cube)
    onto = torch.randn_like(expected)
    for given in (cube, cube.to(memory_format=torch.channels_last_3d), cube[:, :, :4, :2]):
        expected = convolved(layer, given)
        torch.testing.assert_close(layer(given), expected, rtol=1e-4, atol=1e-5)
        other = onto[:, :, : expected.shape[2], : expected.shape[3]]
        torch.testing.assert_close(layer(given, onto=other), expected + other, rtol=1e-4, atol=1e-5)
    assert (layer._packed is None) == (learns or not has_packing())


def test_convolution_changes_nothing_of_what_it_is_added_to(cube):
    layer = Conv(6, 6, 3).requires_grad_(requires_grad=False)
    before = cube.clone()
    layer(cube, onto=cube)
    assert torch.equal(cube, before)


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize(("activation", "function"), [("none", torch.clone), ("gelu", F.gelu)])
def test_cells_are_parted_into_eight_as_the_transposed_convolution_does(
    cube, activation, function, learns
):
    layer = Upsample(6, 10, activation).requires_grad_(requires_grad=learns)
    expected = function(F.conv_transpose3d(cube, layer.weight, layer.bias, stride=2))
    torch.testing.assert_close(layer(cube), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [lambda: Linear(6, 10), lambda: Conv(6, 10, 3)])
def test_layer_told_to_be_plain_packs_nothing(cube, make):
    layer = make().requires_grad_(requires_grad=False)
    layer.plain = True
    layer(cube if isinstance(layer, Conv) else cube.movedim(1, -1))
    assert layer._packed is None


@needs_bfloat16
@pytest.mark.parametrize("kind", [*CONVOLUTIONS, "linear", "upsample", "patches"])
def test_bfloat16_rounds_the_operands_and_the_outcome_alone(cube, kind):
    makers = CONVOLUTIONS | {
        "linear": lambda: Linear(4, 10, "gelu"),
        "upsample": lambda: Upsample(6, 10),
        "patches": lambda: PatchConv(10, 2),
    }
    layer = makers[kind]().requires_grad_(requires_grad=False)
    given = cube[:, :1] if kind == "patches" else cube
    given, layer = given.bfloat16().float(), layer.bfloat16().float()
    expected = layer(given)
    out = layer.bfloat16()(given)
    assert out.dtype == torch.bfloat16
    assert layer._packed is not None
    torch.testing.assert_close(out, expected.bfloat16(), rtol=2**-7, atol=2**-7)


@pytest.mark.parametrize("norm", [lambda: Norm(6), lambda: ChannelNorm(6)])
def test_norms_take_any_precision_and_answer_in_their_own(cube, norm):
    layer = norm()
    given = cube if isinstance(layer, ChannelNorm) else cube.movedim(1, -1)
    expected = layer(given.bfloat16().float())
    assert torch.equal(layer(given.bfloat16()), expected)
    assert layer.bfloat16()(given).dtype == torch.bfloat16
