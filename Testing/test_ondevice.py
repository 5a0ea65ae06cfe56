from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from fastsam3d import ondevice, ondevice_resample, ondevice_trilinear
from fastsam3d.errors import InputError
from fastsam3d.geometry import Patch, kji_to_ras, ras_to_kji
from fastsam3d.intensity import NORMALISATIONS, normalise
from fastsam3d.ondevice import VolumeOnDevice
from fastsam3d.ondevice_intensity import normalise_on
from fastsam3d.ondevice_resample import resample_on
from fastsam3d.resample import resample
from test_geometry import affines, patch_centres_ras
from watching import Watched

few = settings(deadline=None, max_examples=200, derandomize=True, database=None)

CPU, META = torch.device("cpu"), torch.device("meta")
SHAPE = (19, 24, 29)
KINDS = ["bool", "uint8", "int8", "uint16", "int16", ">i2", "uint32", "int32", "int64", "float16"]
KINDS += ["float32", ">f4", "float64"]
NEAR = 1e-3
"""Of the range of the values: how far float32 may lead from what it is a twin of."""


def turned(degrees=0.0, spacing=(0.7, 0.8, 1.6)):
    ijk_to_ras = np.eye(4)
    turn = Rotation.from_euler("xyz", [degrees] * 3, degrees=True).as_matrix()
    ijk_to_ras[:3, :3] = turn * spacing
    return ijk_to_ras


def patch_at(point_kji, ijk_to_ras, spacing_mm=1.5, size=16):
    return Patch(tuple(kji_to_ras([point_kji], ijk_to_ras)[0]), spacing_mm, size)


def sampled(volume, ijk_to_ras, patch, **kinds):
    return VolumeOnDevice(volume, ijk_to_ras, CPU, **kinds).sample(patch).numpy()


def away_from_the_faces(patch, ijk_to_ras):
    """Tell which voxels of a patch are clearly in or clearly out of the volume."""
    index = ras_to_kji(patch_centres_ras(patch, patch.size), ijk_to_ras)
    faces = np.minimum(np.abs(index + 0.5), np.abs(index - np.array(SHAPE) + 0.5))
    return (faces > 1e-3).all(-1)


@pytest.fixture
def volume():
    return np.random.default_rng(0).integers(-1000, 3000, SHAPE).astype(np.int16)


@few
@given(
    affines(finest=0.3),
    st.tuples(*[st.floats(-0.4, 1.4)] * 3),
    st.floats(0.4, 4),
    st.integers(0, 99),
)
def test_patch_sampled_on_a_device_is_the_patch(ijk_to_ras, place, spacing_mm, seed):
    volume = np.random.default_rng(seed).integers(-1000, 3000, SHAPE).astype(np.int16)
    patch = patch_at(np.multiply(place, SHAPE), ijk_to_ras, spacing_mm)
    found, plain = sampled(volume, ijk_to_ras, patch), patch.sample(volume, ijk_to_ras)
    assert found.dtype == np.float32
    sure = away_from_the_faces(patch, ijk_to_ras)
    np.testing.assert_allclose(found[sure], plain[sure], rtol=0, atol=NEAR * 4000)


@pytest.mark.parametrize("turn", [0, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_volume_of_any_type_is_sampled(kind, turn):
    values = np.random.default_rng(0).integers(0, 2 if kind == "bool" else 120, SHAPE)
    ijk_to_ras = turned(turn)
    patch = patch_at((2, 9, 20), ijk_to_ras)
    found = sampled(values.astype(kind), ijk_to_ras, patch)
    plain = patch.sample(values.astype(kind), ijk_to_ras)
    np.testing.assert_allclose(found, plain, rtol=0, atol=NEAR * values.max())


@pytest.mark.parametrize(
    "laid",
    [np.asfortranarray, lambda values: values[::-1, :, ::-1], lambda values: values.swapaxes(0, 2)],
    ids=["columns first", "backwards", "turned over"],
)
def test_volume_may_lie_in_memory_in_any_way(volume, laid):
    values = laid(volume)
    values.setflags(write=False)
    patch = patch_at((9, 9, 20), turned())
    plain = patch.sample(values, turned())
    np.testing.assert_allclose(sampled(values, turned(), patch), plain, atol=NEAR * 4000)


@pytest.mark.parametrize("turn", [0, 12])
def test_memory_mapped_or_too_large_a_volume_is_read_where_the_patch_is(volume, turn, tmp_path):
    mapped = np.memmap(tmp_path / "volume", np.int16, "w+", shape=SHAPE)
    mapped[:] = volume
    ijk_to_ras = turned(turn)
    patch = patch_at((12, 9, 20), ijk_to_ras, spacing_mm=0.5, size=8)
    plain = patch.sample(volume, ijk_to_ras)
    for values, most in [(mapped, volume.nbytes), (volume, volume.nbytes - 1)]:
        found = sampled(values, ijk_to_ras, patch, max_bytes=most)
        np.testing.assert_allclose(found, plain, rtol=0, atol=NEAR * 4000)
        with Watched(META) as watched:
            VolumeOnDevice(values, ijk_to_ras, META, most).sample(patch)
        assert sum(watched.uploads) < volume.size


def test_small_volume_goes_to_the_device_once(volume):
    there = VolumeOnDevice(volume, turned(), META)
    with Watched(META) as watched:
        for k in range(4):
            there.sample(patch_at((k, 9, 20), turned(), size=2))
    assert [size for size in watched.uploads if size == volume.size] == [volume.size]


def test_volume_that_found_no_room_is_tried_again(volume, monkeypatch):
    there, patch = VolumeOnDevice(volume, turned(), CPU), patch_at((9, 9, 20), turned())

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as patched:
        patched.setattr(ondevice, "uploaded", full)
        with pytest.raises(torch.OutOfMemoryError, match="CUDA"):
            there.sample(patch)
    np.testing.assert_allclose(there.sample(patch), patch.sample(volume, turned()), atol=1)


def test_patch_wholly_outside_is_zero(volume):
    patch = Patch((500, 0, 0), size=8)
    np.testing.assert_array_equal(sampled(volume, turned(), patch), 0)


def test_colour_volume_is_refused_on_a_device():
    with pytest.raises(InputError, match="3D"):
        VolumeOnDevice(np.zeros((4, 4, 4, 3)), np.eye(4), CPU).sample(Patch((0, 0, 0)))


@pytest.mark.parametrize("turn", [0, 20])
@pytest.mark.parametrize("outside", [-7.0, -np.inf, None])
@pytest.mark.parametrize("spans", [(1, 1, 1), (1, 2.5, 3)])
def test_large_grids_are_resampled_in_pieces(volume, turn, outside, spans, monkeypatch):
    matrix = turned(turn, np.maximum(spans, 0.6))
    matrix[:3, 3] = (6, -4, 2)
    shape = (9, 13, 11)
    least = float(volume.min()) if outside is None else outside
    plain = resample(volume, matrix, shape, spans=spans, outside=least)
    again = partial(resample_on, torch.from_numpy(volume), matrix, shape, spans=spans)
    whole = again(outside=outside)
    monkeypatch.setattr(ondevice_resample, "_SLAB_VOXELS", 3 * volume[0].size)
    monkeypatch.setattr(ondevice_trilinear, "_CHUNK_VOXELS", 2 * shape[1] * shape[2])
    for found in (whole, again(outside=outside)):
        np.testing.assert_allclose(found, plain, rtol=0, atol=NEAR * 4000)
    assert least in plain


@pytest.mark.parametrize("turn", [0, 20])
def test_several_grids_are_resampled_as_each_alone(volume, turn):
    first = torch.from_numpy(volume)
    arguments = (turned(turn, (1.3, 0.4, 0.9)), (9, 13, 11))
    both = resample_on(torch.stack((first, -2 * first)), *arguments, outside=5)
    for one, factor in zip(both, (1, -2), strict=True):
        alone = resample_on(factor * first, *arguments, outside=5)
        torch.testing.assert_close(one, alone, rtol=0, atol=0.01)


@pytest.mark.parametrize("slope", [(0, 0, 0.6), (0.011, 0.4, 0.6)], ids=["parallel", "oblique"])
def test_place_far_along_a_long_axis_is_exact_to_a_thousandth_of_a_voxel(slope):
    ramp = np.arange(30_000, dtype=np.float32)[None, None] - 28_000
    matrix = np.diag([0.2, 0.2, 0.6, 1])
    matrix[2] = (*slope, 28_000.3)
    shape = (3, 3, 500)
    exact = np.tensordot(slope, np.indices(shape), 1) + 0.3
    found = resample_on(torch.from_numpy(ramp), matrix, shape, outside=-np.inf)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-3)


PATCHES = {
    "CT": (100, 300),
    "far from zero": (20_000, 7),
    "at the end of float32": (3_000_000, 1),
    "nothing above zero": (-900, 100),
    "small": (0.02, 0.004),
}


@pytest.mark.parametrize("how", NORMALISATIONS)
@pytest.mark.parametrize("ct_clamp", [False, True])
@pytest.mark.parametrize(("mean", "deviation"), PATCHES.values(), ids=PATCHES)
def test_patch_is_normalised_as_in_numpy(how, ct_clamp, mean, deviation):
    patch = np.random.default_rng(0).normal(mean, deviation, (30, 31, 32)).astype(np.float32)
    patch[0] += 40 * deviation
    found = normalise_on(torch.from_numpy(patch), how, ct_clamp=ct_clamp)
    plain = normalise(patch, how, ct_clamp=ct_clamp)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("how", NORMALISATIONS)
def test_patch_in_another_order_in_memory_is_normalised_alike(how):
    patch = (
        np.random.default_rng(0).gamma(1, 300, (12, 9, 17)).astype(np.float32).transpose(2, 0, 1)
    )
    np.testing.assert_allclose(
        normalise_on(torch.from_numpy(patch), how), normalise(patch, how), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("how", NORMALISATIONS)
@pytest.mark.parametrize("value", [0, 3.7, -1024.3, 30_000.1])
def test_constant_patch_becomes_zero_on_a_device(how, value):
    found = normalise_on(torch.full((96, 96, 96), float(value)), how)
    np.testing.assert_array_equal(found, 0)


def test_unknown_normalisation_is_refused_on_a_device():
    with pytest.raises(InputError, match="zscore-positive"):
        normalise_on(torch.zeros(2, 2, 2), "minmax")


@pytest.mark.parametrize("device", [CPU, META], ids=str)
@pytest.mark.parametrize("turn", [0, 12])
@pytest.mark.parametrize("place", [(9, 12, 15), (0, 3, 28)], ids=["within", "on the border"])
def test_sampling_needs_no_float64_and_never_waits(volume, device, turn, place):
    there = VolumeOnDevice(volume.astype(np.float64), turned(turn), device)
    with Watched(device) as watched:
        there.sample(patch_at(place, turned(turn), spacing_mm=2.0))
        first = len(watched.kernels)
        there.sample(patch_at(place, turned(turn), spacing_mm=0.2))
    assert first <= 24
    assert len(watched.kernels) - first <= 20


@pytest.mark.parametrize("device", [CPU, META], ids=str)
@pytest.mark.parametrize("how", NORMALISATIONS)
def test_normalising_needs_no_float64_never_waits_and_copies_nothing(device, how):
    patch = torch.ones((8, 8, 8), device=device)
    with Watched(device) as watched:
        normalise_on(patch, how, ct_clamp=True)
    assert watched.uploads == []
    assert len(watched.kernels) <= 30
