"""The module as Slicer loads it: its description, its `.ui`, its sample data, its own test."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import importlib.util
import re
import sys
import unittest
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest
import slicer

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from PySide6 import QtCore

from FastSAM3DSlicerLib import resources, selftest
from harness import contract, fastsam, fixtures

application, scene, views = fixtures.application, fixtures.scene, fixtures.views
network, module, widget = fastsam.network, fastsam.module, fastsam.widget

LIB = fastsam.MODULE.parent / "FastSAM3DSlicerLib"
UI = fastsam.MODULE.parents[1] / "Resources" / "UI" / "FastSAM3DSlicer.ui"
SOURCES = [fastsam.MODULE, *sorted(LIB.glob("*.py"))]


def test_slicer_is_told_what_the_module_is(module):
    parent = module.description.parent
    assert parent.title == "FastSAM3D"
    assert parent.categories == ["Segmentation"]
    assert parent.dependencies == ["Markups", "Segmentations"]
    assert not parent.icon.isNull()
    assert "not a medical device" in parent.helpText
    assert "MICCAI 2024" in parent.acknowledgementText


def test_the_names_that_slicer_looks_for_are_there(module):
    for name in ("", "Widget", "Logic", "Test"):
        assert hasattr(module.source, f"FastSAM3DSlicer{name}")


def test_the_ui_keeps_to_what_slicers_widgets_have():
    assert contract.check_ui(UI) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_sources_keep_to_what_slicers_widgets_have(path):
    source = path.read_text(encoding="utf-8").replace("self._ui.", "self.ui.")
    assert contract.check_source(source, contract.widgets_in(UI)) == []


def test_every_button_has_a_tool_tip_and_every_field_a_label():
    root = ElementTree.parse(UI).getroot()
    buddies = {found.findtext("cstring") for found in root.iter("property")}
    for found in root.iter("widget"):
        properties = {each.get("name") for each in found.findall("property")}
        if found.get("class") in ("QPushButton", "QCheckBox", "qMRMLNodeComboBox", "QComboBox"):
            assert "toolTip" in properties, found.get("name")
        if found.get("class") in ("qMRMLNodeComboBox", "QComboBox", "ctkSliderWidget"):
            assert found.get("name") in buddies


def test_qt_is_imported_by_one_file_alone():
    for path in SOURCES[1:]:
        assert not re.search(r"\b(qt|ctk|PySide6)\.", path.read_text(encoding="utf-8")), path.name


def test_no_widget_and_no_module_gets_a_name_that_slicer_would_refuse(module):
    for found in (module.panel, module.widget.panel, *vars(module.widget.ui).values()):
        kept = {name: value for name, value in vars(found).items() if not name.startswith("_")}
        assert all(isinstance(value, QtCore.SignalInstance) for value in kept.values()), kept


def test_the_icons_follow_the_panels_lightness(widget, monkeypatch):
    def key(name):
        return widget.ui.undoButton.icon.pixmap(24, 24).toImage().pixelColor(4, 8).name()

    light = key("undo")
    palette = widget.panel.palette
    palette.setColor(palette.ColorRole.Window, "#202020")
    widget.panel.setPalette(palette)
    widget._showIcons()
    assert key("undo") != light


def test_sample_data_is_registered_with_its_sha256(monkeypatch):
    registered = []
    logic = SimpleNamespace(registerCustomSampleDataSource=lambda **what: registered.append(what))
    fake = ModuleType("SampleData")
    vars(fake).update(SampleDataLogic=logic)
    monkeypatch.setitem(sys.modules, "SampleData", fake)
    resources.registerSampleData()
    (source,) = registered
    assert re.fullmatch(r"SHA256:[0-9a-f]{64}", source["checksums"])
    assert source["uris"].endswith(source["checksums"].removeprefix("SHA256:"))
    assert Path(source["thumbnailFileName"]).is_file()


def test_sample_data_is_registered_once_slicer_has_started(module, application, monkeypatch):
    registered = []
    logic = SimpleNamespace(registerCustomSampleDataSource=lambda **what: registered.append(what))
    fake = ModuleType("SampleData")
    vars(fake).update(SampleDataLogic=logic)
    monkeypatch.setitem(sys.modules, "SampleData", fake)
    application.startupCompleted.emit()
    assert registered


@pytest.mark.parametrize("is_installed", [True, False])
def test_resources_are_found_beside_the_module_or_one_level_up(monkeypatch, tmp_path, is_installed):
    folder = tmp_path / "FastSAM3DSlicer"
    place = (folder if is_installed else tmp_path) / "Resources" / "Icons" / "undo.png"
    place.parent.mkdir(parents=True)
    place.touch()
    monkeypatch.setattr(resources, "FOLDER", folder)
    assert resources.resource("Icons/undo.png") == str(place)


@pytest.mark.parametrize("is_there", [True, False])
def test_in_a_checkout_the_package_is_looked_for_beside_the_module(monkeypatch, is_there):
    monkeypatch.setattr(sys, "path", ["somewhere"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: is_there or None)
    resources.findEngine()
    assert (str(fastsam.MODULE.parents[1] / "model") in sys.path) == (not is_there)


def run_self_test(module):
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(module.source.FastSAM3DSlicerTest)
    result = unittest.TestResult()
    suite.run(result)
    return result


def test_the_modules_own_test_passes_without_torch(module, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = run_self_test(module)
    assert result.testsRun == 1
    assert not result.errors + result.failures


def test_the_modules_own_test_passes_with_the_default_weights(module, default_weights):
    result = run_self_test(module)
    assert result.testsRun == 1
    assert not result.errors + result.failures


def test_the_modules_own_test_can_fail(module, monkeypatch):
    class Blind(selftest.StandInNetwork):
        radius_cells = -1.0

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(selftest, "StandInNetwork", Blind)
    assert run_self_test(module).failures


def test_unloading_leaves_no_node_no_observer_and_no_thread(application, scene):
    from harness.application import load_module

    load_module(fastsam.MODULE).unload()
    before = scene.GetNumberOfNodes(), observers(scene)
    module = load_module(fastsam.MODULE)
    module.unload()
    assert (scene.GetNumberOfNodes(), observers(scene)) == before
    assert module.widget.Observations == []
    assert module.widget.logic._worker._thread is None


def observers(scene):
    """Count who watches the scene and the nodes of views and mouse."""
    logic = slicer.app.applicationLogic()
    watched = (scene, logic.GetInteractionNode(), logic.GetSelectionNode())
    return [str(each).count("vtkPythonCommand") for each in watched]
