"""Real scans, put into the layouts as they are downloaded, become a manifest unharmed."""

import shutil

import numpy as np
import pytest
import SimpleITK as sitk

import trees
from fastsam3d.dataset_case import Resampling
from fastsam3d.dataset_prepare import Request, prepare
from fastsam3d.dataset_resample import Grid, resample_labels, round_trip
from fastsam3d.geometry import kji_to_ras
from fastsam3d.images import read_labels, read_volume
from fastsam3d.manifest import read_manifest
from fastsam3d.plan import Scan


@pytest.fixture
def real(data_folder):
    """Find a labelled scan by its case."""
    rows = [row for part in ("dev", "train") for row in read_manifest(data_folder / part)]
    return {row.case: row for row in rows}.__getitem__


def millilitres(row):
    volume = read_labels(row.label)
    values, counts = np.unique(volume.array_kji, return_counts=True)
    return {int(v): float(n) * volume.voxel_ml for v, n in zip(values, counts, strict=True) if v}


def copy(path, place):
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, place)


def test_hippocampi_in_nnunets_layout_keep_their_volumes(real, tmp_path):
    names = ("hippocampus_087", "hippocampus_158", "hippocampus_164")
    source = tmp_path / "Dataset004_Hippocampus"
    for name in names:
        copy(real(name).image, source / "imagesTr" / f"{name}_0000.nii.gz")
        copy(real(name).label, source / "labelsTr" / f"{name}.nii.gz")
    labels = {"background": 0, "anterior": 1, "posterior": 2}
    description = {"channel_names": {"0": "MRI"}, "labels": labels, "file_ending": ".nii.gz"}
    trees.write_json(description, source / "dataset.json")
    prepared = prepare(Request(source, tmp_path / "out", workers=0))
    rows = read_manifest(prepared.manifest)
    assert [row.case for row in rows] == list(names)
    for row in rows:
        before, after = millilitres(real(row.case)), millilitres(row)
        assert after == pytest.approx(before, rel=0.08)  # of some 500 voxels
        assert {label.name for label in row.labels} == {"anterior", "posterior"}
    assert [outcome.notes for outcome in prepared.outcomes] == [()] * 3


def test_hippocampi_overlap_themselves_after_resampling_there_and_back(data_folder):
    found = []
    for path in sorted((data_folder / "dev" / "msd_hippocampus").glob("*_label.nii.gz")):
        volume = read_labels(path)
        labels = volume.array_kji.astype(np.uint16)
        resampled = resample_labels(labels, volume, Grid(volume, 1.5))
        found += round_trip(labels, volume, resampled).values()
    assert min(found) > 0.8


def test_organs_in_totalsegmentators_layout_come_back_voxel_for_voxel(real, tmp_path):
    row = real("example_ct_3mm")
    scan = tmp_path / "set" / "s0000"
    copy(row.image, scan / "ct.nii.gz")
    labels = sitk.ReadImage(str(row.label))
    for label in row.labels:
        trees.write(labels == label.value, scan / "segmentations" / f"{label.name}.nii.gz")
    (scan.parent / "meta.csv").write_text("image_id;split\ns0000;test\n")
    request = Request(scan.parent, tmp_path / "out", workers=0, resampling=Resampling(3.0))
    (found,) = read_manifest(prepare(request).manifest)
    assert found.split == "test"
    array = sitk.GetArrayFromImage(labels)
    prepared = read_labels(found.label).array_kji
    values = {label.name: label.value for label in found.labels}
    for label in row.labels:
        assert (prepared == values[label.name]).sum() == label.voxels
        assert ((prepared == values[label.name]) == (array == label.value)).all()
    assert (read_volume(found.image).array_kji == read_volume(row.image).array_kji).all()


def test_a_tumour_in_brats_layout_gives_four_images_and_three_objects(real, tmp_path):
    name = "BraTS2021_00000"
    folder = tmp_path / "set" / name
    cases = {"t1": "t1", "t1ce": "t1c", "t2": "t2", "flair": "fla"}
    for channel, short in cases.items():
        row = real(f"OtherEXampleFromTCIA_{short}")
        copy(row.image, folder / f"{name}_{channel}.nii.gz")
    copy(row.label, folder / f"{name}_seg.nii.gz")
    rows = read_manifest(prepare(Request(folder.parent, tmp_path / "out", workers=0)).manifest)
    assert {row.modality for row in rows} == {"MRI T1", "MRI T1ce", "MRI T2", "MRI FLAIR"}
    assert millilitres(rows[0]) == pytest.approx(millilitres(row), rel=0.05)
    scan = Scan(rows[0])
    assert [scan.truth(label).voxels for label in rows[0].labels] == [
        label.voxels for label in rows[0].labels
    ]


def centre_ras(row):
    volume = read_labels(row.label)
    return kji_to_ras(np.argwhere(volume.array_kji).mean(0), volume.ijk_to_ras)


def test_permuted_axes_in_amos_layout_stay_and_so_does_the_spinal_cord(real, tmp_path):
    row = real("t2")
    source = tmp_path / "amos22"
    for part in ("Tr", "Va"):
        name = {"Tr": "amos_0509", "Va": "amos_0599"}[part] + ".nii.gz"
        copy(row.image, source / f"images{part}" / name)
        copy(row.label, source / f"labels{part}" / name)
    labels = {"0": "background", "1": "spinal cord"}
    trees.write_json({"labels": labels}, source / "dataset.json")
    manifest = prepare(Request(source, tmp_path / "out", workers=0)).manifest
    assert [found.case for found in read_manifest(manifest, split="train")] == ["amos_0509"]
    (found,) = read_manifest(manifest, split="val")
    assert found.modality == "MRI"
    assert np.linalg.norm(centre_ras(found) - centre_ras(row)) < 0.75
    assert millilitres(found) == pytest.approx(millilitres(row), rel=0.05)
    directions = [read_volume(each.image).ijk_to_ras[:3, :3] for each in (found, row)]
    assert (np.sign(directions[0]) == np.sign(directions[1])).all()
