import numpy as np
import pytest
from matplotlib.image import imread
from scipy.spatial.transform import Rotation

from fastsam3d.canonical import nearest_axes, to_scene
from fastsam3d.errors import InputError
from fastsam3d.masks import colour_of
from fastsam3d.points import Point
from fastsam3d.preview import PLANES, draw, write_preview
from fastsam3d.surface import _mesh

SHAPE = (12, 30, 24)
AFFINE = np.array([[-2.0, 0, 0, 20], [0, -2, 0, 30], [0, 0, 5, -10], [0, 0, 0, 1]])


@pytest.fixture
def labels():
    array = np.zeros(SHAPE, np.uint8)
    array[3:9, 8:20, 6:16] = 1
    array[4:6, 22:26, 18:22] = 2
    return array


@pytest.fixture
def volume(labels):
    return np.random.default_rng(0).normal(0, 10, SHAPE) + 100 * labels


def test_a_picture_is_dark_and_shows_the_objects_in_their_colours(tmp_path, volume, labels):
    path = tmp_path / "a.png"
    points = [Point((0, 0, 15)), Point((20, 30, -10), positive=False)]
    captions = ["liver 12.0 mL", "spleen 1.0 mL"]
    write_preview(path, volume, labels, AFFINE, points=points, title="scan", captions=captions)
    picture = imread(path)[:, :, :3]
    assert picture.shape[1] > 1500
    assert np.median(picture) < 0.2
    orange = (picture[..., 0] > 0.8) & (picture[..., 2] < 0.3)
    teal = (picture[..., 0] < 0.3) & (picture[..., 2] > 0.6)
    assert orange.sum() > 300
    assert teal.sum() > 100


def test_an_empty_mask_has_no_picture(tmp_path, volume):
    with pytest.raises(InputError, match="mask is empty"):
        write_preview(tmp_path / "a.png", volume, np.zeros(SHAPE), AFFINE)
    assert not list(tmp_path.iterdir())


def test_a_picture_must_be_a_png(tmp_path, volume, labels):
    with pytest.raises(InputError, match="ends in"):
        write_preview(tmp_path / "a.jpg", volume, labels, AFFINE)


@pytest.mark.parametrize("turn", [(0, 0, 0), (25, 10, -20), (90, 0, 0), (180, 90, 0)])
def test_the_axes_nearest_to_right_front_top_are_found(turn):
    matrix = np.diag([-0.8, 1.0, 3.0]) @ np.eye(3)
    turned = Rotation.from_euler("zyx", turn, degrees=True).as_matrix() @ matrix
    axes, signs = nearest_axes(turned)
    directions = turned[:, ::-1] / np.linalg.norm(turned[:, ::-1], axis=0)
    assert sorted(axes) == [0, 1, 2]
    for world in range(3):
        assert signs[world] * directions[world, axes[world]] > 0.7


def test_a_scene_has_a_click_at_its_voxel_and_the_spacing_of_its_axes(volume, labels):
    position = (AFFINE @ (7, 9, 4, 1))[:3]
    scene = to_scene(volume, labels, AFFINE, [Point(tuple(position))])
    ((voxel, positive),) = scene.clicks
    r, a, s = np.rint(voxel).astype(int)
    assert scene.image[r, a, s] == volume[4, 9, 7]
    assert (r, a, s) == (SHAPE[2] - 1 - 7, SHAPE[1] - 1 - 9, 4)
    assert positive
    np.testing.assert_allclose(scene.spacing_mm, (2, 2, 5))


def test_right_and_front_are_at_the_left_and_the_top_is_up(volume, labels):
    figure = draw(to_scene(volume, labels, AFFINE), "", {})
    for panel, left in zip(figure.axes, "RRA", strict=False):
        (x_left, x_right), (y_low, y_high) = panel.get_xlim(), panel.get_ylim()
        assert x_left > x_right
        assert y_high > y_low
        assert next(t.get_text() for t in panel.texts if t.get_position()[0] < 0.1) == left
        assert panel.get_aspect() == 1


def test_each_plane_is_cut_across_the_axis_it_does_not_show():
    assert [plane.through for plane in PLANES] == [2, 1, 0]


def test_the_surface_of_a_ball_lies_on_the_ball():
    spacing_mm = np.array([1.0, 1.0, 3.0])
    centre_mm = np.array([20.0, 22.0, 27.0])
    grid = np.indices((40, 44, 18)).transpose(1, 2, 3, 0) * spacing_mm
    ball = np.linalg.norm(grid - centre_mm, axis=-1) < 15
    corners, normals = _mesh(ball, spacing_mm)
    away = corners.reshape(-1, 3) - centre_mm
    radii = np.linalg.norm(away, axis=1)
    assert abs(np.median(radii) - 15) < 0.7
    assert np.percentile(np.abs(radii - 15), 95) < 2
    assert np.mean((away * normals.reshape(-1, 3)).sum(axis=1) > 0) > 0.99


def marks_of(panel):
    return [(line.get_marker(), line.get_markerfacecolor()) for line in panel.lines]


def test_no_click_is_missing_and_one_off_the_slices_is_hollow_and_says_how_far(volume, labels):
    at = lambda *ijk: Point(tuple((AFFINE @ (*ijk, 1))[:3]), positive=False)  # noqa: E731
    scene = to_scene(volume, labels, AFFINE, [at(11, 14, 4), at(0, 29, 11)])
    figure = draw(scene, "", {})
    near, far = [], []
    for panel in figure.axes[:3]:
        marks = [mark for mark in marks_of(panel) if mark[0] == "X"]
        near += [face for _, face in marks if face != "none"]
        far += [face for _, face in marks if face == "none"]
    assert len(near) >= 1
    assert len(far) == 1
    assert [t.get_text() for p in figure.axes[:3] for t in p.texts if "off" in t.get_text()]


def test_a_click_far_from_the_objects_lies_in_the_picture():
    labels = np.zeros((10, 200, 200), np.uint8)
    labels[3:7, 20:30, 20:30] = 1
    scene = to_scene(labels * 100.0, labels, np.eye(4), [Point((190.0, 25.0, 5.0), positive=False)])
    low, high = sorted(draw(scene, "", {}).axes[0].get_xlim())
    assert low < 190 < high


def test_letters_and_the_scale_bar_have_a_dark_outline(volume, labels):
    for panel in draw(to_scene(volume, labels, AFFINE), "", {}).axes[:3]:
        assert len(panel.texts) == 5
        assert all(drawn.get_path_effects() for drawn in (*panel.texts, *panel.lines))


def test_captions_may_be_of_any_label(tmp_path, volume, labels):
    write_preview(tmp_path / "a.png", volume, labels * 7, AFFINE, captions={7: "liver"})
    assert (tmp_path / "a.png").exists()
    figure = draw(to_scene(volume, labels * 7, AFFINE), "", {7: "liver"})
    (caption,) = [text for text in figure.texts if "liver" in text.get_text()]
    assert caption.get_color() == colour_of(7)
