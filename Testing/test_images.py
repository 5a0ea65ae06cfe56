import gzip
import locale
import struct
from contextlib import contextmanager

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from fastsam3d.errors import InputError
from fastsam3d.images import read_grid, read_labels, read_volume, write_mask
from fastsam3d.masks import MASK_SUFFIXES

OBLIQUE = Rotation.from_euler("zyx", (20, -15, 30), degrees=True).as_matrix()
DIRECTIONS = {
    "axial": np.eye(3),
    "oblique": OBLIQUE,
    "left-handed": np.diag([1.0, 1.0, -1.0]),
    "sagittal": np.eye(3)[:, [2, 0, 1]],
}


@pytest.fixture
def array():
    return np.random.default_rng(0).normal(100, 20, (6, 7, 8)).astype(np.float32)


def image_of(array, direction=DIRECTIONS["axial"], **kwargs):
    image = sitk.GetImageFromArray(array, **kwargs)
    if image.GetDimension() == 3:
        image.SetSpacing((0.7, 1.1, 2.5))
        image.SetOrigin((-30.0, 12.0, 5.0))
        image.SetDirection(np.ravel(direction).tolist())
    return image


def save(image, path):
    sitk.WriteImage(image, str(path))
    return path


@contextmanager
def locale_kept():
    """Put the locale back: ITK's writer of DICOM leaves the process with ASCII."""
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)


@locale_kept()
def save_series(folder, array, *, uid="1.2.3", gap_at=None, frames=1):
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k, pixels in enumerate(array.astype(np.int16)):
        image = sitk.GetImageFromArray(pixels[None])
        z_mm = 3.0 * (k // frames + (gap_at is not None and k >= gap_at))
        tags = {
            "0008|0060": "CT",
            "0008|103e": f"series {uid}",
            "0008|0018": f"{uid}.{k + 1}",
            "0020|000e": uid,
            "0020|000d": "1.2",
            "0020|0013": str(k),
            "0020|0032": f"-10\\20\\{z_mm}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0028|0030": "1.5\\1.5",
            "0018|0050": "3",
        }
        image.SetSpacing((1.5, 1.5, 3.0))
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{uid}-{k}.dcm"))
        writer.Execute(image)
    return folder


def shear(path, amount):
    """Rewrite a NIfTI file's sform with axes that are not at right angles."""
    content = bytearray(path.read_bytes())
    rows = list(struct.unpack_from("<12f", content, 280))
    rows[1] += amount
    struct.pack_into("<12f", content, 280, *rows)
    struct.pack_into("<hh", content, 252, 0, 1)
    path.write_bytes(content)
    return path


def refusal(path, *arguments):
    with pytest.raises(InputError) as caught:
        read_volume(path, *arguments)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"])
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_voxels_lie_where_itk_has_them_seen_from_ras(tmp_path, array, suffix, direction):
    image = image_of(array, direction)
    volume = read_volume(save(image, tmp_path / f"scan{suffix}"))
    np.testing.assert_array_equal(volume.array_kji, array)
    x, y, z = image.TransformIndexToPhysicalPoint((7, 2, 3))
    np.testing.assert_allclose(volume.ijk_to_ras @ (7, 2, 3, 1), (-x, -y, z, 1), atol=1e-4)
    assert volume.voxel_ml == pytest.approx(0.7 * 1.1 * 2.5 / 1000, rel=1e-5)


@pytest.mark.parametrize("suffix", MASK_SUFFIXES)
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_a_mask_comes_back_on_the_grid_of_its_scan(tmp_path, array, suffix, direction):
    scan = read_volume(save(image_of(array, direction), tmp_path / "scan.nrrd"))
    labels = (array > 100).astype(np.uint8) + (array > 120)
    write_mask(tmp_path / f"mask{suffix}", labels, scan.ijk_to_ras)
    back = read_labels(tmp_path / f"mask{suffix}")
    np.testing.assert_array_equal(back.array_kji, labels)
    np.testing.assert_allclose(back.ijk_to_ras, scan.ijk_to_ras, atol=1e-4)


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_slicer_loads_the_segments_where_they_are(tmp_path, array, direction):
    slicer = pytest.importorskip("slicer", reason="Needs slicer-core.")
    scan = read_volume(save(image_of(array, direction), tmp_path / "scan.nrrd"))
    labels = np.zeros(array.shape, np.uint8)
    labels[1:3, 2:5, 3:6], labels[4, 5, 6:8] = 1, 3
    path = tmp_path / "mask.seg.nrrd"
    write_mask(path, labels, scan.ijk_to_ras, ["liver", "no such", "left kidney"])
    segments = load_in_slicer(slicer, path)
    assert list(segments) == ["liver", "no such", "left kidney"]
    for label, name in enumerate(segments, start=1):
        voxels, ijk_to_ras = segments[name]
        np.testing.assert_array_equal(voxels, np.argwhere(labels == label))
        if len(voxels):
            np.testing.assert_allclose(ijk_to_ras, scan.ijk_to_ras, atol=1e-9)


def load_in_slicer(slicer, path):
    """Return for each segment its voxels (N, 3) in the order k, j, i, and its matrix."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    found = {}
    for segment_id in node.GetSegmentation().GetSegmentIDs():
        image = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(segment_id, image)
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        first, shape = np.array(image.GetExtent())[[4, 2, 0]], image.GetDimensions()[::-1]
        scalars = image.GetPointData().GetScalars()
        array = vtk_to_numpy(scalars).reshape(shape) if scalars else np.zeros(shape)
        ijk_to_ras = [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)]
        name = node.GetSegmentation().GetSegment(segment_id).GetName()
        found[name] = np.argwhere(array) + first, ijk_to_ras
    return found


def test_four_dimensions_with_one_frame_are_a_volume(tmp_path, array):
    image = sitk.JoinSeries([image_of(array, OBLIQUE)])
    volume = read_volume(save(image, tmp_path / "scan.nii.gz"))
    alone = read_volume(save(image_of(array, OBLIQUE), tmp_path / "alone.nii.gz"))
    np.testing.assert_array_equal(volume.array_kji, array)
    np.testing.assert_allclose(volume.ijk_to_ras, alone.ijk_to_ras, atol=1e-4)


def test_a_dicom_series_is_a_volume(tmp_path, array):
    volume = read_volume(save_series(tmp_path / "ct", array))
    np.testing.assert_array_equal(volume.array_kji, array.astype(np.int16))
    np.testing.assert_allclose(volume.ijk_to_ras @ (2, 1, 4, 1), (7, -21.5, 12, 1))


def test_several_series_are_listed_and_one_is_chosen(tmp_path, array):
    folder = save_series(tmp_path / "study", array, uid="1.2.3")
    save_series(folder, array + 50, uid="1.2.4")
    told = refusal(folder)
    assert "2 DICOM series" in told
    assert "1 = CT, series 1.2.3, 6 files" in told
    assert "--series" in told
    for chosen in ("1.2.4", "2"):
        volume = read_volume(folder, chosen)
        np.testing.assert_array_equal(volume.array_kji, (array + 50).astype(np.int16))
    assert "no '9'" in refusal(folder, "9")


def test_a_series_with_a_missing_slice_is_refused(tmp_path, array):
    assert "off a regular grid" in refusal(save_series(tmp_path / "ct", array, gap_at=3))


def test_a_series_with_two_frames_at_each_place_is_refused(tmp_path, array):
    assert "several frames" in refusal(save_series(tmp_path / "ct", array, frames=2))


def test_a_folder_without_dicom_is_refused(tmp_path):
    assert "no DICOM series" in refusal(tmp_path)


def test_axes_a_little_off_right_angles_are_taken_and_told(tmp_path, array):
    path = save(image_of(array), tmp_path / "scan.nii")
    volume = read_volume(shear(path, 0.02))
    np.testing.assert_array_equal(volume.array_kji, array)
    np.testing.assert_allclose(volume.ijk_to_ras @ (7, 0, 5, 1), (25.1, -12, 17.5, 1), atol=0.15)
    assert "right angles" in volume.notes[0]


def test_sheared_axes_are_refused(tmp_path, array):
    path = save(image_of(array), tmp_path / "scan.nii")
    assert "sheared by up to" in refusal(shear(path, 0.5))


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_short_is_not_read_as_zeros(tmp_path, array, packed):
    content = save(image_of(array), tmp_path / "whole.nii").read_bytes()
    path = tmp_path / ("scan.nii.gz" if packed else "scan.nii")
    path.write_bytes((gzip.compress(content) if packed else content)[:-300])
    assert "cut short" in refusal(path)


def test_compressed_pieces_one_after_the_other_are_whole(tmp_path, array):
    content = save(image_of(array), tmp_path / "whole.nii").read_bytes()
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(content[:700]) + gzip.compress(content[700:]))
    np.testing.assert_array_equal(read_volume(path).array_kji, array)


def with_value(array, value):
    changed = array.copy()
    changed[3, 3, 3] = value
    return changed


BAD = {
    "several frames": (lambda a: sitk.JoinSeries([image_of(a), image_of(a)]), "several frames"),
    "two-dimensional": (lambda a: image_of(a[0]), "2D image"),
    "one slice": (lambda a: image_of(a[:1]), "2D image"),
    "colours": (lambda a: image_of(np.stack([a] * 3, -1), isVector=True), "3 values a voxel"),
    "complex": (lambda a: image_of(a.astype(np.complex64)), "grey values"),
    "NaN": (lambda a: image_of(with_value(a, np.nan)), "1 NaN or infinite voxel"),
    "infinity": (lambda a: image_of(with_value(a, np.inf)), "1 NaN or infinite voxel"),
    "constant": (lambda a: image_of(np.full_like(a, 7)), "every voxel is 7"),
}


@pytest.mark.parametrize(("make", "told"), BAD.values(), ids=BAD)
def test_what_is_no_scan_is_refused(tmp_path, array, make, told):
    assert told in refusal(save(make(array), tmp_path / "scan.nrrd"))


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nrrd", "scan.txt", "scan.dcm"])
def test_what_is_no_image_is_refused(tmp_path, name):
    (tmp_path / name).write_text("hello")
    assert "not an image" in refusal(tmp_path / name)


def test_a_path_that_leads_nowhere_is_refused(tmp_path):
    assert "no file or folder" in refusal(tmp_path / "scan.nii.gz")


def test_labels_may_be_empty_but_not_nan(tmp_path, array):
    empty = read_labels(save(image_of(np.zeros_like(array)), tmp_path / "empty.nrrd"))
    assert not empty.array_kji.any()
    path = save(image_of(with_value(array, np.nan)), tmp_path / "bad.nrrd")
    with pytest.raises(InputError, match="whole-number labels"):
        read_labels(path)


def test_values_between_whole_numbers_are_no_labels(tmp_path, array):
    almost = np.where(array > 100, 3 + 1e-4, 0)
    labels = read_labels(save(image_of(almost), tmp_path / "almost.nrrd"))
    assert np.unique(labels.array_kji).tolist() == [0, 3]
    path = save(image_of(with_value(almost, 1.5)), tmp_path / "between.nrrd")
    with pytest.raises(InputError, match=r"such as 1\.5 between whole numbers"):
        read_labels(path)


@pytest.mark.parametrize("kind", ["scan.nii.gz", "scan.nrrd", "frame.nii.gz", "sheared", "dicom"])
def test_a_grid_is_that_of_the_volume_without_its_voxels(tmp_path, array, kind):
    image = image_of(array, OBLIQUE)
    if kind == "dicom":
        path = save_series(tmp_path / "ct", array)
    elif kind == "sheared":
        path = shear(save(image_of(array), tmp_path / "scan.nii"), 0.02)
    else:
        path = save(sitk.JoinSeries([image]) if "frame" in kind else image, tmp_path / kind)
    grid, volume = read_grid(path), read_volume(path)
    assert grid.array_kji.shape == volume.array_kji.shape
    assert grid.array_kji.strides == (0, 0, 0)
    np.testing.assert_array_equal(grid.ijk_to_ras, volume.ijk_to_ras)
    assert grid.name == volume.name


def test_a_file_without_a_grid_is_refused(tmp_path, array):
    (tmp_path / "scan.nrrd").write_text("hello")
    for path, told in (
        (tmp_path / "scan.nrrd", "not an image"),
        (save(image_of(array[0]), tmp_path / "flat.nrrd"), "2D image"),
    ):
        with pytest.raises(InputError, match=told):
            read_grid(path)
