"""Ctrl+Z and Ctrl+Y while the module is open, whoever else has them."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import pytest

from harness import packages

packages.require()

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtTest import QTest

from harness import fastsam, fixtures
from harness.fastsam import ASIDE, FAR, MIDDLE, settle, signs

application, scene, views = fixtures.application, fixtures.scene, fixtures.views
volume, network, module = fixtures.volume, fastsam.network, fastsam.module
widget, red, panel, clicking = fastsam.widget, fastsam.red, fastsam.panel, fastsam.clicking


@pytest.fixture
def window(application):
    """Slicer's window, with another undo and redo, and a text field, and a view."""
    window = QtWidgets.QMainWindow()
    window.setObjectName("qSlicerMainWindow")
    window.setCentralWidget(QtWidgets.QWidget(window))
    window.centralWidget().setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
    window.show()
    window.activateWindow()
    window.centralWidget().setFocus()
    yield window
    window.close()
    window.deleteLater()
    settle(application)


@pytest.fixture
def rival(window):
    """What Slicer's own undo and redo have done."""
    done = []
    for key in ("Ctrl+Z", "Ctrl+Y"):
        action = QtGui.QAction(window)
        action.setShortcut(QtGui.QKeySequence(key))
        action.connect("triggered()", lambda key=key: done.append(key))
        window.addAction(action)
    return done


@pytest.fixture
def press(application):
    """Press Ctrl and a key in a widget, and let the panel follow."""

    def press(widget, key):
        QTest.keyClick(
            widget,
            getattr(QtCore.Qt.Key, f"Key_{key}"),
            QtCore.Qt.KeyboardModifier.ControlModifier,
        )
        settle(application)

    return press


def test_they_act_every_time_while_the_module_is_open(rival, window, clicking, panel, press):
    panel.enter()
    for at in (MIDDLE, ASIDE, FAR):
        clicking(at)
    counts = []
    for key in "ZZZYYY":
        press(window.centralWidget(), key)
        counts.append(len(signs(panel)))
    assert counts == [2, 1, 0, 1, 2, 3]
    assert rival == []


def test_they_are_left_to_others_once_the_module_is_left(rival, window, clicking, panel, press):
    panel.enter()
    clicking(MIDDLE)
    panel.exit()
    press(window, "Z")
    assert rival == ["Ctrl+Z"]
    assert signs(panel) == [True]


def test_they_act_in_a_panel_that_was_taken_out_of_the_window(clicking, panel, press):
    clicking(MIDDLE)
    press(panel.ui.resetButton, "Z")
    assert signs(panel) == []
    press(panel.ui.resetButton, "Y")
    assert signs(panel) == [True]


def test_who_types_into_a_text_field_takes_back_what_was_typed(window, clicking, panel, press):
    field = QtWidgets.QLineEdit(window)
    field.show()
    panel.enter()
    clicking(MIDDLE)
    QTest.keyClicks(field, "liver")
    press(field, "Z")
    assert field.text == ""
    assert signs(panel) == [True]


def test_with_another_key_beside_they_are_not_meant(window, clicking, panel, application):
    panel.enter()
    clicking(MIDDLE)
    both = QtCore.Qt.KeyboardModifier.ControlModifier | QtCore.Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(window, QtCore.Qt.Key.Key_Z, both)
    settle(application)
    assert signs(panel) == [True]


def test_with_nothing_to_undo_nothing_happens(window, panel, press):
    panel.enter()
    press(window, "Z")
    assert panel.logic.segmentId == ""
