import pytest
import torch
from torch.testing import assert_close

from fastsam3d.errors import InputError
from fastsam3d.packing import SCALE_SUFFIX, load_weights, pack, save_weights, unpack


@pytest.fixture
def state():
    rows = torch.logspace(-4, 2, 32)[:, None, None, None, None]
    random = torch.Generator().manual_seed(0)
    return {
        "conv.weight": rows * torch.randn(32, 8, 3, 3, 3, generator=random),
        "conv.bias": torch.randn(32, generator=random),
        "pos_embed": torch.randn(1, 8, 8, 8, 16, generator=random),
        "steps": torch.tensor([3, 70000]),
    }


def test_int8_is_off_by_at_most_half_a_step_of_its_row(state):
    packed = pack(state, int8=True)
    weight = state["conv.weight"]
    step = weight.flatten(1).abs().amax(1) / 127
    error = (unpack(packed)["conv.weight"] - weight).flatten(1).abs().amax(1)
    assert packed["conv.weight"].dtype == torch.int8
    assert bool((error <= 0.5001 * step).all())


def test_half_precision_is_off_by_at_most_two_to_the_minus_eleven(state):
    restored = unpack(pack(state))
    for key in ("conv.weight", "conv.bias", "pos_embed"):
        assert restored[key].dtype == torch.float32
        assert_close(restored[key], state[key], rtol=2**-11, atol=2**-25)


def test_vectors_single_rows_and_whole_numbers_are_not_made_int8(state):
    packed = pack(state, int8=True)
    assert packed["conv.bias"].dtype == packed["pos_embed"].dtype == torch.float16
    assert_close(packed["steps"], state["steps"], rtol=0, atol=0)
    assert [key for key in packed if key.endswith(SCALE_SUFFIX)] == ["conv.weight" + SCALE_SUFFIX]


def test_row_of_zeros_stays_zero():
    packed = pack({"weight": torch.zeros(64, 64)}, int8=True)
    assert_close(unpack(packed)["weight"], torch.zeros(64, 64), rtol=0, atol=0)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_value_that_is_not_finite_is_refused_by_name(value, int8):
    with pytest.raises(InputError, match=r"'blocks.0.weight'"):
        pack({"blocks.0.weight": torch.full((64, 64), value)}, int8=int8)


def test_value_too_large_for_half_precision_is_refused():
    with pytest.raises(InputError, match="'bias'"):
        pack({"bias": torch.tensor([7e4])})


def test_file_gives_back_what_was_packed(state, tmp_path):
    path = tmp_path / "own.safetensors"
    save_weights(path, state, int8=True)
    assert_close(load_weights(path), unpack(pack(state, int8=True)), rtol=0, atol=0)
    assert path.stat().st_size < 2 * sum(value.numel() for value in state.values())


def test_refused_weights_leave_the_older_file_as_it_was(state, tmp_path):
    path = tmp_path / "own.safetensors"
    save_weights(path, state)
    before = path.read_bytes()
    with pytest.raises(InputError):
        save_weights(path, state | {"conv.bias": torch.tensor([float("nan")])})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
