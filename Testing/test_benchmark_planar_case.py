"""The published protocol for networks that see slices."""

import numpy as np
import pytest
import torch

from fastsam3d.benchmark.crop import Crop
from fastsam3d.benchmark.planar_case import Planar, prepared
from fastsam3d.metrics import Truth
from minibench import BrightSlices


def crop_with(mask, image=None):
    image = np.zeros(mask.shape, np.float32) if image is None else image
    return Crop(image, Truth(mask, (1.5, 1.5, 1.5)))


@pytest.fixture
def bright_box():
    """A crop with a bright box in slices 60 to 63, and a bright spot there that is no object."""
    mask, image = np.zeros((128, 128, 128), bool), np.zeros((128, 128, 128), np.float32)
    mask[60:64, 32:64, 64:96] = True
    image[mask] = 50
    image[60:64, 96:104, 8:16] = 50
    image[70] = np.eye(128) * 50
    return crop_with(mask, image)


def test_slices_get_clicks_of_their_own_which_add_up(bright_box):
    network = BrightSlices()
    answers = Planar("bright", network).answers(bright_box, np.random.default_rng(0))
    steps = [next(answers) for _ in range(3)]
    assert network.embedded == 4
    assert [len(step.clicks) for step in steps] == [4, 4, 4]
    assert [[click.voxel_kji[0] for click in step.clicks] for step in steps] == [
        [60, 61, 62, 63]
    ] * 3
    points, labels, previous = zip(*network.asked, strict=True)
    assert [each.shape for each in points] == [(4, 1, 2), (4, 2, 2), (4, 3, 2)]
    assert (points[2][:, :2] == points[1]).all()
    assert labels[0].tolist() == [[1]] * 4
    assert labels[2][:, 1:].tolist() == [[0, 0]] * 4
    assert previous[0] is None
    assert previous[1].shape == (4, 1, 16, 16)


def test_logits_are_given_back_as_they_are_whatever_the_network_learnt_from(bright_box):
    network = BrightSlices()
    network.remembered = torch.sigmoid
    answers = Planar("bright", network).answers(bright_box, np.random.default_rng(0))
    for _ in range(2):
        next(answers)
    assert network.asked[1][2].max() > 1


def test_slice_without_truth_is_empty_and_the_best_predicted_mask_counts(bright_box):
    answers = Planar("bright", BrightSlices()).answers(bright_box, np.random.default_rng(0))
    mask = next(answers).logits_kji > 0
    assert not mask[:60].any()
    assert not mask[64:].any()
    assert bright_box.truth.dice(mask) > 0.7
    assert mask[60:64, 97:103, 9:15].all()


def test_clicks_on_a_slice_lie_where_the_network_is_told(bright_box):
    network = BrightSlices()
    answers = Planar("bright", network).answers(bright_box, np.random.default_rng(3))
    clicks = next(answers).clicks
    points = network.asked[0][0][:, 0]
    for click, (x, y) in zip(clicks, points, strict=True):
        _, j, i = click.voxel_kji
        assert (i // 2, j // 2) == (y, x)  # rows of its image run to the right, columns forward
        assert bright_box.truth.mask[click.voxel_kji]


def test_perfect_slice_is_clicked_no_more():
    mask, image = np.zeros((2, 128, 128, 128), bool)
    mask[60:62] = image[60:62] = np.arange(128) < 64
    image[61, 96:, 64:96] = True
    crop = crop_with(mask, image.astype(np.float32))
    answers = Planar("bright", BrightSlices()).answers(crop, np.random.default_rng(0))
    planes = [{click.voxel_kji[0] for click in next(answers).clicks} for _ in range(3)]
    assert planes == [{60, 61}, {61}, {61}]
    assert (next(answers).logits_kji[60] > 0).tolist() == mask[60].tolist()


def test_slice_becomes_z_scores_at_the_networks_size():
    images = np.random.default_rng(0).normal(300, 40, (2, 8, 8)).astype(np.float32)
    images[1] = 7
    ready = prepared(images, 32)
    assert ready.shape == (2, 3, 32, 32)
    assert abs(float(ready[0].mean())) < 1e-5
    assert float(ready[0, 0].std()) == pytest.approx(1)
    assert not ready[1].any()
