import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.testing import assert_close

from fastsam3d.cube import Cube
from fastsam3d.geometry import Patch, ras_to_kji
from fastsam3d.synthetic import Random

CENTRE = (31.0, -14.0, 52.0)


@pytest.fixture(params=["straight", "permuted", "oblique"])
def ijk_to_ras(request):
    matrix = np.eye(4)
    directions = {
        "straight": np.eye(3),
        "permuted": np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]]),
        "oblique": np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0],
    }[request.param]
    matrix[:3, :3] = directions * [1.5, 2.0, 2.5]
    matrix[:3, 3] = CENTRE - matrix[:3, :3] @ [30, 27, 24]
    return matrix


@pytest.fixture
def volume():
    """Smooth, different along each axis and nowhere symmetric; (k, j, i)."""
    k, j, i = np.indices((50, 56, 62)).astype(np.float32)
    return np.sin(k / 7) * 40 + j * 1.5 + np.cos(i / 9) * 60 + 0.02 * i * j + 300


def straight(spacing_mm):
    return Cube(torch.tensor(CENTRE, dtype=torch.float64), torch.eye(3), spacing_mm)


def within(spacing_mm, volume, ijk_to_ras):
    """Tell which voxels of the cube lie well inside the volume."""
    inside = np.zeros_like(volume)
    inside[3:-3, 3:-3, 3:-3] = 1
    patch = Patch(CENTRE, spacing_mm, 128)
    return torch.from_numpy(patch.sample(inside, ijk_to_ras, outside=0.0)) > 0.999


def test_cube_along_the_axes_of_the_world_is_a_patch(volume, ijk_to_ras):
    cube = straight(0.9).sample(
        torch.from_numpy(volume), torch.from_numpy(ijk_to_ras), 128, nearest=False
    )
    patch = torch.from_numpy(Patch(CENTRE, 0.9, 128).sample(volume, ijk_to_ras))
    seen = within(0.9, volume, ijk_to_ras)
    assert seen.float().mean() > 0.2
    assert_close(cube[seen], patch[seen], rtol=0, atol=0.02)


def test_coarse_cube_averages_as_a_patch_does(volume, ijk_to_ras):
    cube = straight(6.0).sample(
        torch.from_numpy(volume), torch.from_numpy(ijk_to_ras), 64, nearest=False
    )
    plain = straight(6.0).sample(
        torch.from_numpy(volume), torch.from_numpy(ijk_to_ras), 64, nearest=True
    )
    noisy = volume + np.random.default_rng(0).normal(0, 30, volume.shape).astype(np.float32)
    from_noisy = straight(6.0).sample(
        torch.from_numpy(noisy), torch.from_numpy(ijk_to_ras), 64, nearest=False
    )
    inside = plain > float(volume.min())
    inside &= cube > 320
    assert (from_noisy - cube)[inside].std() < 10
    assert (cube - plain)[inside].abs().median() < 12


def test_coarse_grid_of_labels_divides_the_cube_as_the_fine_one(ijk_to_ras):
    labels = np.zeros((50, 56, 62), np.int16)
    labels[10:30, 5:25, 20:50] = 3
    labels[30:40, 5:15, 20:30] = 7
    fine, coarse = (
        straight(1.0).sample(
            torch.from_numpy(labels), torch.from_numpy(ijk_to_ras), n, nearest=True
        )
        for n in (128, 64)
    )
    assert set(coarse.unique().tolist()) == {0.0, 3.0, 7.0}
    repeated = coarse
    for axis in range(3):
        repeated = repeated.repeat_interleave(2, axis)
    assert (repeated == fine).float().mean() > 0.97
    points = Patch(CENTRE, 1.0, 128).to_ras(np.moveaxis(np.indices((128,) * 3), 0, -1))
    index = np.moveaxis(ras_to_kji(points, ijk_to_ras), -1, 0)
    wanted = ndimage.map_coordinates(labels, index, order=0, mode="grid-constant")
    assert (fine.numpy() == wanted).mean() > 0.999


def test_turned_cube_keeps_its_centre_and_right_angles():
    cubes = [Cube.random(torch.tensor(CENTRE), 1.0, Random.seeded(n)) for n in range(12)]
    for cube in cubes:
        assert_close(cube.axes.T @ cube.axes, torch.eye(3), rtol=0, atol=1e-5)
        assert torch.linalg.det(cube.axes) > 0
    turned = [not torch.equal(cube.axes, torch.eye(3)) for cube in cubes]
    assert 2 < sum(turned) < 10


def test_beyond_the_volume_lies_its_minimum():
    volume = torch.full((8, 8, 8), -1000.0)
    volume[4, 4, 4] = 50
    cube = straight(4.0).sample(volume, torch.eye(4, dtype=torch.float64), 64, nearest=True)
    assert cube[0, 0, 0] == -1000


def test_nothing_is_made_on_the_default_device(volume):
    matrix, values = torch.eye(4, dtype=torch.float64), torch.from_numpy(volume)
    with torch.device("meta"):
        cube = Cube.random(torch.zeros(3, device="cpu"), 4.0, Random.seeded(0))
        assert cube.sample(values, matrix, 64, nearest=False).device.type == "cpu"
