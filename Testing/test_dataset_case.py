"""What becomes of one item: right, or left out with its reason; never silently something else."""

import gzip
import struct
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

import trees
from fastsam3d.dataset_case import Resampling, from_record, prepare_item, to_record
from fastsam3d.dataset_layouts import read_dataset
from fastsam3d.errors import InputError
from fastsam3d.images import read_labels, read_volume
from fastsam3d.samegrid import same_grid


@pytest.fixture
def item(tmp_path):
    """A case of nnU-Net whose files may be spoiled."""
    return read_dataset(trees.nnunet(tmp_path / "set", cases=1, tests=0)).items[0]


@pytest.fixture
def scan(tmp_path):
    """A scan of TotalSegmentator with a file a structure."""
    return read_dataset(trees.totalsegmentator(tmp_path / "ts", splits=("train",))).items[0]


@pytest.fixture
def done(tmp_path):
    """Prepare an item."""

    def done(item, **settings):
        out = tmp_path / "out"
        (out / "files").mkdir(parents=True, exist_ok=True)
        return prepare_item(item, out, "files", Resampling(**settings))

    return done


def reason_of(outcome):
    assert outcome.label is None
    (one,) = outcome.left_out
    return one.reason


def rewrite(path, change):
    """Change a volume on disk: its array, or its grid."""
    image = sitk.ReadImage(str(path))
    changed = change(sitk.GetArrayFromImage(image))
    new = sitk.GetImageFromArray(changed)
    if changed.shape == sitk.GetArrayViewFromImage(image).shape:
        new.CopyInformation(image)
    return trees.write(new, path)


def regrid(path, **grid):
    image = sitk.ReadImage(str(path))
    for name, value in grid.items():
        getattr(image, f"Set{name}")(value)
    trees.write(image, path)


def test_image_and_label_lie_on_one_grid_of_the_wanted_spacing(item, done, tmp_path):
    outcome = done(item)
    image = read_volume(tmp_path / "out" / outcome.images["case_000"].path)
    label = read_labels(tmp_path / "out" / outcome.label.path)
    assert same_grid(image, label)
    assert np.allclose(np.abs(np.diag(image.ijk_to_ras)[:3]), 1.5)
    bright = image.array_kji[label.array_kji == 1].mean()
    assert bright > image.array_kji[label.array_kji == 0].mean() + 250
    counted = {value: voxels for value, (_, voxels) in outcome.labels.items()}
    assert counted == {v: int((label.array_kji == v).sum()) for v in (1, 2)}


@pytest.mark.parametrize(
    "grid",
    [
        {"Spacing": (1.0, 1.2, 2.0)},
        {"Origin": (-11, 7, 35)},
        {"Direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)},
    ],
)
def test_a_label_on_another_grid_is_left_out_and_never_moved(item, done, grid):
    regrid(item.label, **grid)
    assert "is not on the grid of case_000_0000.nii.gz" in reason_of(done(item))


def test_a_label_of_another_shape_is_left_out(item, done):
    rewrite(item.label, lambda array: array[:-1])
    assert "24 x 20 x 15 voxels" in reason_of(done(item))


def test_a_label_whose_place_is_off_by_rounding_is_taken(item, done):
    regrid(item.label, Origin=(-11.01, 7.0, 30.0))
    assert done(item).label is not None


def test_an_image_that_was_resampled_without_its_label_is_left_out(item, done):
    image = sitk.ReadImage(str(item.channels[0].image))
    finer = sitk.Resample(
        image, (24, 24, 40), sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), (1, 1, 1)
    )
    trees.write(finer, item.channels[0].image)
    assert "is not on the grid" in reason_of(done(item))


def test_labels_that_were_interpolated_are_left_out(item, done):
    blurred = sitk.DiscreteGaussian(sitk.Cast(sitk.ReadImage(str(item.label)), sitk.sitkFloat32), 2)
    trees.write(blurred, item.label)
    assert "between whole numbers; labels were interpolated" in reason_of(done(item))


def test_labels_stored_as_whole_floats_are_taken(item, done):
    rewrite(item.label, lambda array: array.astype(np.float64))
    assert done(item).labels.keys() == {1, 2}


def test_values_that_the_dataset_does_not_name_are_dropped_and_told(item, done, tmp_path):
    def add(array):
        array[2:6, 2:6, 2:6] = 9
        return array

    rewrite(item.label, add)
    outcome = done(item)
    assert outcome.notes == ("value 9 (64 voxels) has no name in the dataset: dropped",)
    label = read_labels(tmp_path / "out" / outcome.label.path)
    assert set(np.unique(label.array_kji)) == {0, 1, 2}


def test_classes_below_10_mm3_are_dropped_and_told(item, done):
    def shrink(array):
        array[array == 2] = 0
        array[3, 3, 3:6] = 2  # 3 voxels of 3 mm³
        return array

    rewrite(item.label, shrink)
    outcome = done(item)
    assert outcome.labels.keys() == {1}
    assert outcome.notes == ("kidney: 9.0 mm³, below 10 mm³: dropped",)


@pytest.mark.parametrize("value", [0, 9])
def test_an_empty_label_is_left_out_not_cropped(item, done, value):
    rewrite(item.label, lambda array: np.where(array > 0, value, 0).astype(np.uint8))
    assert "its label is empty" in reason_of(done(item))


def test_a_thin_structure_that_resampling_loses_is_named(item, done):
    def thin(array):
        array[array == 2] = 0
        array[:, 3, 3] = 2
        return array

    rewrite(item.label, thin)
    assert any(note.startswith("kidney: ") for note in done(item, spacing_mm=4.0).notes)


def thin_slices(item, spacing_mm):
    for path in (item.channels[0].image, item.label):
        regrid(path, Spacing=(1.0, 1.2, spacing_mm))


def test_a_scan_of_which_one_slice_would_be_left_is_left_out(item, done, tmp_path):
    thin_slices(item, 0.09)  # 16 slices
    assert reason_of(done(item)).startswith("too thin: a single slice is left at 1.5 mm")
    assert not list((tmp_path / "out").rglob("*.nii.gz"))


def test_a_scan_of_which_two_slices_are_left_is_taken_and_can_be_read(item, done, tmp_path):
    rewrite(item.label, lambda array: np.broadcast_to(array[7], array.shape).copy())
    thin_slices(item, 0.1)
    outcome = done(item)
    assert read_volume(tmp_path / "out" / outcome.images["case_000"].path).array_kji.shape[0] == 2


def test_a_channel_that_resampling_leaves_nothing_in_leaves_the_others(tmp_path, done):
    item = read_dataset(trees.brats(tmp_path / "brats", patients=(2,))).items[0]

    def one_voxel(array):
        array[:] = 0
        array[0, 0, 0] = 1
        return array

    rewrite(item.channels[0].image, one_voxel)
    outcome = done(item, spacing_mm=4.0)
    assert len(outcome.images) == 3
    (one,) = outcome.left_out
    assert one.reason.startswith("at 4 mm all voxels are equal")


def test_a_damaged_image_or_label_is_told_in_a_sentence(item, done):
    whole = item.label.read_bytes()
    trees.damage(item.label)
    assert "cut short" in reason_of(done(item))
    item.label.write_bytes(whole)
    item.channels[0].image.write_bytes(b"\x1f\x8b" + b"0" * 500)
    assert "damaged" in reason_of(done(item))


def test_a_bad_channel_leaves_the_others(tmp_path, done):
    source = trees.brats(tmp_path / "brats", patients=(2,))
    item = read_dataset(source).items[0]
    trees.damage(item.channels[0].image)
    regrid(item.channels[1].image, Spacing=(2, 2, 2))
    outcome = done(item)
    assert outcome.images.keys() == {f"{item.name}_t1ce", f"{item.name}_t2"}
    assert {one.case for one in outcome.left_out} == {f"{item.name}_flair", f"{item.name}_t1"}


def test_masks_become_one_label_map_and_empty_ones_are_no_object(scan, done, tmp_path):
    outcome = done(scan)
    assert {value: name for value, (name, _) in outcome.labels.items()} == {1: "aorta", 2: "liver"}
    assert outcome.notes == ()


def test_where_masks_overlap_the_smaller_one_stays_and_it_is_told(scan, done):
    alone = done(scan).labels[1][1]
    rewrite(scan.masks[2], lambda array: np.ones_like(array))
    outcome = done(scan)
    assert outcome.labels[1][1] == alone
    assert "lie in two structures" in outcome.notes[0]


def test_a_mask_on_another_grid_or_damaged_costs_only_its_structure(scan, done):
    regrid(scan.masks[3], Spacing=(3, 3, 3))
    trees.damage(scan.masks[1])
    outcome = done(scan)
    assert outcome.labels.keys() == {2}
    aorta, skull = outcome.notes
    assert aorta.startswith("aorta: not taken: aorta.nii.gz is cut short")
    assert skull.startswith("skull: not taken: skull.nii.gz (24 x 20 x 16 voxels of 3 x 3 x 3 mm")


def test_axes_that_are_slightly_sheared_are_taken_and_told(scan, done):
    for path in (scan.channels[0].image, *scan.masks.values()):
        shear(path, 0.01)
    outcome = done(scan)
    assert outcome.labels.keys() == {1, 2}
    assert "not quite at right angles" in outcome.notes[0]


def shear(path, amount):
    """Tilt an axis in a NIfTI header, as some published scans have it."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    (before,) = struct.unpack_from("<f", content, 280 + 4)
    struct.pack_into("<f", content, 280 + 4, before + amount)
    struct.pack_into("<2h", content, 252, 0, 1)
    path.write_bytes(gzip.compress(bytes(content)))


def test_a_record_gives_back_what_was_recorded(item, done):
    outcome = done(item)
    assert from_record(to_record(outcome)) == outcome


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"spacing_mm": 0}, "spacing of 0"), ({"interpolation": "cubic"}, "'cubic'")],
)
def test_settings_that_cannot_be_are_refused(settings, told):
    with pytest.raises(InputError, match=told):
        Resampling(**settings)


def test_an_item_that_is_too_large_for_memory_is_left_out(item, done, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("fastsam3d.dataset_case.resample_image", full)
    assert reason_of(done(replace(item))) == "too large for this computer's memory"
