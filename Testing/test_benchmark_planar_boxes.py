"""MedSAM's own protocol: boxes on slices."""

import numpy as np
import pytest
import torch

from fastsam3d.benchmark.accuracy import Asked, planned
from fastsam3d.benchmark.crop import Crop
from fastsam3d.benchmark.entrants import contestant_of, entrants
from fastsam3d.benchmark.planar import PlanarNetwork
from fastsam3d.benchmark.planar_boxes import PlanarBoxes, box_of
from fastsam3d.benchmark.sam import BETWEEN_0_AND_1
from fastsam3d.errors import InputError
from fastsam3d.metrics import Truth
from minibench import write_manifest

SIZE = 256


class FillsBoxes(PlanarNetwork):
    """Answers a box with all that is in it; keeps the images."""

    def __init__(self):
        super().__init__(SIZE, *BETWEEN_0_AND_1)
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.seen = []

    def embed(self, images):
        self.seen.append(images)
        return images[:, :1, ::16, ::16]

    def answer(self, embedding, points_xy, labels, mask_logits, boxes, *, multimask):
        assert not multimask
        assert mask_logits is None
        x, y = (4 * torch.arange(SIZE // 4)[shape] + 2 for shape in (None, (slice(None), None)))
        inside = [(x > a) & (x < c) & (y > b) & (y < d) for a, b, c, d in boxes]
        return 20.0 * torch.stack(inside)[:, None] - 10, torch.ones(len(boxes), 1)


@pytest.fixture
def crop():
    """A box of 20 x 40 voxels in eleven slices of a gradient."""
    mask = np.zeros((128, 128, 128), bool)
    mask[50:61, 32:52, 64:104] = True
    image = np.broadcast_to(np.linspace(-300, 500, 128, dtype=np.float32), mask.shape)
    return Crop(image.copy(), Truth(mask, (1.5, 1.5, 1.5)))


def test_what_fills_its_box_finds_a_box_in_one_answer(crop):
    answers = PlanarBoxes("boxes", FillsBoxes()).answers(crop, np.random.default_rng(0))
    (answer,) = answers
    assert crop.truth.dice(answer.logits_kji > 0) == 1
    assert answer.clicks == ()


def test_slices_are_stretched_from_0_to_1(crop):
    network = FillsBoxes()
    next(PlanarBoxes("boxes", network).answers(crop, np.random.default_rng(0)))
    images = torch.cat(network.seen)
    assert images.shape == (11, 3, SIZE, SIZE)
    assert images.min() == 0
    assert images.max() == 1


def test_box_has_the_outer_edges_of_what_it_holds():
    mask = np.zeros((8, 9), bool)
    mask[2, 5] = mask[4, 3] = True
    assert box_of(mask).tolist() == [3, 2, 6, 5]


def test_boxes_are_medsams_and_tell_where_its_file_is(tmp_path, monkeypatch):
    monkeypatch.setattr("fastsam3d.benchmark.entrants.systems.load", lambda *a: FillsBoxes())
    (boxed,) = entrants(["medsam-boxes"], {}, untrained=True)
    assert isinstance(contestant_of(boxed, "cpu"), PlanarBoxes)
    with pytest.raises(InputError, match=r"medsam_vit_b\.pth"):
        entrants(["medsam-boxes"], {})


def test_boxes_round_the_truth_are_no_method_of_a_users(tmp_path):
    asked = Asked(write_manifest(tmp_path), tmp_path / "out", ("medsam-boxes",), untrained=True)
    with pytest.raises(InputError, match="--protocol published"):
        planned(asked)
