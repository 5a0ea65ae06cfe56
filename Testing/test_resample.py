import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from fastsam3d.geometry import Patch, kji_to_ras
from fastsam3d.resample import is_parallel, resample_oblique, resample_parallel
from fastsam3d.trilinear import interpolate

few = settings(deadline=None, max_examples=40, derandomize=True, database=None)


def diagonal(i, j, k):
    return np.diag([i, j, k, 1.0])


def middle_ras(shape_kji, ijk_to_ras):
    return tuple(kji_to_ras([(np.array(shape_kji) - 1) / 2], ijk_to_ras)[0])


@few
@given(
    st.permutations(range(3)),
    st.tuples(*[st.sampled_from([-1, 1])] * 3),
    st.tuples(*[st.floats(0.3, 4)] * 3),
    st.sampled_from([(20, 20, 20), (3, 4, 5)]),
)
def test_parallel_axes_give_what_oblique_ones_would(axes, signs, spans, shape):
    source = np.random.default_rng(0).normal(size=(11, 17, 23)).astype(np.float32)
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) * np.multiply(signs, spans))[:, axes]
    matrix[:3, 3] = np.array(source.shape) / 2.1 - matrix[:3, :3] @ np.array(shape) / 2
    assert is_parallel(matrix)
    for averaged in (1, spans):
        arguments = (source, matrix, shape, np.maximum(averaged, (1, 1, 1)), -9.0)
        np.testing.assert_allclose(
            resample_parallel(*arguments), resample_oblique(*arguments), atol=1e-4
        )


@pytest.mark.parametrize("turn", [0, 30])
@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (0.7, 0.4, 0.6), (1, 1, 1)])
def test_checkerboard_finer_than_the_patch_becomes_grey(turn, spacing):
    volume = 1000 * (np.indices((60, 60, 60)).sum(0) % 2).astype(np.int16)
    ijk_to_ras = diagonal(*spacing)
    ijk_to_ras[:3, :3] = (
        Rotation.from_euler("z", turn, degrees=True).as_matrix() @ ijk_to_ras[:3, :3]
    )
    patch = Patch(middle_ras(volume.shape, ijk_to_ras), spacing_mm=1.5, size=8)
    np.testing.assert_allclose(patch.sample(volume, ijk_to_ras), 500, atol=50)


@pytest.mark.parametrize("turn", [0, 30])
def test_noise_of_many_voxels_to_one_is_averaged_away(turn):
    volume = np.random.default_rng(0).normal(size=(90, 90, 90))
    ijk_to_ras = diagonal(0.25, 0.25, 0.25)
    ijk_to_ras[:3, :3] = Rotation.from_euler("z", turn, degrees=True).as_matrix() * 0.25
    patch = Patch(middle_ras(volume.shape, ijk_to_ras), spacing_mm=1.5, size=8)
    assert patch.sample(volume, ijk_to_ras).std() < 0.1


def test_axis_coarser_than_the_patch_keeps_its_contrast():
    volume = np.broadcast_to(1000.0 * (np.arange(9) % 2)[:, None, None], (9, 60, 60))
    patch = Patch((15, 15, 12), spacing_mm=1.5, size=9)
    found = patch.sample(volume, diagonal(0.5, 0.5, 3))
    np.testing.assert_allclose(found[4, 4, ::2], [0, 1000, 0, 1000, 0], atol=0.1)


@pytest.mark.parametrize("shape", [(2, 40, 40), (1, 1, 1), (5, 300, 3)])
@pytest.mark.parametrize("spacing", [(0.5, 0.5, 5), (3, 0.2, 1)])
@pytest.mark.parametrize("turn", [0, 20])
def test_thin_and_small_volumes_keep_a_constant(shape, spacing, turn):
    ijk_to_ras = diagonal(*spacing)
    ijk_to_ras[:3, :3] = Rotation.from_euler("xz", [turn] * 2, degrees=True).as_matrix() * spacing
    patch = Patch(middle_ras(shape, ijk_to_ras), spacing_mm=1.5, size=17)
    found = patch.sample(np.full(shape, 7, np.uint8), ijk_to_ras, outside=-1)
    np.testing.assert_allclose(np.unique(found.round(4)), [-1, 7])


def test_rounding_in_an_affine_leaves_its_axes_parallel(monkeypatch):
    monkeypatch.setattr("fastsam3d.resample.resample_oblique", None)
    ijk_to_ras = diagonal(-1, 1, 1)
    ijk_to_ras[0, 1] = 1e-7
    assert Patch((-5, 5, 5), size=8).sample(np.ones((9, 9, 9)), ijk_to_ras).max() == 1


@few
@given(
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.floats(0.2, 3),
    st.sampled_from([(30, 40, 50), (1, 40, 20), (9, 1, 1), (2, 2, 2)]),
)
def test_slanted_lines_are_weighed_as_scipy_weighs_them(angles, scale, shape):
    source = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    matrix = np.eye(4)
    matrix[:3, :3] = scale * Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix[:3, 3] = np.array(shape) / 2 - matrix[:3, :3] @ (20, 22, 25)
    everywhere = [(-np.inf, np.inf)] * 3
    plain = ndimage.affine_transform(
        source, matrix[:3, :3], matrix[:3, 3], (41, 45, 51), order=1, mode="nearest"
    )
    found = interpolate(source, matrix, plain.shape, everywhere, 0.0)
    np.testing.assert_allclose(found, plain, atol=1e-3)


def test_beyond_the_limits_lies_the_value_outside():
    source, matrix = np.ones((5, 5, 5), np.float32), np.eye(4)
    matrix[:3, 3] = -2
    found = interpolate(source, matrix, (9, 9, 9), [(-0.5, 4.5)] * 3, -7.0)
    assert found[2:7, 2:7, 2:7].min() == 1
    found[2:7, 2:7, 2:7] = -7
    np.testing.assert_array_equal(found, -7)
