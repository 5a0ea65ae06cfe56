"""Objects of several values of a label map, in training."""

import numpy as np
import pytest
import torch

from fastsam3d import data
from fastsam3d.cube import Cube
from fastsam3d.data import (
    Sources,
    TrainingVolume,
)
from fastsam3d.overlap import grouped_example
from fastsam3d.synthetic import Random


def tumour():
    """A ball in a ball in a ball, in (k, j, i): 2 round 1 round 4, with crumbs of 1 in 2."""
    k, j, i = np.indices((40, 40, 40))
    away = np.sqrt((k - 20) ** 2 + (j - 20) ** 2 + (i - 20) ** 2)
    labels = np.select([away < 5, away < 9, away < 15], [4, 1, 2], 0).astype(np.int16)
    labels[8:10, 20:22, 20:22] = 1
    return torch.from_numpy(labels)


WHOLE, CORE, ENHANCING = (1, 2, 4), (1, 4), (4,)


def nested(groups=(WHOLE, CORE, ENHANCING), *, image=True):
    labels = tumour()
    scan = labels.float() * 100 if image else None
    return TrainingVolume(scan, labels, torch.eye(4, dtype=torch.float64), "brain", groups)


def mask_of(example, target):
    return torch.isin(example.objects, torch.tensor(target, dtype=torch.uint8))


@pytest.mark.parametrize("image", [True, False])
def test_groups_that_overlap_are_objects_of_an_example_whole(image, monkeypatch):
    fixed = Cube.random(torch.full((3,), 20.0), 0.4, Random.seeded(0))
    monkeypatch.setattr(data, "cube_round_an_object", lambda *given: fixed)
    volume = nested(image=image)
    sources = Sources([volume])
    example = (sources._labelled if image else sources._from_map)(Random.seeded(1))
    labels = fixed.sample(volume.labels, volume.ijk_to_ras, 64, nearest=True)
    whole, core, enhancing = (mask_of(example, target) for target in example.targets)
    assert torch.equal(whole, labels > 0)
    assert torch.equal(enhancing, labels == 4)
    assert (core & ~torch.isin(labels, torch.tensor(CORE))).sum() == 0
    assert enhancing.sum() < core.sum() < whole.sum()
    assert example.objects.dtype == torch.uint8
    assert len(example.targets[0]) == len(example.objects.unique()) - 1


def test_objects_of_a_volume_are_its_groups_or_else_its_values():
    labels = tumour()
    voxels = {value: int((labels == value).sum()) for value in (1, 2, 4)}
    assert nested(()).objects == {(1,): voxels[1], (2,): voxels[2], (4,): voxels[4]}
    assert nested(((2, 7), (7, 9))).objects == {(2, 7): voxels[2]}
    assert not nested(((7, 9),)).has_objects
    assert nested().to(torch.device("cpu")).groups == (WHOLE, CORE, ENHANCING)


def test_groups_are_drawn_from_and_without_groups_each_value_is_an_object():
    alone = [Sources([nested((CORE,))], spacing_mm=0.5).draw(Random.seeded(n)) for n in range(3)]
    assert {len(example.targets) for example in alone} == {1}
    single = Sources([nested(())], spacing_mm=0.3)._labelled(Random.seeded(0))
    assert len(single.targets) == len({n for target in single.targets for n in target}) == 3


def test_cube_is_laid_round_a_whole_group():
    points = data._points_of_an_object(nested((WHOLE,)), Random.seeded(0))
    assert points.amin(0).tolist() == pytest.approx([6.0] * 3)
    assert points.amax(0).tolist() == pytest.approx([34.0] * 3)


def test_groups_are_left_out_that_a_byte_could_not_tell_apart():
    n = torch.arange(64) // 8
    blocks = (n[:, None, None] * 64 + n[:, None] * 8 + n).short()
    bits = [tuple(value for value in range(1, 512) if value >> bit & 1) for bit in range(9)]
    example = grouped_example(torch.rand(128, 128, 128), blocks, bits, data.separate)
    assert len(example.targets) == 7
    assert example.objects.unique().tolist() == list(range(128))
    for bit, target in enumerate(example.targets):
        assert torch.equal(mask_of(example, target), (blocks >> bit & 1) == 1)
