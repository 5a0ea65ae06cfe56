"""Half precision answers as float32 does: the embedding within 1 %, masks the same."""

import numpy as np
import pytest
import torch

from fastsam3d import fast
from fastsam3d.config import PRESETS, CompactConfig, ModelConfig
from fastsam3d.fastest import LARGEST_ERROR, _error, _patch
from fastsam3d.geometry import Patch
from fastsam3d.images import read_volume
from fastsam3d.loading import build, load_model
from fastsam3d.manifest import read_manifest
from fastsam3d.metrics import dice
from fastsam3d.precision import cast

HALVES = ("bfloat16", "float16")
SMALL = ModelConfig(
    attention=("padded", "relative", "none"),
    heads=2,
    shortcut=True,
    width=32,
    embedding=48,
    window=4,
    patch_size=32,
)
SMALL_OF_OURS = CompactConfig(width=32, depth=3, heads=2, embedding=32, middle=8, fine=8)
CLICKS = np.array([[64.0, 64.0, 64.0], [50.0, 70.0, 66.0]]), np.array([1, 0])


def parts(embedding):
    each = [embedding] if isinstance(embedding, torch.Tensor) else embedding
    return [part.float() for part in each]


@pytest.fixture(autouse=True)
def _inference():
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("config", [SMALL, PRESETS["fastsam3d"], SMALL_OF_OURS])
def test_embedding_is_that_of_float32_within_a_hundredth(config, precision):
    network = build(config).eval().requires_grad_(requires_grad=False)
    patch = _patch(config.patch_size)
    expected = parts(network.embed(patch))
    cast(network, precision)
    assert 0 < _error(parts(network.embed(patch)), expected) < LARGEST_ERROR


@pytest.mark.parametrize("precision", HALVES)
def test_clicks_keep_their_places_to_the_digit(precision):
    network = build(SMALL)
    points, labels = 32 * torch.rand(1, 3, 3), torch.tensor([[1, 0, 1]])
    expected = network.prompt_encoder.clicks(points, labels)
    cast(network, precision)
    assert torch.equal(network.prompt_encoder.clicks(points, labels), expected)


def test_float16_converts_nothing_between_the_layers():
    network = build(SMALL)
    cast(network, "float16")
    kinds = {value.dtype for value in network.image_encoder.parameters()}
    kinds |= {value.dtype for value in network.mask_decoder.parameters()}
    assert kinds == {torch.float16}


@pytest.mark.parametrize(
    ("precision", "scans", "least"),
    [("bfloat16", 4, 0.99), pytest.param("float16", 1, 0.995, marks=pytest.mark.slow)],
)
def test_masks_in_real_scans_are_those_of_float32(data_folder, precision, scans, least):
    networks = [load_model(device="cpu", precision=each) for each in ("float32", precision)]
    rows = [row for row in read_manifest(data_folder / "dev" / "manifest.csv") if row.image]
    for row in rows[:scans]:
        scan = read_volume(row.image)
        middle = scan.ijk_to_ras @ [*(np.array(scan.array_kji.shape[::-1]) / 2), 1]
        patch = Patch(tuple(middle[:3]), 2.0).sample(scan.array_kji, scan.ijk_to_ras)
        masks = [
            network.predict(network.embed_patch(patch), *CLICKS)[0] > 0 for network in networks
        ]
        assert masks[0].sum() > 100
        assert dice(*masks) > least


def test_network_that_was_used_before_it_was_cast_computes_in_the_new_precision(monkeypatch):
    monkeypatch.setattr(fast, "has_packing", lambda dtype=None: False)  # as on a GPU
    network = build(SMALL).eval().requires_grad_(requires_grad=False)
    patch, click = _patch(SMALL.patch_size), (torch.full((1, 1, 3), 9.0), torch.ones(1, 1).long())
    expected = network.answer(network.embed(patch), *click, None, multimask=False)[0]
    cast(network, "bfloat16")
    found = network.answer(network.embed(patch), *click, None, multimask=False)[0]
    assert found.dtype == torch.bfloat16
    assert _error([found.float()], [expected]) < 0.2
