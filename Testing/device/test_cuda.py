"""What only a CUDA GPU shows: the answers of the CPU, and the same again whatever happened between.

Where there is none, all of this is left out; what of it a CPU can show, other tests do.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from fastsam3d.attention import (
    AxisTables,
    Padding,
    dense_attention,
    dense_attention_plain,
    relative_bias,
    sparse_attention,
    sparse_attention_plain,
    windowed_attention,
    windowed_attention_plain,
)
from fastsam3d.config import PRESETS
from fastsam3d.fastest import LARGEST_ERROR
from fastsam3d.geometry import Patch
from fastsam3d.loading import build, load_model
from fastsam3d.metrics import dice
from fastsam3d.phantom import make_phantom
from fastsam3d.session import Session

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

CUDA = torch.device("cuda")
BOUNDS = {torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 4e-2}
LEAST_DICE = 0.995
MIDDLE = 63.5


def drawn(*shape, dtype):
    random = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=random).to(CUDA, dtype)


def error(found, expected):
    """Return the relative error of what was found."""
    return float((found.double() - expected.double()).norm() / expected.double().norm())


def in_float64(function, *given, **named):
    """Compute a definition to all digits."""
    exact = [_as_float64(each) for each in given]
    return function(*exact, **named)


def _as_float64(value):
    if isinstance(value, torch.Tensor):
        return value.double()
    return type(value)(*map(_as_float64, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("biased", [False, True])
@torch.inference_mode()
def test_dense_attention_is_its_definition(dtype, biased):
    q, k, v = (drawn(1, 6, 512, 128, dtype=dtype) + n for n in range(3))
    bias = drawn(1, 6, 512, 512, dtype=dtype) if biased else None
    expected = in_float64(dense_attention_plain, q, k, v, bias)
    assert error(dense_attention(q, k, v, bias), expected) < BOUNDS[dtype]


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize(("segment", "ratio"), [(64, 4), (16, 8), (128, 2)])
@torch.inference_mode()
def test_sparse_attention_is_its_definition(dtype, segment, ratio):
    q, k, v = (drawn(2, 4, 512, 64, dtype=dtype) + n for n in range(3))
    sizes = {"segment": segment, "ratio": ratio}
    expected = in_float64(sparse_attention_plain, q, k, v, **sizes)
    assert error(sparse_attention(q, k, v, **sizes), expected) < BOUNDS[dtype]


@pytest.mark.parametrize("dtype", BOUNDS)
@torch.inference_mode()
def test_attention_with_relative_positions_is_its_definition(dtype):
    q, k, v = (drawn(1, 12, 512, 64, dtype=dtype) + n for n in range(3))
    near, wide = (
        AxisTables(*(0.1 * drawn(2 * side - 1, 64, dtype=dtype) + n / 20 for n in range(3)))
        for side in (8, 14)
    )
    padding = Padding(*(drawn(12, 64, dtype=dtype) + n for n in range(3)))
    expected = in_float64(windowed_attention_plain, q, k, v, padding, wide, 8)
    assert error(windowed_attention(q, k, v, padding, wide, 8), expected) < BOUNDS[dtype]
    bias = in_float64(relative_bias, q, near, 8)
    assert error(relative_bias(q, near, 8), bias) < BOUNDS[dtype]


@pytest.fixture(scope="module")
def phantom():
    return make_phantom()


@pytest.fixture(scope="module")
def patches(phantom):
    """Cut patches round organs."""
    found = {}
    for name in ("liver", "spleen", "left kidney"):
        middle = np.argwhere(phantom.organ(name)).mean(0)
        place = phantom.ijk_to_ras @ [*middle[::-1], 1]
        patch = Patch(tuple(map(float, place[:3])), 1.5)
        found[name] = patch.sample(phantom.array_kji, phantom.ijk_to_ras)
    return found


@pytest.fixture(scope="module")
def states():
    """Draw weights for the published networks; the default has its own."""
    torch.manual_seed(0)
    drawn = {name: build(PRESETS[name]).state_dict() for name in ("fastsam3d", "sam-med3d")}
    return drawn | {"fastsam3d-default": None}


def network(states, name, device, precision):
    return load_model(name, state_dict=states[name], device=device, precision=precision)


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16", "auto"])
@pytest.mark.parametrize("name", ["fastsam3d", "sam-med3d", "fastsam3d-default"])
def test_embedding_is_that_of_the_cpu_in_float32(states, patches, name, precision):
    ours, plain = network(states, name, "cuda", precision), network(states, name, "cpu", "float32")
    for _ in range(2):  # recorded, then replayed
        found = ours.parts_of(ours.embed_patch(patches["liver"]))
        expected = plain.parts_of(plain.embed_patch(patches["liver"]))
        for one, other in zip(found, expected, strict=True):
            assert error(one.cpu(), other) < LARGEST_ERROR


@pytest.mark.parametrize("precision", ["float16", "auto"])
@pytest.mark.parametrize("name", ["liver", "spleen", "left kidney"])
def test_masks_are_those_of_the_cpu_in_float32(states, patches, name, precision):
    found = []
    for device, kind in (("cuda", precision), ("cpu", "float32")):
        model = network(states, "fastsam3d-default", device, kind)
        embedding = model.embed_patch(patches[name])
        first, _ = model.predict(embedding, [[MIDDLE] * 3], [1])
        second, _ = model.predict(embedding, [[MIDDLE] * 3, [30, 90, 50]], [1, 0], first)
        found.append((first > 0, second > 0))
    for ours, plain in zip(*found, strict=True):
        assert dice(ours, plain) > LEAST_DICE


@pytest.mark.parametrize("name", ["fastsam3d", "fastsam3d-default"])
def test_clicks_that_fill_up_a_recording_mean_nothing(states, patches, name):
    ours, plain = network(states, name, "cuda", "float32"), network(states, name, "cpu", "float32")
    one, other = (model.embed_patch(patches["spleen"]) for model in (ours, plain))
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 5, 9, 17):
        clicks = rng.uniform(0, 127, (count, 3)), rng.integers(0, 2, count)
        found, expected = ours.predict(one, *clicks)[0], plain.predict(other, *clicks)[0]
        np.testing.assert_allclose(found, expected, atol=2e-2 * np.abs(expected).max())


def play(model, phantom, organ):
    """Segment an organ with three clicks; return the masks after each."""
    session = Session(model, phantom.array_kji, phantom.ijk_to_ras)
    places = np.argwhere(phantom.organ(organ))
    masks = []
    for step in (2, 3, 4):
        k, j, i = places[len(places) // step]
        session.click((i, j, k), space="ijk")
        masks.append(session.mask.copy())
    return masks


@pytest.fixture(scope="module")
def model():
    return load_model(device="cuda")


@pytest.mark.parametrize("organ", ["liver", "spleen"])
def test_clicks_give_the_masks_of_the_cpu(phantom, organ):
    found = play(load_model(device="cuda", precision="float32"), phantom, organ)
    expected = play(load_model(device="cpu", precision="float32"), phantom, organ)
    for one, other in zip(found, expected, strict=True):
        assert dice(one, other) > LEAST_DICE


def test_sessions_side_by_side_do_not_meet(model, phantom):
    organs = ["liver", "spleen", "left kidney", "stomach"] * 2
    alone = {organ: play(model, phantom, organ) for organ in set(organs)}
    with ThreadPoolExecutor(len(organs)) as pool:
        together = list(pool.map(lambda organ: play(model, phantom, organ), organs))
    for organ, masks in zip(organs, together, strict=True):
        for one, other in zip(masks, alone[organ], strict=True):
            assert dice(one, other) > LEAST_DICE


def test_it_works_again_after_it_was_on_another_device(phantom):
    model = load_model(device="cuda", precision="float32")
    before = play(model, phantom, "spleen")
    model.to("cpu")
    aside = play(model, phantom, "spleen")
    model.to("cuda")
    for one, other, third in zip(before, aside, play(model, phantom, "spleen"), strict=True):
        assert dice(one, other) > LEAST_DICE
        assert dice(one, third) > LEAST_DICE


def test_it_works_again_after_the_memory_was_full(model, phantom, patches):
    before = play(model, phantom, "spleen")
    fresh = load_model(device="cuda")
    taken = []
    for size in (1 << 32, 1 << 28, 1 << 24, 1 << 21):
        try:
            while True:
                taken.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            continue
    with pytest.raises(torch.OutOfMemoryError):
        fresh.embed_patch(patches["liver"])
    taken.clear()
    torch.cuda.empty_cache()
    for one, other in zip(play(fresh, phantom, "spleen"), before, strict=True):
        assert dice(one, other) > LEAST_DICE


def test_no_compiler_is_loaded(model, phantom):
    play(model, phantom, "spleen")
    assert not {"triton", "torch._inductor"} & set(sys.modules)
