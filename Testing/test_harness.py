# ruff: noqa: E402 -- packages are asked for before what needs them is imported
import sys
import unittest
from pathlib import Path

import pytest

from harness import packages

packages.require()

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest

from harness import application as slicer_application
from harness import ctkwidgets, fixtures
from harness.surfaced import surfaced

application, scene, demo, volume = (
    fixtures.application,
    fixtures.scene,
    fixtures.demo,
    fixtures.volume,
)


@pytest.fixture
def button(application):
    return QtWidgets.QPushButton("Go")


@pytest.fixture
def heard(button):
    """Collect what the button's `clicked(bool)` passes on."""
    values = []
    button.connect("clicked(bool)", values.append)
    return values


class TestPythonQt:
    def test_properties_are_attributes(self, button):
        button.text, button.enabled = "Stop", False
        assert (button.text, button.enabled) == ("Stop", False)

    def test_a_property_is_not_called(self, button):
        with pytest.raises(TypeError):
            button.text()

    def test_a_property_refuses_what_qt_cannot_convert(self, button):
        with pytest.raises(ValueError, match="enabled does not accept"):
            button.enabled = object()

    def test_a_property_that_qt_only_reads_is_not_written(self, button):
        with pytest.raises(AttributeError, match="not writable"):
            button.width = 3

    def test_new_attributes_are_refused(self, button):
        with pytest.raises(AttributeError, match="enabeld does not exist"):
            button.enabeld = True

    def test_methods_and_signals_are_not_written_over(self, button):
        with pytest.raises(AttributeError, match="setText is no property"):
            button.setText = "x"
        with pytest.raises(AttributeError, match="clicked is no property"):
            button.clicked = print

    def test_doubles_refuse_new_attributes_as_c_plus_plus_does(self, application):
        with pytest.raises(AttributeError, match="colapsed"):
            ctkwidgets.ctkCollapsibleButton("Inputs").colapsed = True

    def test_a_property_of_a_double_does_what_it_does_in_slicer(self, application):
        headline = ctkwidgets.ctkCollapsibleButton("Inputs")
        headline.collapsed = True
        assert headline.maximumHeight < 100
        headline.collapsed = False
        assert headline.maximumHeight == ctkwidgets.UNLIMITED

    def test_a_class_made_in_python_takes_attributes(self, application):
        class Filter(QtCore.QObject):
            pass

        found = Filter()
        found.note = 3
        assert found.note == 3

    def test_signals_are_connected_by_their_signature(self, button, heard):
        button.checkable = True
        button.click()
        button.click()
        assert heard == [True, False]

    def test_a_slot_gets_no_more_than_the_signature_names_and_it_takes(self, button):
        calls = []
        button.connect("clicked()", lambda *values: calls.append(values))
        button.connect("clicked(bool)", lambda: calls.append("none wanted"))
        button.click()
        assert calls == [(), "none wanted"]

    def test_a_signal_that_is_not_there_is_an_error(self, button):
        with pytest.raises(ValueError, match="no signal 'clickd"):
            button.connect("clickd(bool)", print)

    def test_disconnecting_ends_a_connection_and_tells_whether_there_was_one(self, button):
        calls = []
        button.connect("clicked()", calls.clear)
        button.connect("clicked( )", lambda: calls.append(1))
        assert button.disconnect("clicked()", calls.clear)
        assert not button.disconnect("clicked()", calls.clear)
        button.click()
        assert calls == [1]

    def test_a_property_and_a_static_function_may_share_a_name(self, application):
        timer = QtCore.QTimer()
        timer.singleShot = True
        assert timer.singleShot is True
        QtCore.QTimer.singleShot(0, lambda: None)

    def test_an_exception_in_a_slot_comes_to_light(self, button):
        button.connect("clicked()", lambda: 1 / 0)
        with pytest.raises(ExceptionGroup) as caught, surfaced():
            button.click()
        assert caught.group_contains(ZeroDivisionError)

    def test_an_exception_in_an_observer_comes_to_light(self):
        node = slicer.vtkMRMLScriptedModuleNode()
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: 1 / 0)
        with pytest.raises(ExceptionGroup) as caught, surfaced():
            node.Modified()
        assert caught.group_contains(ZeroDivisionError)

    def test_what_vtk_complains_of_comes_to_light(self):
        with pytest.raises(ExceptionGroup) as caught, surfaced():
            vtk.vtkPNGReader().Update()
        assert caught.group_contains(RuntimeError, match="VTK")

    def test_an_error_that_was_expected_can_be_taken_out(self, button):
        button.connect("clicked()", lambda: 1 / 0)
        with surfaced() as raised:
            button.click()
            assert isinstance(raised.pop(), ZeroDivisionError)


class TestApplication:
    def test_a_module_is_loaded_with_its_panel(self, demo):
        assert demo.description.parent.title == "Place demo"
        assert slicer.util.getModule("PlaceDemo") is demo.description.parent
        assert slicer.util.getModuleWidget("PlaceDemo") is demo.widget

    def test_a_modules_parent_takes_only_what_slicer_knows(self, demo):
        with pytest.raises(AttributeError):
            demo.description.parent.titel = "x"

    def test_the_panel_follows_the_scene(self, demo, scene, volume):
        ui = demo.widget.ui
        assert not ui.placeButton.enabled
        ui.volumeSelector.setCurrentNode(volume)
        assert ui.placeButton.enabled
        scene.RemoveNode(volume)
        assert ui.volumeSelector.currentNode() is None
        assert ui.statusLabel.text == "select a volume"

    def test_real_mouse_clicks_reach_the_panel(self, demo, volume):
        ui = demo.widget.ui
        ui.volumeSelector.setCurrentNode(volume)
        demo.panel.resize(400, 300)
        demo.panel.show()
        QTest.mouseClick(ui.placeButton, QtCore.Qt.MouseButton.LeftButton)
        assert ui.placeWidget.placeModeEnabled

    def test_a_headline_folds_what_is_below_it(self, demo):
        demo.panel.resize(400, 300)
        demo.panel.show()
        headline = demo.widget.ui.inputsButton
        full = headline.sizeHint().height()
        QTest.mouseClick(headline, QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(40, 5))
        assert headline.collapsed
        assert headline.sizeHint().height() < full / 2

    def test_settings_are_those_of_this_process_alone(self, application):
        application.settings().setValue("Demo/folder", "here")
        assert slicer.util.settingsValue("Demo/folder", "") == "here"
        path = Path(application.settings().fileName())
        assert path.is_relative_to(application.temporaryPath)

    def test_message_boxes_answer_themselves(self, application):
        assert slicer.util.errorDisplay("Out of memory.") is None

    def test_the_modules_own_test_runs(self, demo):
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(demo.source.PlaceDemoTest)
        result = unittest.TestResult()
        suite.run(result)
        assert result.testsRun == 1
        assert not result.errors + result.failures

    def test_unloading_leaves_nothing_behind(self, application, scene):
        nodes = scene.GetNumberOfNodes()
        module = slicer_application.load_module(fixtures.DEMO)
        module.unload()
        assert scene.GetNumberOfNodes() == nodes
        assert module.widget.Observations == []
        assert "PlaceDemo" not in sys.modules
        assert not hasattr(slicer.modules, "placedemo")

    def test_a_module_that_is_not_there_is_an_error(self, application, tmp_path):
        with pytest.raises(FileNotFoundError, match="no module"):
            slicer_application.load_module(tmp_path / "Nothing.py")


class TestSegmentsTable:
    @pytest.fixture
    def node(self, scene):
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        for name in ("one", "two", "three"):
            node.GetSegmentation().AddEmptySegment(name, name)
        return node

    @pytest.fixture
    def table(self, node):
        table = slicer.qMRMLSegmentsTableView()
        table.setSegmentationNode(node)
        return table

    def test_it_lists_what_the_node_holds(self, table, node):
        assert table.displayedSegmentIDs() == ["one", "two", "three"]
        node.GetSegmentation().RemoveSegment("two")
        assert table.displayedSegmentIDs() == ["one", "three"]
        assert (table.rowForSegmentID("three"), table.segmentIDForRow(7)) == (1, "")

    def test_what_is_selected_is_told_and_outlives_other_segments(self, table, node):
        calls = []
        table.connect("selectionChanged(QItemSelection,QItemSelection)", lambda: calls.append(None))
        table.setSelectedSegmentIDs(["three"])
        assert calls
        node.GetSegmentation().RemoveSegment("one")
        assert table.selectedSegmentIDs() == ["three"]

    def test_a_renamed_segment_shows_its_new_name(self, table, node):
        node.GetSegmentation().GetSegment("two").SetName("liver")
        assert table.tableWidget().item(1, 1).text() == "liver"
