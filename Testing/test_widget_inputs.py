"""How the panel comes to its volume: what is loaded, shown, or remembered by the scene."""
# ruff: noqa: E402, F403 -- packages are asked for before what needs them; what comes are fixtures

import numpy as np
import pytest
import slicer

from harness import packages

packages.require()

from harness.onpanel import *

# isort: split
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.parameters import Parameters
from harness.mrml import reload_from_mrb


@pytest.fixture
def opened(module, application):
    """The panel, on the screen."""
    module.panel.show()
    application.processEvents()
    return module.widget


@pytest.fixture
def loaded(volume, views):
    """The grey volume, shown."""
    views.show(volume)
    return volume


def test_a_volume_that_is_loaded_while_the_panel_is_open_is_taken(opened, views, application):
    brought = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), name="brought")
    views.show(brought)
    application.processEvents()
    assert opened.logic.volumeNode is brought


def test_a_volume_that_is_loaded_while_another_one_is_used_is_not_taken(opened, loaded, views):
    opened.inputs.takeLoaded()
    views.show(slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), name="other"))
    opened.inputs.takeLoaded()
    assert opened.logic.volumeNode is loaded


def test_a_volume_that_is_loaded_elsewhere_waits_for_the_panel_to_open(widget, loaded):
    widget.inputs.takeLoaded()
    assert widget.logic.volumeNode is None


@pytest.mark.parametrize("remembered", [False, True])
def test_a_scene_that_is_loaded_while_the_panel_is_open_brings_its_volume(
    opened, loaded, views, scene, tmp_path, remembered
):
    if remembered:
        hidden = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), name="hidden")
        Parameters().volume = hidden
    else:
        scene.RemoveNode(Parameters().node)
    reload_from_mrb(scene, tmp_path / "work.mrb")
    assert opened.logic.volumeNode.GetName() == ("hidden" if remembered else "grey")


def test_a_scene_that_was_saved_with_colours_opens_with_the_foreground_that_lay_under_them(
    widget, loaded, views, scene, tmp_path
):
    pet = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), name="PET")
    view = views.slice_view("Red").logic.GetSliceCompositeNode()
    view.SetForegroundVolumeID(pet.GetID())
    view.SetForegroundOpacity(0.35)
    lib.showOverlay(loaded, np.ones((2, 3, 4), np.float32), np.s_[5:7, 6:9, 7:11])
    reload_from_mrb(scene, tmp_path / "work.mrb")
    shown = scene.GetNodeByID(view.GetForegroundVolumeID())
    assert (shown.GetName(), view.GetForegroundOpacity()) == ("PET", 0.35)
