import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from fastsam3d.errors import InputError
from fastsam3d.geometry import Patch, box_shape, kji_to_ras, ras_to_kji, spacing_of

few = settings(deadline=None, max_examples=40, derandomize=True, database=None)

BALLS = (  # centre in mm from the shape's middle, radius in mm: unlike any mirror or turn of it
    ((0, 0, 0), 9),
    ((15, 0, 0), 8),
    ((0, 14, 0), 7),
    ((0, 0, 13), 6),
)


@st.composite
def directions(draw):
    """Unit columns: a signed permutation or any rotation, maybe mirrored, maybe sheared a bit."""
    columns = np.eye(3)[:, draw(st.permutations(range(3)))]
    columns = columns * draw(st.tuples(*[st.sampled_from([-1, 1])] * 3))
    if draw(st.booleans()):
        angles = draw(st.tuples(*[st.floats(-180, 180)] * 3))
        columns = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ columns
        shear = draw(st.floats(0, 0.15))
        columns = columns @ np.array([[1, shear, 0], [0, 1, 0], [shear, 0, 1]])
    return columns / np.linalg.norm(columns, axis=0)


@st.composite
def affines(draw, finest=0.5, coarsest=5.0):
    matrix = np.eye(4)
    spacing = [draw(st.floats(finest, coarsest)) for _ in range(3)]
    matrix[:3, :3] = draw(directions()) * spacing
    matrix[:3, 3] = draw(st.tuples(*[st.floats(-300, 300)] * 3))
    return matrix


def diagonal(i, j, k):
    return np.diag([i, j, k, 1.0])


def centres_ras(shape_kji, ijk_to_ras):
    return kji_to_ras(np.moveaxis(np.indices(shape_kji), 0, -1), ijk_to_ras)


def middle_ras(shape_kji, ijk_to_ras):
    return tuple(kji_to_ras([(np.array(shape_kji) - 1) / 2], ijk_to_ras)[0])


def shape_covering(extent_mm, ijk_to_ras):
    return tuple(int(extent_mm / mm) + 2 for mm in spacing_of(ijk_to_ras)[::-1])


def depth_mm(points_ras, middle, balls):
    """How deep points lie in the union of balls; negative outside."""
    depths = [r - np.linalg.norm(points_ras - middle - centre, axis=-1) for centre, r in balls]
    return np.max(depths, axis=0)


def patch_centres_ras(patch, cells):
    return patch.to_ras(
        (np.moveaxis(np.indices((cells,) * 3), 0, -1) + 0.5) * patch.size / cells - 0.5
    )


@few
@given(affines(), st.tuples(*[st.integers(0, 2000)] * 3), st.floats(0.3, 4))
def test_click_comes_back_to_its_voxel(ijk_to_ras, voxel_kji, spacing_mm):
    point_ras = kji_to_ras([voxel_kji], ijk_to_ras)
    patch = Patch(tuple(point_ras[0] + (10, -20, 30)), spacing_mm)
    through_patch = patch.to_ras(patch.to_patch(point_ras))
    np.testing.assert_array_equal(ras_to_kji(point_ras, ijk_to_ras).round()[0], voxel_kji)
    np.testing.assert_allclose(ras_to_kji(through_patch, ijk_to_ras)[0], voxel_kji, atol=1e-6)


def test_first_index_of_an_affine_is_the_last_of_the_array():
    np.testing.assert_allclose(kji_to_ras([[1, 2, 3]], diagonal(-1, 10, 100)), [[-3, 20, 100]])
    np.testing.assert_allclose(spacing_of(diagonal(-1, 10, 100)), [1, 10, 100])


def test_patch_voxels_count_right_anterior_superior_from_the_corner():
    patch = Patch((10, 20, 30), spacing_mm=2, size=4)
    np.testing.assert_allclose(patch.to_ras([[0, 0, 0], [3, 0, 0]]), [[7, 17, 27], [13, 17, 27]])
    assert patch.contains([[13.9, 20, 30], [14.1, 20, 30]]).tolist() == [True, False]
    assert patch.contains([[12, 20, 30]], margin_mm=2.5).tolist() == [False]


@few
@given(affines(finest=1, coarsest=2.5), st.sampled_from([BALLS, BALLS[:1]]), st.floats(0.8, 2))
def test_sampled_shape_lies_where_it_is_in_the_world(ijk_to_ras, balls, spacing_mm):
    shape = shape_covering(60, ijk_to_ras)
    middle = middle_ras(shape, ijk_to_ras)
    volume = (depth_mm(centres_ras(shape, ijk_to_ras), middle, balls) > 0).astype(np.int16)
    patch = Patch(tuple(np.add(middle, (3, -2, 4))), spacing_mm, size=32)
    found = patch.sample(volume, ijk_to_ras, outside=0) > 0.5
    depth = depth_mm(patch_centres_ras(patch, 32), middle, balls)
    sure = np.abs(depth) > max(spacing_mm, spacing_of(ijk_to_ras).max())
    assert (found & sure).sum() > 100
    np.testing.assert_array_equal(found[sure], depth[sure] > 0)


@few
@given(
    affines(finest=0.8, coarsest=4), st.sampled_from([BALLS, BALLS[:1]]), st.sampled_from([16, 32])
)
def test_pasted_shape_lies_where_it_is_in_the_world(ijk_to_ras, balls, cells):
    shape = shape_covering(50, ijk_to_ras)
    middle = middle_ras(shape, ijk_to_ras)
    patch = Patch(tuple(np.add(middle, (3, -2, 4))), spacing_mm=1.5, size=32)
    logits = depth_mm(patch_centres_ras(patch, cells), middle, balls).astype(np.float32)
    box, values = patch.paste(logits, shape, ijk_to_ras)
    points = centres_ras(shape, ijk_to_ras)[box]
    depth = depth_mm(points, middle, balls)
    sure = (np.abs(depth) > 48 / cells) & patch.contains(points)
    assert sure.sum() > 50
    np.testing.assert_array_equal(values[sure] > 0, depth[sure] > 0)


@few
@given(affines(finest=0.3, coarsest=4))
def test_linear_intensities_are_kept_whatever_is_averaged(ijk_to_ras):
    slope = np.array([1.0, -2.0, 3.0])
    shape = shape_covering(24, ijk_to_ras)
    middle = middle_ras(shape, ijk_to_ras)
    ramp = (centres_ras(shape, ijk_to_ras) - middle) @ slope
    patch = Patch(middle, spacing_mm=0.9, size=10)
    found = patch.sample(ramp, ijk_to_ras)
    expected = (patch_centres_ras(patch, 10) - middle) @ slope
    np.testing.assert_allclose(found, expected, atol=0.05)
    box, pasted = patch.paste(found, shape, ijk_to_ras)
    inner = patch.contains(centres_ras(shape, ijk_to_ras)[box], margin_mm=0.46)
    np.testing.assert_allclose(pasted[inner], ramp[box][inner], atol=0.1)


@few
@given(affines(finest=1.5), st.integers(0, 99))
def test_sample_is_plain_interpolation_where_the_patch_is_finer(ijk_to_ras, seed):
    rng = np.random.default_rng(seed)
    volume = rng.integers(0, 5, (6, 9, 12)).astype(np.int16)
    point_kji = rng.uniform(0, volume.shape)
    patch = Patch(tuple(kji_to_ras([point_kji], ijk_to_ras)[0]), spacing_mm=1.4, size=16)
    index = np.moveaxis(ras_to_kji(patch_centres_ras(patch, 16), ijk_to_ras), -1, 0)
    plain = ndimage.map_coordinates(volume.astype(float), index, order=1, mode="nearest")
    limits = np.reshape(volume.shape, (3, 1, 1, 1)) - 0.5
    plain[((index < -0.5) | (index > limits)).any(0)] = -7
    found = patch.sample(volume, ijk_to_ras, outside=-7)
    sure = (np.abs((index % 1) - 0.5) > 0.01).all(0)
    np.testing.assert_allclose(found[sure], plain[sure], atol=0.03)


@few
@given(affines(), st.integers(0, 99))
def test_box_holds_every_voxel_whose_centre_is_in_the_cube(ijk_to_ras, seed):
    shape = (9, 12, 15)
    point_kji = np.random.default_rng(seed).uniform(-3, np.add(shape, 3))
    patch = Patch(tuple(kji_to_ras([point_kji], ijk_to_ras)[0]), spacing_mm=1.5, size=8)
    inside = patch.contains(centres_ras(shape, ijk_to_ras))
    box, values = patch.paste(np.full((4, 4, 4), 2, np.float32), shape, ijk_to_ras)
    assert box == patch.box_in(shape, ijk_to_ras)
    assert values.shape == box_shape(box)
    assert inside.sum() == inside[box].sum()
    points = centres_ras(shape, ijk_to_ras)[box]
    sure = patch.contains(points, 0.02) == patch.contains(points, -0.02)
    np.testing.assert_array_equal(values[sure], np.where(inside[box], 2, -np.inf)[sure])


def test_only_the_box_is_read():
    volume = np.full((100, 100, 100), np.nan)
    volume[30:70, 30:70, 30:70] = 5
    found = Patch((50, 50, 50), spacing_mm=1.5, size=16).sample(volume, np.eye(4))
    np.testing.assert_allclose(found, 5)


def test_beyond_the_volume_lies_the_least_value_of_the_box():
    volume = np.full((30, 30, 30), 100, np.int16)
    volume[15, 15, 1] = 40
    volume[29, 29, 29] = -3000
    found = Patch((0, 15, 15), spacing_mm=1, size=6).sample(volume, np.eye(4))
    assert found.dtype == np.float32
    assert found[0, 0, 0] == 40


def test_patch_wholly_outside_touches_nothing():
    patch = Patch((500, 0, 0), size=8)
    volume = np.ones((10, 10, 10), np.int16)
    box, values = patch.paste(np.ones((4, 4, 4), np.float32), volume.shape, np.eye(4))
    assert box_shape(box) == box_shape(patch.box_in(volume.shape, np.eye(4)))
    assert values.size == 0
    np.testing.assert_array_equal(patch.sample(volume, np.eye(4)), 0)
    np.testing.assert_array_equal(patch.sample(volume, np.eye(4), outside=-9), -9)


@pytest.mark.parametrize("turn", [0, 10])
def test_paste_within_a_box_is_that_part_of_the_whole(turn):
    ijk_to_ras = np.eye(4)
    ijk_to_ras[:3, :3] = Rotation.from_euler("y", turn, degrees=True).as_matrix()
    patch = Patch((10, 11, 12), spacing_mm=1.5, size=16)
    grid = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    whole = np.full((30, 30, 30), -np.inf, np.float32)
    box, values = patch.paste(grid, whole.shape, ijk_to_ras)
    whole[box] = values
    within = (slice(5, 14), slice(0, 30), slice(9, 10))
    box, values = patch.paste(grid, whole.shape, ijk_to_ras, within=within)
    assert box[0] == within[0]
    np.testing.assert_allclose(values, whole[box], atol=1e-5)
    outside = (slice(0, 0), slice(29, 30), slice(0, 9))
    assert patch.paste(grid, whole.shape, ijk_to_ras, within=outside)[1].size == 0


@pytest.mark.parametrize(
    "ijk_to_ras",
    [diagonal(1, 0, 1), np.ones((4, 4)), np.eye(3), np.full((4, 4), np.nan)],
    ids=["zero spacing", "equal axes", "3 x 3", "not finite"],
)
def test_unusable_affine_is_refused(ijk_to_ras):
    with pytest.raises(InputError, match="ijk_to_ras"):
        Patch((0, 0, 0)).sample(np.zeros((4, 4, 4)), ijk_to_ras)


@pytest.mark.parametrize(
    "fields",
    [{"spacing_mm": 0}, {"size": 0}, {"centre_ras": (0, 0)}, {"centre_ras": (0, 0, np.nan)}],
)
def test_patch_without_a_place_or_size_is_refused(fields):
    with pytest.raises(InputError, match="patch"):
        Patch(**{"centre_ras": (0, 0, 0), **fields})


def test_colour_volume_is_refused():
    with pytest.raises(InputError, match="3D"):
        Patch((0, 0, 0)).sample(np.zeros((4, 4, 4, 3)), np.eye(4))
