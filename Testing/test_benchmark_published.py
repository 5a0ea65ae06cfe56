"""The published protocol, its rules counted by hand."""

import numpy as np
import pytest
import torch

from fastsam3d.benchmark.crop import Crop, crop_of, cut
from fastsam3d.benchmark.published import (
    Settings,
    Tool,
    Volumetric,
    enlarged,
    evaluate_object,
    next_click,
)
from fastsam3d.classical import RegionGrowing
from fastsam3d.errors import InputError
from fastsam3d.manifest import Label, Row
from fastsam3d.metrics import Truth
from fastsam3d.plan import Scan, Task
from minibench import AFFINE, write_scan

SLAB = np.zeros((128, 128, 128), bool)
SLAB[32:96] = True


def crop_with(mask, image=None):
    image = np.zeros(mask.shape, np.float32) if image is None else image
    return Crop(image, Truth(mask, (1.5, 1.5, 1.5)))


def task_of(folder, modality="CT", label=1):
    image, labels = folder / "one.nii.gz", folder / "one_label.nii.gz"
    return Task(Row("one", "p", "scans", image, labels, modality), Label(label, "box"))


def clicks_drawn(truth, mask, turn, draws=600):
    rng = np.random.default_rng(1)
    drawn = [next_click(truth, mask, turn, rng) for _ in range(draws)]
    return {click.voxel_kji for click in drawn}, {click.positive for click in drawn}


def voxels(*spans):
    return {tuple(map(int, each)) for each in np.argwhere(np.ones([b - a for a, b in spans])) +
            [a for a, _ in spans]}  # fmt: skip


@pytest.fixture
def errors():
    """A truth with a missed cube of 5 voxels, and a mask with a wrong one of 3."""
    truth, mask = np.zeros((2, 14, 14, 14), bool)
    truth[1:6, 1:6, 1:6] = True
    mask[8:11, 8:11, 8:11] = True
    return truth, mask


@pytest.mark.parametrize("turn", [1, 2])
def test_first_two_clicks_go_where_the_thicker_error_is_over_half_as_thick(errors, turn):
    truth, mask = errors
    # 3 voxels from the border of the cube of 5 in its middle, so more than 1.5 in its inner 27.
    assert clicks_drawn(truth, mask, turn) == (voxels((2, 5), (2, 5), (2, 5)), {True})
    # Turned round, the thick one is wrong; its 2 and 1 of the other do not matter.
    assert clicks_drawn(mask, truth, turn) == (voxels((2, 5), (2, 5), (2, 5)), {False})


def test_errors_as_thick_as_each_other_are_excluded_first(errors):
    truth, mask = np.zeros((2, 9, 9, 9), bool)
    truth[1:4, 1:4, 1:4] = mask[5:8, 5:8, 5:8] = True
    assert clicks_drawn(truth, mask, 1) == ({(6, 6, 6)}, {False})


def test_edge_of_the_volume_is_a_border():
    truth = np.ones((3, 3, 3), bool)
    assert clicks_drawn(truth, ~truth, 1) == ({(1, 1, 1)}, {True})


def test_third_click_goes_to_any_wrong_voxel(errors):
    truth, mask = errors
    drawn, signs = clicks_drawn(truth, mask, 3, 3000)
    assert drawn == voxels((1, 6), (1, 6), (1, 6)) | voxels((8, 11), (8, 11), (8, 11))
    assert signs == {True, False}


@pytest.mark.parametrize("turn", [1, 3])
def test_perfect_mask_gets_no_click(errors, turn):
    truth, _ = errors
    assert next_click(truth, truth.copy(), turn, np.random.default_rng(0)) is None


class Told:
    """A network that gives the slab logits of its own and keeps what it was asked."""

    patch_size, mask_size = 128, 32

    def __init__(self, *strengths):
        self.strengths = list(strengths)
        self.patches, self.asked = [], []

    def embed_patch(self, patch):
        self.patches.append(patch)
        return "embedding"

    def predict(self, embedding, points, labels, mask_logits):
        self.asked.append((points, labels, mask_logits))
        logits = np.full((32, 32, 32), -1, np.float32)
        logits[..., 8:24] = 1  # R, A, S: the slab is of planes from below upwards
        return logits * np.float32(self.strengths.pop(0)), 0.5


def test_network_gets_the_newest_click_alone_and_its_previous_logits():
    network = Told(0.3, 0.4, 0.2)
    answers = Volumetric("told", network).answers(crop_with(SLAB), np.random.default_rng(0))
    clicks = [next(answers).clicks for _ in range(3)]
    points, labels, previous = zip(*network.asked, strict=True)
    assert [len(each) for each in points] == [1, 1, 1]
    assert [each[0][::-1] for each in points] == [click.voxel_kji for (click,) in clicks]
    assert labels == ([1], [1], [1])
    assert not previous[0].any()
    assert [np.float32(each.max()) for each in previous[1:]] == [np.float32(0.3), np.float32(0.4)]
    assert all(each.shape == (32, 32, 32) for each in previous)
    assert len(network.patches) == 1


def test_network_that_remembers_gets_all_clicks_so_far():
    network = Told(0.3, 0.4, 0.2)
    contestant = Volumetric("told", network, remembers=True)
    answers = contestant.answers(crop_with(SLAB), np.random.default_rng(0))
    clicks = [next(answers).clicks[0] for _ in range(3)]
    points, labels, _ = zip(*network.asked, strict=True)
    assert [len(each) for each in points] == [len(each) for each in labels] == [1, 2, 3]
    assert [point[::-1] for point in points[2]] == [click.voxel_kji for click in clicks]


def test_clicks_go_by_logits_above_half_and_scores_by_those_above_nothing(tmp_path, monkeypatch):
    crop = crop_with(SLAB)
    monkeypatch.setattr("fastsam3d.benchmark.published.crop_of", lambda scan, label: crop)
    timid = Volumetric("timid", Told(*[0.4] * 4))
    result = evaluate_object(timid, task_of(tmp_path), None, Settings(4))
    assert result.dice == (1.0,) * 4
    assert [click[3] for click in result.placed] == [1, 1, 1, 1]


def test_perfect_answer_ends_the_clicks_and_keeps_its_score(tmp_path, monkeypatch):
    crop = crop_with(SLAB)
    monkeypatch.setattr("fastsam3d.benchmark.published.crop_of", lambda scan, label: crop)
    result = evaluate_object(Volumetric("sure", Told(9)), task_of(tmp_path), None, Settings(5))
    assert (len(result.placed), result.dice, result.failure) == (1, (1.0,) * 5, "")


def test_failure_keeps_the_score_before_it_and_is_told(tmp_path, monkeypatch):
    crop = crop_with(SLAB)
    monkeypatch.setattr("fastsam3d.benchmark.published.crop_of", lambda scan, label: crop)
    result = evaluate_object(Volumetric("short", Told(0.4)), task_of(tmp_path), None, Settings(3))
    assert result.failure.startswith("IndexError")
    assert result.dice == (1.0,) * 3
    assert len(result.seconds) == 1


def test_ct_is_clamped_for_networks_that_were_trained_so_alone():
    image = np.full(SLAB.shape, 4000, np.float32)
    for clamps_ct, is_ct, most in [(True, True, 1000), (True, False, 4000), (False, True, 4000)]:
        network = Told(9)
        contestant = Volumetric("told", network, clamps_ct=clamps_ct)
        next(contestant.answers(crop_with(SLAB, image), np.random.default_rng(0), is_ct=is_ct))
        assert network.patches[0].max() == most


def test_logits_are_enlarged_as_torch_does_it():
    logits = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None, None], (32, 32, 32), mode="trilinear", align_corners=False
    )
    np.testing.assert_allclose(enlarged(logits, 32), expected[0, 0].numpy(), atol=1e-5)


def test_clicks_are_paired_between_systems_unless_asked_otherwise(tmp_path):
    task = task_of(tmp_path)
    for paired in (True, False):
        settings = Settings(paired=paired)
        one, other = (settings.rng(name, task).random() for name in ("sam", "sam-med3d"))
        assert (one == other) == paired
        assert settings.rng("sam", task).random() == one
    assert Settings(seed=1).rng("sam", task).random() != Settings().rng("sam", task).random()
    assert (Settings().strategy, Settings().seed) == ("published", 2023)
    with pytest.raises(InputError, match="0 clicks"):
        Settings(0)


def test_crop_is_centred_on_the_truth_and_its_axes_run_up_forward_and_right(tmp_path):
    # Voxel axes run to the left, to the back and down.
    affine = AFFINE @ np.diag([-1, -1, -1, 1])
    labels, image = np.zeros((20, 30, 40), np.uint8), np.zeros((20, 30, 40), np.int16)
    labels[4:10, 20:24, 5:12] = 1
    image[4, 20, 5], image[0, 0, 0] = 700, 99  # first voxels: top, front, right
    write_scan(tmp_path, "one", image, labels, affine)
    task = task_of(tmp_path)
    crop = crop_of(Scan(task.row), task.label)
    box = [(int(axis.min()), int(axis.max())) for axis in np.nonzero(crop.truth.mask)]
    assert box == [(61, 66), (62, 65), (61, 67)]  # 7 voxels: their middle is voxel 64
    assert crop.image_kji[66, 65, 67] == 700
    assert crop.image_kji[70, 85, 72] == 99
    assert np.count_nonzero(crop.image_kji) == 2


def test_crop_of_coarse_voxels_is_at_one_and_a_half_mm(tmp_path):
    labels = np.zeros((10, 12, 14), np.uint8)
    labels[3:5, 4:8, 5:11] = 1
    image = 1000 * labels.astype(np.int16)
    write_scan(tmp_path, "one", image, labels, np.diag([1.5, 3.0, 6.0, 1.0]))
    task = task_of(tmp_path)
    crop = crop_of(Scan(task.row), task.label)
    assert crop.truth.voxels == 8 * 8 * 6
    assert crop.image_kji[crop.truth.mask].min() > 400
    assert crop.image_kji.max() == 1000


def test_part_beyond_the_array_is_zero():
    part = cut(np.arange(1, 6), [-2], 4)
    assert part.tolist() == [0, 0, 1, 2]
    assert cut(np.arange(1, 6), [3], 4).tolist() == [4, 5, 0, 0]


def test_object_that_vanishes_at_the_spacing_is_a_failure_and_nothing_takes_its_place(tmp_path):
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[0, 0, 0] = 1
    write_scan(tmp_path, "one", labels.astype(np.int16), labels, np.diag([0.1, 0.1, 0.1, 1.0]))
    task = task_of(tmp_path)
    result = evaluate_object(Volumetric("told", Told()), task, Scan(task.row), Settings(2))
    assert "no voxel of 1 is left" in result.failure
    assert (result.dice, result.voxels) == ((0.0, 0.0), 0)


def test_classical_tool_gets_all_clicks_and_its_mask_comes_back_in_place():
    image = np.where(SLAB, 100, 0).astype(np.float32)
    answers = Tool(RegionGrowing()).answers(crop_with(SLAB, image), np.random.default_rng(0))
    assert Truth(SLAB, (1, 1, 1)).dice(next(answers).logits_kji > 0) == 1
    assert next(answers, None) is None
