"""A network as it works on a CUDA GPU, its recordings repeated on the CPU."""

import copy
import pickle
import weakref

import numpy as np
import pytest
import torch

from fastsam3d.config import CompactConfig, ModelConfig
from fastsam3d.loading import build
from fastsam3d.precision import DTYPES, cast
from fastsam3d.replayed import PADDING, Replayed, padded
from fastsam3d.undrawn import Undrawn
from test_recorded import Repeating
from watching import Watched

PUBLISHED = ModelConfig(
    attention=("padded", "relative", "none"),
    heads=2,
    shortcut=True,
    width=16,
    embedding=48,
    window=4,
    patch_size=32,
)
OURS = CompactConfig(width=16, depth=3, heads=2, embedding=32, middle=8, fine=8)


@pytest.fixture(params=[PUBLISHED, OURS], ids=["published", "ours"])
def network(request):
    torch.manual_seed(0)
    return build(request.param).eval().requires_grad_(requires_grad=False)


@pytest.fixture
def record():
    return Repeating()


@pytest.fixture
def replayed(network, record):
    return Replayed(network, record)


@pytest.fixture
def patch(network):
    return np.random.default_rng(0).normal(50, 20, (network.patch_size,) * 3).astype(np.float32)


def clicks(count):
    rng = np.random.default_rng(count)
    return rng.uniform(0, 31, (count, 3)), rng.integers(0, 2, count)


def test_embedding_is_that_of_the_network(network, replayed, patch):
    expected = network.parts_of(network.embed_patch(patch))
    found = network.parts_of(replayed.embed(torch.from_numpy(patch)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [1, 3, 8, 9])
def test_answers_to_any_number_of_clicks_are_those_of_the_network(network, replayed, patch, count):
    embedding = network.embed_patch(patch)
    rng = np.random.default_rng(1)
    previous = rng.normal(0, 4, (network.mask_size,) * 3).astype(np.float32)
    expected, expected_iou = network.predict(embedding, *clicks(count), previous)
    logits, iou = replayed.predict(embedding, *clicks(count), previous)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3)
    assert iou == pytest.approx(expected_iou, abs=1e-3)


def test_few_numbers_of_clicks_are_recorded(network, replayed, record, patch):
    embedding = network.embed_patch(patch)
    previous = np.zeros((network.mask_size,) * 3, np.float32)
    for count in range(1, 34):
        replayed.predict(embedding, *clicks(count), previous)
    assert record.recorded == 3  # up to 8, 32 and 128 clicks


def test_clicks_are_filled_up_with_ones_that_are_none():
    points, labels = padded(np.ones((3, 3), np.float32), np.array([1, 0, 1]))
    assert points.shape == (1, 8, 3)
    assert labels.tolist() == [[1, 0, 1, *[PADDING] * 5]]
    for count, whole in ((8, 8), (9, 32), (32, 32), (33, 128)):
        many = padded(np.ones((count, 3), np.float32), np.ones(count, np.int64))
        assert many[1].shape == (1, whole)
        assert int((many[1] == 1).sum()) == count


def test_where_a_click_that_is_none_lies_means_nothing(network, patch):
    embedding = network.embed_patch(patch)
    points, labels = padded(np.full((1, 3), 9, np.float32), np.array([1]))
    moved = points.clone()
    moved[:, 1:] = 27
    previous = torch.zeros(1, 1, *(network.mask_size,) * 3)
    with torch.inference_mode():
        answers = [
            network.answer(embedding, each, labels, previous, multimask=False, padded=True)
            for each in (points, moved)
        ]
    torch.testing.assert_close(*answers)


@pytest.fixture
def on_gpu(network, record):
    network._replayed = Replayed(network, record)
    return network


def changed_device(network):
    network.to("cpu")


def loaded(network):
    network.load_state_dict(copy.deepcopy(network.state_dict()), assign=True)


@pytest.mark.parametrize("change", [changed_device, loaded])
def test_recordings_are_forgotten_when_the_weights_move_or_others_take_their_place(on_gpu, change):
    change(on_gpu)
    assert on_gpu._replayed is None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_of_a_network_record_for_themselves(on_gpu, copied):
    assert copied(on_gpu)._replayed is None
    assert on_gpu._replayed is not None


def test_a_network_and_its_recordings_go_together(on_gpu, patch):
    on_gpu._replayed.embed(torch.from_numpy(patch))
    gone = weakref.ref(build(PUBLISHED))
    assert gone() is None
    network = build(PUBLISHED)
    network._replayed = Replayed(network, Repeating())
    gone = weakref.ref(network)
    del network
    assert gone() is None


@pytest.mark.parametrize("config", [PUBLISHED, OURS])
@pytest.mark.parametrize("precision", DTYPES)
def test_what_is_recorded_waits_for_nothing_and_meets_nothing_of_the_host(config, precision):
    with torch.device("meta"), Undrawn():
        network = build(config).eval().requires_grad_(requires_grad=False)
    cast(network, precision)
    replayed = Replayed(network, Repeating())
    size, cells = config.patch_size, config.mask_size
    with torch.inference_mode(), torch.device("meta"):
        patch, previous = torch.empty((size,) * 3), torch.empty(1, 1, *(cells,) * 3)
        points, labels = torch.empty(1, 8, 3), torch.empty(1, 8, dtype=torch.int64)
        replayed._answered(points, labels, previous, *replayed._embedded(patch))  # tables are kept
        with Watched("meta") as watched:
            parts = replayed._embedded(patch)
            (answer,) = replayed._answered(points, labels, previous, *parts)
    assert answer.shape == (cells**3 + 1,)
    assert not watched.uploads
    assert 0 < len(watched.kernels) < 500
