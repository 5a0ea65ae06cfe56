import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch.testing import assert_close

from fastsam3d import data
from fastsam3d.cube import SIZE, Cube
from fastsam3d.data import (
    Sources,
    TrainingVolume,
    cube_round_an_object,
    read_training_volume,
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


def volumes_of(manifest):
    return [read_training_volume(row) for row in read_manifest(manifest)]


@pytest.fixture
def volumes(manifest):
    return volumes_of(manifest)


def test_manifest_gives_scans_labels_or_both(volumes):
    both, alone, labels = volumes
    assert both.image.shape == both.labels.shape == SHAPE
    assert alone.labels is None
    assert labels.image is None
    assert both.shape_kji == labels.shape_kji == SHAPE
    assert both.voxels == {4: np.count_nonzero(l_shape())}
    assert not alone.has_objects


@pytest.mark.parametrize(
    ("kind", "low", "high", "kept"),
    [
        (np.int16, 0, 255, torch.uint8),
        (np.uint8, 0, 255, torch.uint8),
        (np.int16, -1024, 3071, torch.int16),
        (np.int16, -20000, 20000, torch.int32),
        (np.uint16, 0, 40000, torch.int32),
        (np.float64, 0, 1, torch.float32),
    ],
)
def test_voxels_are_kept_in_few_bits_and_sampled_as_they_are(manifest, kind, low, high, kept):
    scan = np.linspace(low, high, np.prod(SHAPE)).reshape(SHAPE).astype(kind)
    image = sitk.GetImageFromArray(scan)
    image.CopyInformation(sitk.ReadImage(str(manifest.parent / "scan.nrrd")))
    sitk.WriteImage(image, str(manifest.parent / "scan.nrrd"))
    volume = volumes_of(manifest)[0]
    assert volume.image.dtype == kept
    assert volume.labels.dtype == torch.uint8
    cube = Cube.random(torch.tensor([40.0, 0, 60]), 1.0, Random.seeded(0))
    plain = torch.from_numpy(scan.astype(np.float32))
    sampled, expected = (
        cube.sample(values, volume.ijk_to_ras, SIZE, nearest=False)
        for values in (volume.image, plain)
    )
    assert_close(sampled, expected)


def test_value_that_a_byte_cannot_hold_is_no_other_value(volumes):
    assert volumes[0].labels.dtype == torch.uint8
    empty, wraps = 256, 260  # 0 and 4, but for what a byte leaves out
    alone, more = (
        data._points_of_an_object(
            dataclasses.replace(volumes[0], groups=(group,)), Random.seeded(0)
        )
        for group in ((4,), (4, empty, wraps))
    )
    assert_close(more, alone)
    assert not dataclasses.replace(volumes[0], groups=((empty, wraps),)).has_objects


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


def test_groups_of_a_manifest_are_those_of_its_volumes(manifest):
    lines = manifest.read_text().splitlines()
    rows = [f"{line},4+9:all" for line in lines[1:]]
    manifest.write_text("\n".join([f"{lines[0]},groups", *rows]))
    both, alone, _ = volumes_of(manifest)
    assert list(both.objects) == [(4, 9)]
    assert not alone.has_objects


def test_real_volumes_give_examples():
    if "FASTSAM3D_DATA" not in os.environ:
        pytest.skip("FASTSAM3D_DATA is not set: no real volumes")
    rows = read_manifest(Path(os.environ["FASTSAM3D_DATA"]) / "train")
    kinds = {(row.image is None, row.label is None): row for row in rows}
    sources = Sources([read_training_volume(row) for row in kinds.values()])
    assert len(kinds) == 3
    assert all(sources.draw(Random.seeded(seed)).targets for seed in range(4))


def test_volumes_whose_objects_never_make_a_target_end_in_one_sentence(volumes, monkeypatch):
    monkeypatch.setattr(data, "_MOST_DRAWS", 3)
    empty = dataclasses.replace(Sources([]).draw(Random.seeded(0)), targets=())
    monkeypatch.setattr(Sources, "_draw", lambda self, random: empty)
    with pytest.raises(InputError, match="3 patches in a row held no object"):
        Sources(volumes).draw(Random.seeded(0))
