"""Image and label come to cubic voxels together, and stay where they were."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from fastsam3d.dataset_resample import (
    Grid,
    counts_of,
    resample_image,
    resample_labels,
    round_trip,
    same_place,
)
from fastsam3d.errors import InputError
from fastsam3d.geometry import kji_to_ras, ras_to_kji
from fastsam3d.images import Volume
from trees import Body

RADIUS_VOXELS = 4.0

few = settings(deadline=None, max_examples=40, derandomize=True, database=None)

turns = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)
spacings = st.tuples(*[st.floats(0.5, 4)] * 3)
signs = st.tuples(*[st.sampled_from([-1, 1])] * 3)


def affine_of(turn, spacing, sign):
    """Any axes at right angles, left-handed ones too."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(turn).as_matrix() * np.multiply(spacing, sign)
    matrix[:3, 3] = (-40, 25, 300)
    return matrix


def ball(affine, shift):
    """A ball, its smooth picture and its centre in mm, in a volume with room round it."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    radius_mm = RADIUS_VOXELS * spacing.max()
    shape = tuple(int(2 * np.ceil(radius_mm / mm) + 8) for mm in spacing[::-1])
    centre_kji = (np.array(shape) - 1) / 2 + shift
    centre_ras = kji_to_ras(centre_kji, affine)
    voxels = np.indices(shape).reshape(3, -1).T
    away = np.linalg.norm(kji_to_ras(voxels, affine) - centre_ras, axis=1).reshape(shape)
    picture = np.exp(-((away / (0.4 * radius_mm)) ** 2)).astype(np.float32) * 1000
    return (away <= radius_mm).astype(np.uint16) * 7, Volume(picture, affine, "scan"), centre_ras


def centre_of(image):
    """The mean place in mm of an image's values."""
    weights = sitk.GetArrayFromImage(image).astype(float)
    middle = (np.indices(weights.shape) * weights).sum((1, 2, 3)) / weights.sum()
    centre_lps = image.TransformContinuousIndexToPhysicalPoint(middle[::-1].tolist())
    return np.multiply(centre_lps, (-1, -1, 1))


def body(**grid):
    """The miniature body's labels and scan."""
    made = Body(**grid)
    scan, labels = made.image(), made.labels()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(scan.GetDirection(), (3, 3)) * scan.GetSpacing()
    affine[:3, 3] = scan.GetOrigin()
    affine = np.diag([-1.0, -1, 1, 1]) @ affine
    array = sitk.GetArrayFromImage(labels).astype(np.uint16)
    return array, Volume(sitk.GetArrayFromImage(scan), affine, "scan")


@few
@given(turns, spacings, signs, st.floats(-0.5, 0.5), st.sampled_from(["linear", "bspline"]))
def test_a_ball_stays_where_it_is_in_the_image_and_in_the_label(
    turn, spacing, sign, shift, interpolation
):
    labels, scan, centre_ras = ball(affine_of(turn, spacing, sign), shift)
    grid = Grid(scan, 1.5)
    resampled = resample_labels(labels, scan, grid)
    image = resample_image(scan, grid, interpolation)
    assert same_place(image, resampled)
    assert np.linalg.norm(centre_of(resampled) - centre_ras) < 1.5 / 2
    assert (
        np.linalg.norm(centre_of(image - sitk.GetArrayViewFromImage(image).min()) - centre_ras)
        < 1.5 / 2
    )
    assert counts_of(sitk.GetArrayFromImage(resampled)).keys() == {7}


@few
@given(turns, spacings, signs, st.floats(0.4, 5))
def test_new_voxels_cover_the_volume_and_none_lies_beyond_it(turn, spacing, sign, spacing_mm):
    affine = affine_of(turn, spacing, sign)
    shape = (9, 14, 11)
    grid = Grid(Volume(np.zeros(shape, np.uint8), affine, "scan"), spacing_mm)
    image = sitk.Image(grid.size, sitk.sitkUInt8)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    last = [count - 1 for count in grid.size]
    ends = [image.TransformIndexToPhysicalPoint(index) for index in ([0, 0, 0], last)]
    voxels = ras_to_kji(np.array(ends) * (-1, -1, 1), affine)
    assert (voxels >= -0.5 - 1e-6).all()
    assert (voxels <= np.array(shape) - 0.5 + 1e-6).all()
    covered = np.array(grid.size) * spacing_mm - np.multiply(shape[::-1], spacing)
    assert (covered > -1e-4).all()
    assert (covered < spacing_mm).all()


def test_labels_get_no_value_that_they_did_not_have():
    labels, scan = body()
    labels *= 10
    resampled = resample_labels(labels, scan, Grid(scan, 1.5))
    assert set(np.unique(sitk.GetArrayFromImage(resampled))) == {0, 10, 20}


def test_the_same_spacing_changes_nothing():
    labels, scan = body(spacing=(1.5, 1.5, 1.5))
    grid = Grid(scan, 1.5)
    assert (sitk.GetArrayFromImage(resample_labels(labels, scan, grid)) == labels).all()
    assert (sitk.GetArrayFromImage(resample_image(scan, grid)) == scan.array_kji).all()


@pytest.mark.parametrize("interpolation", ["linear", "bspline"])
@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.float32])
def test_an_image_keeps_its_type_and_wraps_nowhere(interpolation, kind):
    labels, scan = body()
    edge = Volume(
        ((labels > 0) * 255 - (0 if kind == np.uint8 else 128)).astype(kind), scan.ijk_to_ras, ""
    )
    found = sitk.GetArrayFromImage(resample_image(edge, Grid(edge, 1.5), interpolation))
    assert found.dtype == kind
    assert abs(float(found.mean()) - float(edge.array_kji.mean())) < 3


def test_a_bspline_keeps_more_of_a_fine_pattern_than_a_line():
    waves = np.sin(np.indices((30, 30, 30)).sum(0) * 1.1).astype(np.float32)
    scan = Volume(waves, np.eye(4), "waves")
    spread = {
        how: sitk.GetArrayFromImage(resample_image(scan, Grid(scan, 0.7), how)).std()
        for how in ("linear", "bspline")
    }
    assert spread["bspline"] > 1.1 * spread["linear"]


def test_a_round_trip_brings_balls_back_and_loses_what_is_thin():
    labels, scan = body()
    labels[0, 0, :] = 3
    dice = round_trip(labels, scan, resample_labels(labels, scan, Grid(scan, 1.5)))
    assert dice[1] > 0.9
    assert dice[2] > 0.85
    coarse = round_trip(labels, scan, resample_labels(labels, scan, Grid(scan, 5.0)))
    assert coarse[3] < 0.5 < coarse[1]


def test_labels_shifted_by_their_header_alone_do_not_survive_the_round_trip():
    labels, scan = body()
    resampled = resample_labels(labels, scan, Grid(scan, 1.5))
    resampled.SetOrigin(np.add(resampled.GetOrigin(), 6.0).tolist())
    assert max(round_trip(labels, scan, resampled).values()) < 0.5


def test_a_spacing_that_cannot_be_is_refused_before_memory_is_full():
    scan = Volume(np.zeros((200, 200, 200), np.uint8), np.diag([90.0, 90, 90, 1]), "broken.nii.gz")
    with pytest.raises(InputError, match=r"broken\.nii\.gz extends over 1\.8e\+04"):
        Grid(scan, 1.5)
