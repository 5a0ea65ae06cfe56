"""What the panel says in another language: all of it, as far as translators can find it."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

import fastsam3d.session
from FastSAM3DSlicerLib import binding, install, labelmap, segments, weights, wording
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.network import loadNetwork
from FastSAM3DSlicerLib.parameters import Parameters
from harness import ctkwidgets, fastsam, slowpanel, translation
from harness.fastsam import FAR, MIDDLE, settle

globals().update(slowpanel.FIXTURES)

SOURCES = [fastsam.MODULE, *sorted(fastsam.MODULE.parent.glob("FastSAM3DSlicerLib/*.py"))]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """What Slicer's tool finds."""
    return translation.found_in(SOURCES, tmp_path_factory.mktemp("translation"))


@pytest.fixture
def brackets(catalogue, monkeypatch):
    """Slicer in a language that puts brackets round all that it knows."""
    translation.speak_in_brackets(catalogue, monkeypatch)


@pytest.fixture
def said(brackets, panel):
    """Return what the panel says, once all of it was seen to be translated."""

    def said(label="statusLabel"):
        text = getattr(panel.ui, label).text
        assert text
        assert translation.unbracketed(text) == ""
        return text

    return said


def test_slicers_tool_finds_all_that_is_written_to_be_translated(catalogue):
    assert catalogue == translation.written_in(SOURCES) | {
        ("qSlicerAbstractCoreModule", "Segmentation")
    }


def test_slicer_is_told_what_the_module_is(brackets, module):
    parent = module.description.parent
    for text in (parent.title, parent.helpText, parent.acknowledgementText, *parent.contributors):
        assert translation.unbracketed(text) == ""


def test_the_first_sentence(brackets, widget):
    text = widget.ui.statusLabel.text
    assert "Click on the object" in text
    assert translation.unbracketed(text) == ""


def test_no_volume(said, panel):
    panel.logic.setVolume(None)
    panel.attempt(panel.logic.nextSegment)
    assert "no volume" in said()


def test_a_click_with_its_figures_and_names(said, clicking, panel):
    clicking(MIDDLE)
    assert "go to the next segment" in said()
    assert "mL" in said("detailLabel")
    for node in (panel.logic.segmentationNode, panel.logic.pointsNode()):
        assert translation.OPEN in node.GetName()


def test_a_first_click_that_excludes(said, clicking):
    clicking(MIDDLE, positive=False)
    assert "nothing to exclude" in said()


def test_a_click_beside_the_volume(said, clicking, red):
    clicking(MIDDLE)
    red.node.SetFieldOfView(400.0, 400.0, 1.0)
    clicking((5, 5))
    assert "outside the volume" in said()


def test_nothing_to_refine(said, clicking, panel):
    clicking(MIDDLE)
    panel.ui.refineButton.click()
    assert "nothing to refine" in said()


@pytest.mark.parametrize(("gives_way", "cure"), [(False, "press Next"), (True, "under Options")])
def test_a_segment_of_another_grid(said, clicking, panel, gives_way, cure):
    clicking(MIDDLE)
    node = panel.logic.segmentationNode
    other = segments.newSegment(node, "other")
    image = labelmap.newImage(np.diag([0.3, 0.3, 0.3, 1.0]), (0, 0, 0), (9, 9, 9))
    labelmap.arrayOf(image)[...] = 1
    segment = node.GetSegmentation().GetSegment(other)
    segment.SetLabelValue(1)
    segment.AddRepresentation(segments.LABELMAP, image)
    if gives_way:
        panel.ui.overwriteBox.currentIndex = 2
    else:
        panel.logic.setSegment(other)
    clicking(FAR)
    assert cure in said()


def test_a_cancel(said, clicking, panel, slow, during):
    clicking(MIDDLE)
    during(panel.ui.cancelButton.click)
    clicking(FAR)
    assert "Cancelled" in said()


def test_uncertainty(said, clicking, panel):
    clicking(MIDDLE)
    panel.ui.uncertaintyButton.click()
    assert "undecided" in said()
    assert translation.OPEN in slicer.util.getNode("*Uncertainty*").GetName()


@pytest.mark.parametrize("what", list(binding.Lost))
def test_what_is_gone(brackets, what):
    assert translation.unbracketed(what.text) == ""


def test_an_image_that_has_changed(said, clicking, panel, volume):
    clicking(MIDDLE)
    slicer.util.arrayFromVolume(volume)[0, 0, 0] += 1
    slicer.util.arrayFromVolumeModified(volume)
    clicking(FAR)
    assert "image has changed" in said()


def test_a_full_memory_of_the_card(said, clicking, network):
    network.device, network.error = "cuda:0", RuntimeError("CUDA out of memory. Tried ...")
    clicking(MIDDLE)
    assert "continued on the CPU" in said()


def test_a_full_memory_of_the_computer(said, clicking, network):
    network.error = MemoryError()
    clicking(MIDDLE)
    assert "memory is full" in said()


def test_pytorch_that_cannot_be_imported(brackets, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastsam3d.loading", None)
    with pytest.raises(UserError) as raised:
        loadNetwork("fastsam3d-default", "cpu")
    assert translation.unbracketed(str(raised.value)) == ""


def test_a_region_beside_the_volume_and_one_that_is_not_placed(said, panel, scene):
    region = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    panel.ui.regionSelector.setCurrentNode(region)
    assert "not placed yet" in said()
    region.SetCenter(9999, 9999, 9999)
    region.SetSize(1, 1, 1)
    panel.options.apply()
    assert "holds no voxel" in said()


def test_what_is_missing_and_will_be_installed(said, panel, monkeypatch):
    monkeypatch.setattr(install, "missing", lambda: ["torch>=2.5", "safetensors>=0.5"])
    panel.exit()
    panel.enter()
    assert "GB" in said("installLabel")


def test_a_file_of_weights_that_cannot_be_read(said, panel, application, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(weights, "isUnknown", lambda name: False)
    monkeypatch.setattr(
        ctkwidgets.ctkPathLineEdit, "browse", lambda line: line.setCurrentPath(str(tmp_path / "a"))
    )
    panel.ui.weightsBox.setCurrentText("sam-med3d")
    assert "press Download" in said()
    assert "not here yet" in said("sizeLabel")
    panel.ui.importButton.click()
    settle(application)
    assert "cannot be read" in said()
    assert Parameters().preset == "fastsam3d-default"


def test_all_that_a_session_tells_is_known_and_means_the_same_in_english():
    tree = ast.parse(Path(fastsam3d.session.__file__).read_text(encoding="utf-8"))
    told = [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "self.message"
    ]
    assert len(list(filter(None, told))) == 3
    for text in told:
        assert wording.told(text) == text


def test_all_that_a_session_tells_is_translated(brackets):
    point = (
        "The point [1.0, 2.0, 3.0] mm is voxel (1.0, 2.0, 3.0), outside the volume of 1 x 1 x 1:"
    )
    for text in (
        "There is nothing to exclude from yet",
        "There is nothing to refine",
        "The object goes on beyond",
        point,
    ):
        assert translation.unbracketed(wording.told(text)) == ""
