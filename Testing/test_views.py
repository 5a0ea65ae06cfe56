# ruff: noqa: E402 -- packages are asked for before what needs them is imported
import numpy as np
import pytest

from harness import packages

packages.require()

import slicer
import vtk
from matplotlib.image import imread

from harness import fixtures
from harness.views import DELETE

application, scene, views = fixtures.application, fixtures.scene, fixtures.views
volume, demo = fixtures.volume, fixtures.demo

MIDDLE = (150, 150)
CORNER = (90, 200)


@pytest.fixture
def red(views, volume):
    """The axial view of the grey volume."""
    views.show(volume)
    return views.slice_view("Red")


@pytest.fixture
def placing(demo, volume, red, application):
    """The demo module, ready for clicks in the axial view."""
    demo.widget.ui.volumeSelector.setCurrentNode(volume)
    demo.widget.ui.placeButton.click()
    application.processEvents()
    return demo.widget


def defined(points):
    status = [
        points.GetNthControlPointPositionStatus(n) for n in range(points.GetNumberOfControlPoints())
    ]
    return [n for n, s in enumerate(status) if s == points.PositionDefined]


def position(points, index):
    return points.GetNthControlPointPositionWorld(index)


def stop_placing(application):
    interaction = application.applicationLogic().GetInteractionNode()
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)


def coloured(picture):
    """Return where a picture is not grey."""
    low, high = picture.min(axis=-1).astype(int), picture.max(axis=-1).astype(int)
    return high - low > 20


def test_a_click_places_a_point_where_the_view_shows_it(placing, red):
    red.click(MIDDLE)
    assert defined(placing.points) == [0]
    np.testing.assert_allclose(position(placing.points, 0), red.point_of(MIDDLE), atol=0.5)
    assert placing.ui.statusLabel.text == "1 points"


def test_a_pixel_and_its_point_belong_together(red):
    np.testing.assert_allclose(red.pixel_of(red.point_of(CORNER)), CORNER, atol=1e-6)


def test_clicks_go_on_placing_until_the_button_is_pressed_again(placing, red, application):
    red.click(MIDDLE)
    red.click(CORNER)
    assert len(defined(placing.points)) == 2
    placing.ui.placeButton.click()
    red.click((200, 100))
    assert len(defined(placing.points)) == 2


def test_leaving_place_mode_elsewhere_lifts_the_button(placing, application):
    assert placing.ui.placeButton.checked
    stop_placing(application)
    assert not placing.ui.placeButton.checked


def test_dragging_moves_a_point_and_the_module_hears_of_it(placing, red, application):
    red.click(MIDDLE)
    stop_placing(application)
    red.drag(MIDDLE, CORNER)
    assert len(defined(placing.points)) == 1
    np.testing.assert_allclose(position(placing.points, 0), red.point_of(CORNER), atol=0.5)


def test_a_key_deletes_the_point_below_the_mouse(placing, red, application):
    red.click(MIDDLE)
    red.click(CORNER)
    stop_placing(application)
    red.press(DELETE, MIDDLE)
    assert len(defined(placing.points)) == 1
    np.testing.assert_allclose(position(placing.points, 0), red.point_of(CORNER), atol=0.5)
    assert placing.ui.statusLabel.text == "1 points"


def test_the_segment_shows_within_its_outline_and_nowhere_else(placing, red):
    before = coloured(red.picture())
    placing.points.AddControlPoint(*red.point_of(CORNER))
    placing.points.GetDisplayNode().SetVisibility(False)
    after = coloured(red.picture())
    assert not before.any()
    rows, columns = np.indices(after.shape)
    height = after.shape[0]
    distance_px = np.hypot(columns - CORNER[0], height - 1 - rows - CORNER[1])
    radius_px = 6.0 * red.size[0] / red.node.GetFieldOfView()[0]
    voxel_px = red.size[0] / red.node.GetFieldOfView()[0]
    assert after[distance_px < radius_px - 1.5 * voxel_px].all()
    assert not after[distance_px > radius_px + 1.5 * voxel_px].any()


def test_all_three_slice_views_show_the_segment(placing, views, red):
    placing.points.AddControlPoint(*red.point_of(MIDDLE))
    r, a, s = red.point_of(MIDDLE)
    views.slice_view("Yellow").node.JumpSlice(r, a, s)
    views.slice_view("Green").node.JumpSlice(r, a, s)
    for name in views.sliceViewNames():
        assert coloured(views.slice_view(name).picture()).sum() > 100


def test_a_view_is_drawn_only_when_something_in_it_has_changed(placing, views, application, red):
    application.processEvents()
    assert views.render_scheduled() == 0
    placing.points.AddControlPoint(*red.point_of(MIDDLE))
    assert red.needs_render
    application.processEvents()
    assert not red.needs_render


def test_drawing_can_be_held(placing, views, application, red):
    application.pauseRender()
    placing.points.AddControlPoint(*red.point_of(MIDDLE))
    application.processEvents()
    assert red.needs_render
    application.resumeRender()
    application.processEvents()
    assert not red.needs_render


def test_slicers_own_functions_find_the_views(views, volume, application):
    for name in views.sliceViewNames():
        views.slice_view(name)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    for name in views.sliceViewNames():
        composite = views.sliceWidget(name).sliceLogic().GetSliceCompositeNode()
        assert composite.GetBackgroundVolumeID() == volume.GetID()
    views.slice_view("Red").node.SetFieldOfView(5.0, 5.0, 1.0)
    slicer.util.resetSliceViews()
    assert views.slice_view("Red").node.GetFieldOfView()[0] >= 60.0
    slicer.util.forceRenderAllViews()
    assert views.render_scheduled() == 0


def test_the_3d_view_shows_a_surface(scene, views):
    ball = vtk.vtkSphereSource()
    ball.SetRadius(10)
    ball.Update()
    view = views.three_d_view
    empty = view.picture().astype(int)
    model = slicer.modules.models.logic().AddModel(ball.GetOutput())
    model.GetDisplayNode().SetColor(0.0, 1.0, 0.0)
    view.look_at_everything()
    changed = np.abs(view.picture().astype(int) - empty).max(axis=-1) > 40
    assert changed[150, 150]
    assert not changed[2, 2]
    assert 0.02 < changed.mean() < 0.9


def test_a_picture_is_saved_the_right_way_up(red, tmp_path):
    red.save(tmp_path / "view.png")
    saved = np.rint(imread(tmp_path / "view.png")[..., :3] * 255)
    np.testing.assert_array_equal(saved, red.picture())
