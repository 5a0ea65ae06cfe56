"""SAM's parts from transformers against SAM written a second time, through the official keys."""

import sys

import pytest
import torch
from torch.testing import assert_close

import plain_sam
from fastsam3d.benchmark.keys import official
from fastsam3d.benchmark.planar import PlanarNetwork
from fastsam3d.benchmark.sam import SamNetwork, build_medsam, make_parts
from fastsam3d.benchmark.sam_med2d import adapt
from fastsam3d.errors import InputError

SIZE = 256
"""16 tokens along a side, so that windows of 14 are cut and filled up."""

POINTS = torch.tensor([[[30.0, 200.5], [128.0, 7.0]], [[250.0, 3.0], [99.5, 100.0]]])
LABELS = torch.tensor([[1, 0], [1, 1]])
BOXES = torch.tensor([[20.0, 40.0, 200.0, 100.0], [0.0, 0.0, 255.0, 90.0]])
NO_POINT = torch.zeros(2, 0, 2), torch.zeros(2, 0, dtype=torch.long)


def disturb(network):
    """Give every weight a part in the answer; many are 0 or 1 at first."""
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(value.clamp(-1, 1) + 0.1 * torch.randn_like(value))
    return network.eval().requires_grad_(requires_grad=False)


def under_official_keys(network):
    return {official(key): value for key, value in network.state_dict().items()}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return disturb(SamNetwork(make_parts(SIZE, layers=4, width=48), SIZE))


@pytest.fixture(scope="module")
def adapted():
    torch.manual_seed(0)
    return disturb(SamNetwork(adapt(make_parts(SIZE, layers=2, width=48)), SIZE))


@pytest.fixture
def embedding():
    torch.manual_seed(1)
    return torch.randn(2, 256, 16, 16)


@pytest.fixture
def previous():
    torch.manual_seed(2)
    return torch.randn(2, 1, 64, 64)


def decoded_plainly(network, embedding, points, labels, mask=None, boxes=None):
    """Return all four masks and predicted IoU, set by set."""
    state = under_official_keys(network)
    answers = [
        plain_sam.decode(
            state,
            SIZE,
            embedding[n],
            points[n],
            labels[n],
            None if mask is None else mask[n],
            None if boxes is None else boxes[n],
        )
        for n in range(len(labels))
    ]
    return tuple(torch.stack(each) for each in zip(*answers, strict=True))


def test_images_are_embedded_as_sam_does(network):
    images = torch.randn(2, 3, SIZE, SIZE)
    expected = torch.stack(
        [plain_sam.encode(under_official_keys(network), image) for image in images]
    )
    assert_close(network.encode(images), expected, rtol=1e-4, atol=1e-4)


def test_images_are_embedded_through_adapters_as_sam_med2d_does(adapted):
    image = torch.randn(3, SIZE, SIZE)
    state = under_official_keys(adapted)
    assert sum(".Adapter." in key for key in state) == 2 * 6
    expected = plain_sam.encode(state, image)
    assert_close(adapted.encode(image[None])[0], expected, rtol=1e-4, atol=1e-4)


def test_points_are_answered_as_sam_does(network, embedding):
    masks, iou = decoded_plainly(network, embedding, POINTS, LABELS)
    single = network.decode(embedding, POINTS, LABELS, multimask=False)
    several = network.decode(embedding, POINTS, LABELS, multimask=True)
    assert_close(single, (masks[:, :1], iou[:, :1]), rtol=1e-4, atol=1e-4)
    assert_close(several, (masks[:, 1:], iou[:, 1:]), rtol=1e-4, atol=1e-4)


def test_an_earlier_mask_is_seen_as_sam_does(network, embedding, previous):
    masks, iou = decoded_plainly(network, embedding, POINTS, LABELS, previous)
    got = network.decode(embedding, POINTS, LABELS, previous, multimask=False)
    assert_close(got, (masks[:, :1], iou[:, :1]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("clicks", [NO_POINT, (POINTS, LABELS)], ids=["alone", "with points"])
def test_a_box_is_answered_as_sam_does(network, embedding, clicks):
    masks, iou = decoded_plainly(network, embedding, *clicks, boxes=BOXES)
    got = network.decode(embedding, *clicks, boxes=BOXES, multimask=False)
    assert_close(got, (masks[:, :1], iou[:, :1]), rtol=1e-4, atol=1e-4)


def test_one_slice_answers_several_sets_of_clicks(network, embedding, previous):
    got, _ = network.decode(embedding[:1], POINTS, LABELS, previous, multimask=True)
    alone, _ = network.decode(embedding[:1], POINTS[1:], LABELS[1:], previous[1:], multimask=True)
    assert got.shape == (2, 3, network.mask_size, network.mask_size)
    assert_close(got[1:], alone, rtol=1e-4, atol=1e-4)


def test_neither_point_nor_box_is_refused(network, embedding):
    with pytest.raises(InputError, match="neither a point nor a box"):
        network.decode(embedding, *NO_POINT, multimask=False)


def test_points_without_labels_are_refused(network, embedding):
    with pytest.raises(InputError, match=r"\(2, 2, 2\) and labels of shape \(2, 1\)"):
        network.decode(embedding, POINTS, LABELS[:, :1], multimask=False)


def test_images_of_another_size_are_refused(network):
    with pytest.raises(InputError, match=r"\(1, 3, 64, 64\); expected \(B, 3, 256, 256\)"):
        network.encode(torch.zeros(1, 3, 64, 64))


def test_medsam_saw_images_of_0_to_1_and_sam_those_of_imagenet():
    white = torch.full((1, 3, 2, 2), 255.0)
    with torch.device("meta"):
        medsam = build_medsam()
    assert_close(medsam.normalise(white), torch.ones(1, 3, 2, 2))
    expected = (255 - torch.tensor([123.675, 116.28, 103.53])) / torch.tensor(
        [58.395, 57.12, 57.375]
    )
    assert_close(PlanarNetwork(32).normalise(white)[0, :, 0, 0], expected)


def test_missing_transformers_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"pip install 'fastsam3d\[benchmark\]'"):
        make_parts(SIZE)


class Broken:
    """Transformers beside a torchvision that was built for another torch."""

    def __getattr__(self, name):
        raise RuntimeError("Failed to import:\noperator torchvision::nms does not exist")


def test_a_torchvision_of_another_torch_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", Broken())
    with pytest.raises(InputError, match=r"nms does not exist\).*pip uninstall torchvision"):
        make_parts(SIZE)
