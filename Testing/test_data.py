import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from fastsam3d import data
from fastsam3d.cube import SIZE, Cube
from fastsam3d.data import (
    Sources,
    TrainingVolume,
    cube_round_an_object,
    read_training_volume,
    read_training_volumes,
)
from fastsam3d.errors import InputError
from fastsam3d.manifest import read_manifest
from fastsam3d.synthetic import Random, synthetic_patch

SHAPE = (30, 44, 52)


def l_shape():
    """An object that no flip or turn maps onto itself, in (k, j, i)."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[5:25, 8:16, 10:18] = 4
    labels[5:11, 8:36, 10:18] = 4
    labels[5:11, 8:14, 10:44] = 4
    return labels


@pytest.fixture
def manifest(tmp_path):
    """A scan with labels, a scan alone and a label map alone, turned and anisotropic."""
    labels = l_shape()
    noise = np.random.default_rng(0).normal(0, 5, SHAPE)
    scan = (labels > 0) * 200 + noise + 50
    turned = (0, 0, -1, 1, 0, 0, 0, -1, 0)
    for name, array in (("scan", scan.astype(np.float32)), ("label", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((1.2, 1.5, 3.0))
        image.SetDirection(turned)
        image.SetOrigin((-40, 12, 70))
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    rows = ["case,image,label", "both,scan.nrrd,label.nrrd", "alone,scan.nrrd,", "map,,label.nrrd"]
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(rows))
    return path


@pytest.fixture
def volumes(manifest):
    return read_training_volumes(manifest)


def test_manifest_gives_scans_labels_or_both(volumes):
    both, alone, labels = volumes
    assert both.image.shape == both.labels.shape == SHAPE
    assert alone.labels is None
    assert labels.image is None
    assert both.shape_kji == labels.shape_kji == SHAPE
    assert both.label_counts[0].tolist() == [4]
    assert not alone.has_objects


def test_labels_of_another_grid_are_refused(manifest):
    image = sitk.GetImageFromArray(np.ones((3, 4, 5), np.uint8))
    sitk.WriteImage(image, str(manifest.parent / "label.nrrd"))
    with pytest.raises(InputError, match="resample the labels"):
        read_training_volumes(manifest)


def test_label_map_without_labels_is_a_scan_alone(volumes):
    both = volumes[0]
    empty = dataclasses.replace(both, labels=torch.zeros_like(both.labels))
    sources = Sources([empty])
    assert not sources.labelled
    assert sources.images == [empty]


def test_objects_of_an_example_lie_on_its_image(volumes):
    sources, seen = Sources(volumes[:1]), 0
    for seed in range(8):
        example = sources._labelled(Random.seeded(seed))
        found = example.objects > 0
        if found.sum() < 2000:
            continue
        bright = example.image.view(64, 2, 64, 2, 64, 2).float().mean((1, 3, 5)) > 120
        seen += 1
        overlap = 2 * (bright & found).sum() / (bright.sum() + found.sum())
        assert overlap > 0.9
    assert seen > 4


def test_cube_holds_most_of_its_object_at_a_spacing_that_fits_it(volumes):
    volume = volumes[0]
    spacings = []
    for seed in range(20):
        cube = cube_round_an_object(volume, Random.seeded(seed))
        labels = cube.sample(volume.labels, volume.ijk_to_ras, 64, nearest=True)
        assert (labels > 0).any()
        spacings.append(cube.spacing_mm)
    extent_mm = 60
    fills = extent_mm / (np.array(spacings) * SIZE)
    assert 0.2 < np.median(fills) < 0.9


def test_fixed_spacing_is_that_of_every_patch_and_labelled_scans_alone_are_drawn(
    volumes, monkeypatch
):
    spacings, labels_only = [], []
    real = Cube.random

    def random_cube(centre_ras, spacing_mm, random):
        spacings.append(spacing_mm)
        return real(centre_ras, spacing_mm, random)

    monkeypatch.setattr(Cube, "random", random_cube)
    monkeypatch.setattr(data, "synthetic_patch", labels_only.append)
    monkeypatch.setattr(Sources, "_from_map", lambda *given: labels_only.append(given))
    sources = Sources(volumes, spacing_mm=1.5)
    for seed in range(4):
        assert sources.draw(Random.seeded(seed)).targets
    Sources(volumes[1:2], spacing_mm=1.5)._unlabelled(Random.seeded(0))
    assert len(spacings) >= 5
    assert set(spacings) == {1.5}
    assert labels_only == []


def test_every_source_is_drawn_from_and_every_example_has_a_target(volumes, monkeypatch):
    used = []
    for name in ("_labelled", "_from_map", "_unlabelled"):
        draw = getattr(Sources, name)
        monkeypatch.setattr(
            Sources, name, lambda self, random, d=draw, n=name: used.append(n) or d(self, random)
        )
    monkeypatch.setattr(
        data, "synthetic_patch", lambda random: used.append("nothing") or synthetic_patch(random)
    )
    sources = Sources(volumes)
    for seed in range(16):
        example = sources.draw(Random.seeded(seed))
        assert example.targets
        assert example.image.dtype == example.objects.dtype == torch.uint8
        numbers = {number for group in example.targets for number in group}
        assert numbers == set(example.objects.unique().tolist()) - {0}
    assert set(used) == {"_labelled", "_from_map", "_unlabelled", "nothing"}


def test_without_volumes_examples_are_drawn_from_nothing():
    assert Sources([]).draw(Random.seeded(0)).targets


def test_no_tensor_is_made_on_the_default_device(volumes):
    sources = Sources(volumes)
    with torch.device("meta"):
        for seed in range(6):
            assert sources.draw(Random.seeded(seed)).objects.device.type == "cpu"


def test_volume_goes_to_a_device_with_its_labels(volumes):
    moved = volumes[0].to(torch.device("meta"))
    assert isinstance(moved, TrainingVolume)
    assert moved.image.device.type == moved.labels.device.type == "meta"
    assert moved.ijk_to_ras.device.type == "cpu"


def test_real_volumes_give_examples():
    if "FASTSAM3D_DATA" not in os.environ:
        pytest.skip("FASTSAM3D_DATA is not set: no real volumes")
    rows = read_manifest(Path(os.environ["FASTSAM3D_DATA"]) / "train")
    kinds = {(row.image is None, row.label is None): row for row in rows}
    sources = Sources([read_training_volume(row) for row in kinds.values()])
    assert len(kinds) == 3
    assert all(sources.draw(Random.seeded(seed)).targets for seed in range(4))
