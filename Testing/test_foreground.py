"""The colours over a volume, and the foreground of the slice views that they take the place of."""

import numpy as np
import pytest
import slicer

from FastSAM3DSlicerLib import foreground
from FastSAM3DSlicerLib import scene as lib
from harness.mrml import OBLIQUE, linear_transform, make_volume, reload_from_mrb, scene
from leftovers import observers

__all__ = ["make_volume", "scene"]


def test_an_overlay_lies_on_its_box_and_goes_away_with_its_colours(make_volume, scene):
    volume = make_volume(ijk_to_ras=OBLIQUE)
    volume.SetAndObserveTransformNodeID(linear_transform(scene).GetID())
    view = view_of(scene, volume)
    before = scene.GetNumberOfNodes()
    values = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
    for _ in range(2):
        overlay = lib.showOverlay(volume, values, np.s_[5:7, 6:9, 7:11])
    np.testing.assert_array_equal(lib.imageArray(overlay), values)
    np.testing.assert_allclose(lib.centreOf(overlay, (0, 0, 0)), lib.centreOf(volume, (5, 6, 7)))
    assert overlay.GetDisplayNode().GetColorNode() is not None
    assert view.GetForegroundVolumeID() == overlay.GetID()
    lib.hideOverlay(volume)
    assert view.GetForegroundVolumeID() is None
    assert scene.GetNumberOfNodes() == before


def view_of(scene, background, over=None, opacity=0.0):
    """Add a slice view's composite node."""
    name = scene.GenerateUniqueName("view")
    view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", name)
    view.SetBackgroundVolumeID(background.GetID())
    view.SetForegroundVolumeID(over and over.GetID())
    view.SetForegroundOpacity(opacity)
    return view


def shown_in(view):
    return view.GetForegroundVolumeID(), view.GetForegroundOpacity()


class TestForeground:
    """A PET over a CT in one view, the CT alone in another, and an MR in a third."""

    VALUES = np.ones((2, 3, 4), np.float32)

    @pytest.fixture
    def volumes(self, make_volume):
        return {name: make_volume(name=name) for name in ("CT", "PET", "MR")}

    @pytest.fixture
    def views(self, scene, volumes):
        ct, pet, mr = volumes.values()
        return view_of(scene, ct, pet, 0.35), view_of(scene, ct, None, 0.1), view_of(scene, mr)

    @pytest.fixture
    def before(self, views):
        return [shown_in(view) for view in views]

    def show(self, volumes, name="CT"):
        return lib.showOverlay(volumes[name], self.VALUES, np.s_[5:7, 6:9, 7:11])

    @pytest.mark.parametrize("times", [1, 2])
    @pytest.mark.parametrize("by", ["hiding", "deletion"])
    def test_it_comes_back_however_the_overlay_goes(self, scene, volumes, views, before, times, by):
        for _ in range(times):
            overlay = self.show(volumes)
        assert [view.GetForegroundVolumeID() == overlay.GetID() for view in views] == [1, 1, 0]
        watching = observers()
        if by == "hiding":
            lib.hideOverlay(volumes["CT"])
        else:
            scene.RemoveNode(overlay)
        assert [shown_in(view) for view in views] == before
        assert observers() == watching - 1

    def test_a_volume_that_is_itself_the_foreground_comes_back(self, volumes, views, before):
        self.show(volumes, "PET")
        assert [shown_in(view) for view in views[1:]] == before[1:]
        lib.hideOverlay(volumes["PET"])
        assert [shown_in(view) for view in views] == before

    def test_what_the_user_shows_meanwhile_stays(self, volumes, views, before):
        self.show(volumes)
        views[0].SetForegroundVolumeID(volumes["MR"].GetID())
        views[0].SetForegroundOpacity(0.8)
        lib.hideOverlay(volumes["CT"])
        assert shown_in(views[0]) == (volumes["MR"].GetID(), 0.8)
        assert shown_in(views[1]) == before[1]

    def test_a_foreground_that_is_gone_meanwhile_leaves_none(self, scene, volumes, views):
        self.show(volumes)
        scene.RemoveNode(volumes["PET"])
        lib.hideOverlay(volumes["CT"])
        assert shown_in(views[0]) == (None, 0.35)

    def test_a_closed_scene_is_as_closed_as_without_colours(self, scene, make_volume):
        scene.Clear(False)
        watching = observers()
        volume, view = make_volume(), slicer.vtkMRMLSliceCompositeNode()
        view.SetSingletonTag("Purple")  # such a view outlives the scene's content
        scene.AddNode(view)
        view.SetBackgroundVolumeID(volume.GetID())
        view.SetForegroundVolumeID(make_volume(name="PET").GetID())
        view.SetForegroundOpacity(0.35)
        lib.showOverlay(volume, self.VALUES, np.s_[5:7, 6:9, 7:11])
        scene.Clear(False)
        assert shown_in(view) == (None, 0.0)
        assert list(view.GetAttributeNames()) == []
        scene.RemoveNode(view)
        assert observers() == watching

    def test_a_scene_that_was_saved_with_colours_can_be_given_its_foreground(
        self, scene, volumes, views, before, tmp_path
    ):
        names = [view.GetName() for view in views]
        self.show(volumes)
        reload_from_mrb(scene, tmp_path / "work.mrb")
        foreground.giveBack()
        assert [shown_in(scene.GetFirstNodeByName(name)) for name in names] == before
