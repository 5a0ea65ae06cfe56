import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist
from skimage.measure import marching_cubes

from fastsam3d.metrics import Truth, dice, surface, surface_dice

ISOTROPIC = (1.0, 1.0, 1.0)


def ellipsoid(centre_mm, radii_mm, spacing, shape=(20, 30, 28)):
    points = np.indices(shape) * np.reshape(spacing, (3, 1, 1, 1))
    scaled = (points - np.reshape(centre_mm, (3, 1, 1, 1))) / np.reshape(radii_mm, (3, 1, 1, 1))
    return (scaled**2).sum(axis=0) <= 1


def triangles(mask, spacing):
    """Return middles and areas of the whole mask's mesh."""
    padded = np.pad(mask, 1).astype(np.float32)
    vertices, faces, _, _ = marching_cubes(padded, 0.5, spacing=spacing)
    a, b, c = vertices[faces].transpose(1, 0, 2)
    return (a + b + c) / 3, np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def mesh_surface_dice(mask, truth, spacing, tolerance_mm):
    """Compare continuous surfaces, each triangle at its middle."""
    (p, p_area), (q, q_area) = triangles(mask, spacing), triangles(truth, spacing)
    distances = cdist(p, q)
    agreed = p_area[distances.min(axis=1) <= tolerance_mm].sum()
    agreed += q_area[distances.min(axis=0) <= tolerance_mm].sum()
    return agreed / (p_area.sum() + q_area.sum())


def grid_surface_dice(mask, truth, spacing, tolerance_mm):
    """Compare surfaces that are moved to the corners between voxels, by distance maps."""
    area = []
    for side in (mask, truth):
        middles, areas = triangles(side, spacing)
        area.append(np.zeros(np.add(side.shape, 1)))
        np.add.at(area[-1], tuple((middles / spacing).astype(int).T), areas)
    away = [ndimage.distance_transform_edt(a == 0, spacing) for a in area]
    agreed = area[0][away[1] <= tolerance_mm].sum() + area[1][away[0] <= tolerance_mm].sum()
    return agreed / (area[0].sum() + area[1].sum())


@pytest.mark.parametrize("spacing", [ISOTROPIC, (2.5, 0.8, 0.8)])
@pytest.mark.parametrize("shift_mm", [(0, 0, 2.4), (1, 3, 0), (3, 3, 3)])
def test_surface_dice_agrees_with_independent_definitions(spacing, shift_mm):
    middle = np.array([10, 14, 13]) * spacing
    truth = ellipsoid(middle, (7, 8, 6), spacing)
    mask = ellipsoid(middle + shift_mm, (6, 9, 6), spacing)
    found = surface_dice(mask, truth, spacing)
    assert 0.2 < found < 0.98
    assert found == pytest.approx(grid_surface_dice(mask, truth, spacing, 2.0), rel=1e-4)
    low, high = (mesh_surface_dice(mask, truth, spacing, 2.0 + mm) for mm in (-0.5, 0.5))
    assert low < found < high


@pytest.mark.parametrize("spacing", [ISOTROPIC, (2.5, 0.8, 1.1)])
def test_surface_has_the_area_of_the_mesh(spacing):
    mask = ellipsoid(np.array([10, 14, 13]) * spacing, (7, 8, 6), spacing)
    _, areas = surface(mask, spacing)
    assert areas.sum() == pytest.approx(triangles(mask, spacing)[1].sum(), rel=1e-5)


def test_tolerance_is_in_mm_and_includes_its_end():
    truth = np.zeros((12, 12, 12), bool)
    truth[2:10, 2:10, 2:10] = True
    mask = truth.copy()
    mask[:, :, 10] = truth[:, :, 9]
    assert surface_dice(mask, truth, (1.0, 1.0, 2.0)) == 1.0
    assert surface_dice(mask, truth, (1.0, 1.0, 2.1)) < 0.95


def test_surface_dice_does_not_depend_on_the_axes_or_on_the_room_around():
    truth = ellipsoid((10, 14, 13), (7, 8, 6), ISOTROPIC)
    mask = ellipsoid((11, 12, 15), (7, 8, 6), ISOTROPIC)
    expected = surface_dice(mask, truth, (2.0, 1.0, 0.5))
    turned = surface_dice(mask.transpose(2, 0, 1), truth.transpose(2, 0, 1), (0.5, 2.0, 1.0))
    roomy = surface_dice(np.pad(mask, 9), np.pad(truth, 9), (2.0, 1.0, 0.5))
    assert turned == pytest.approx(expected, abs=0.01)
    assert roomy == pytest.approx(expected)


def test_both_scores_are_one_for_equal_masks_and_none_for_distant_ones():
    near = ellipsoid((10, 8, 7), (6, 6, 5), ISOTROPIC)
    far = ellipsoid((10, 23, 21), (6, 6, 5), ISOTROPIC)
    assert (dice(near, near), surface_dice(near, near, ISOTROPIC)) == (1, 1)
    assert (dice(near, far), surface_dice(near, far, ISOTROPIC)) == (0, 0)


def test_two_empty_masks_agree_and_one_empty_mask_does_not():
    empty, full = np.zeros((5, 6, 7), bool), np.ones((5, 6, 7), bool)
    for mask, truth, expected in [(empty, empty, 1), (empty, full, 0), (full, empty, 0)]:
        assert dice(mask, truth) == expected
        assert Truth(truth, ISOTROPIC).dice(mask) == expected
        assert surface_dice(mask, truth, ISOTROPIC) == expected


def test_dice_in_the_truths_box_is_that_of_the_whole_volume():
    rng = np.random.default_rng(0)
    truth = np.zeros((9, 10, 11), bool)
    truth[2:6, 3:7, 1:9] = rng.random((4, 4, 8)) < 0.6
    mask = rng.random(truth.shape) < 0.3
    assert Truth(truth, ISOTROPIC).dice(mask) == dice(mask, truth)
    assert dice(mask, truth) == 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
