import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import fastsam3d
from fastsam3d.config import PRESETS, ModelConfig
from fastsam3d.errors import InputError
from fastsam3d.inputs import pick_device
from fastsam3d.loading import build, load_model

SMALL = ModelConfig(
    attention=("padded", "relative", "none"),
    heads=2,
    shortcut=True,
    width=16,
    embedding=48,
    window=4,
    patch_size=32,
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build(SMALL).eval()


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


@pytest.fixture
def embedding(network):
    return network.encode(torch.randn(2, 1, 32, 32, 32))


@pytest.fixture
def clicks():
    return torch.tensor([[[3.0, 4, 5], [9, 30, 1]], [[16, 16, 16], [0, 0, 31]]]), torch.tensor(
        [[1, 0], [1, 1]]
    )


def test_batch_is_decoded_as_its_parts_are(network, embedding, clicks):
    points, labels = clicks
    previous = torch.randn(2, 1, 8, 8, 8)
    logits, iou = network.decode(embedding, points, labels, previous)
    for n in range(2):
        own = slice(n, n + 1)
        alone = network.decode(embedding[own], points[own], labels[own], previous[own])
        torch.testing.assert_close((logits[own], iou[own]), alone)


def test_one_patch_answers_several_sets_of_clicks(network, embedding, clicks):
    logits, _ = network.decode(embedding[:1], *clicks)
    alone, _ = network.decode(embedding[:1], *(each[1:] for each in clicks))
    torch.testing.assert_close(logits[1:], alone)


def test_three_masks_are_others_than_the_single_one(network, embedding, clicks):
    single, _ = network.decode(embedding, *clicks)
    several, iou = network.decode(embedding, *clicks, multimask=True)
    assert several.shape == (2, 3, 8, 8, 8)
    assert iou.shape == (2, 3)
    assert not torch.isclose(several, single).all(dim=(0, 2, 3, 4)).any()


def test_no_previous_mask_is_not_an_empty_one(network, embedding, clicks):
    none, _ = network.decode(embedding, *clicks)
    empty, _ = network.decode(embedding, *clicks, torch.zeros(2, 1, 8, 8, 8))
    assert not torch.allclose(none, empty)


def test_excluding_a_place_is_not_including_it(network, embedding, clicks):
    points, labels = clicks
    included, _ = network.decode(embedding, points, torch.ones_like(labels))
    excluded, _ = network.decode(embedding, points, torch.zeros_like(labels))
    assert not torch.allclose(included, excluded)


def test_arrays_give_what_tensors_give(network):
    patch = np.random.default_rng(0).normal(50, 20, (32, 32, 32)).astype(np.float32)
    embedding = network.embed_patch(patch)
    previous = np.ones((8, 8, 8), np.float32)
    logits, iou = network.predict(embedding, np.array([[1, 2, 3]]), np.array([1]), previous)
    expected, expected_iou = network.decode(
        embedding,
        torch.tensor([[[1.0, 2, 3]]]),
        torch.tensor([[1]]),
        torch.ones(1, 1, 8, 8, 8),
    )
    np.testing.assert_array_equal(logits, expected[0, 0])
    assert iou == float(expected_iou)


def test_at_the_first_click_the_previous_mask_is_zeros_as_published(network):
    embedding = network.embed_patch(np.ones((32, 32, 32), np.float32))
    click = np.array([[1, 2, 3]]), np.array([1])
    zeros = np.zeros((8, 8, 8), np.float32)
    first, _ = network.predict(embedding, *click)
    np.testing.assert_array_equal(first, network.predict(embedding, *click, zeros)[0])


def test_raw_intensities_are_normalised_before_they_are_encoded(network):
    patch = np.random.default_rng(0).normal(50, 20, (32, 32, 32)).astype(np.float32)
    embedding = network.embed_patch(np.abs(patch))
    torch.testing.assert_close(network.embed_patch(3 * np.abs(patch)), embedding)


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="Got the precision 'fp8'; expected auto or one of float"):
        load_model(precision="fp8")


def test_image_of_another_size_is_refused(network):
    with pytest.raises(InputError, match=r"expected \(B, 1, 32, 32, 32\)"):
        network.encode(torch.zeros(1, 1, 32, 32, 16))


@pytest.mark.parametrize(
    ("points", "labels", "mask_size", "message"),
    [
        (torch.zeros(2, 3), torch.ones(2), 8, "Got points of shape"),
        (torch.zeros(1, 0, 3), torch.ones(1, 0), 8, "N at least 1"),
        (torch.zeros(1, 2, 3), torch.ones(1, 3), 8, "expected one for every point"),
        (torch.zeros(1, 1, 3), torch.tensor([[2]]), 8, "Got labels .* expected 1 for inside"),
        (torch.zeros(1, 1, 3), torch.tensor([[-1]]), 8, "Got labels .* expected 1 for inside"),
        (torch.zeros(1, 1, 3), torch.ones(1, 1), 32, "Got mask_logits of shape"),
    ],
)
def test_wrong_prompts_are_refused(network, embedding, points, labels, mask_size, message):
    with pytest.raises(InputError, match=message):
        network.decode(embedding[:1], points, labels, torch.zeros(1, 1, *(mask_size,) * 3))


@pytest.fixture
def weights():
    with torch.device("meta"):
        network = build(PRESETS["fastsam3d"])
    return {key: torch.full(value.shape, 0.5) for key, value in network.state_dict().items()}


def test_weights_given_are_the_weights_loaded_and_frozen(weights):
    network = load_model("fastsam3d", state_dict=weights, device="cpu")
    assert all(bool((value == 0.5).all()) for value in network.state_dict().values())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_half_precision_weights_become_float32(weights):
    halves = {key: value.half() for key, value in weights.items()}
    network = load_model("fastsam3d", state_dict=halves, device="cpu")
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}


def test_weights_that_lack_a_key_are_refused_by_its_name(weights):
    del weights["mask_decoder.iou_token.weight"]
    with pytest.raises(InputError, match=r"mask_decoder\.iou_token\.weight"):
        load_model("fastsam3d", state_dict=weights)


def test_missing_weights_are_never_random_but_an_error_that_names_the_command(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match="fastsam3d weights get sam-med3d"):
        load_model("sam-med3d")


def test_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"'sam'; expected one of .*sam-med3d"):
        load_model("sam")


def test_device_that_is_not_here_is_refused_and_auto_picks_one_that_is():
    with pytest.raises(InputError, match=r"Got device 'abacus'; expected auto or one of .*cpu"):
        pick_device("abacus")
    assert torch.ones(1, device=pick_device("auto")).sum() == 1


def test_default_network_decodes_its_own_embedding_to_masks_of_64():
    torch.manual_seed(0)
    network = build(PRESETS["fastsam3d-default"]).eval()
    embedding = network.encode(torch.randn(1, 1, 128, 128, 128))
    points, labels = torch.full((2, 1, 3), 64.0), torch.tensor([[1], [0]])
    logits, iou = network.decode(embedding, points, labels, multimask=True)
    assert logits.shape == (2, 3, 64, 64, 64)
    assert iou.shape == (2, 3)


def test_a_network_is_opened_without_loading_the_compiler_of_torch():
    code = (
        "import sys; from fastsam3d.loading import load_model, outline;"
        "from fastsam3d.config import PRESETS; load_model(device='cpu');"
        "[outline(config) for config in PRESETS.values()];"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(fastsam3d.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
