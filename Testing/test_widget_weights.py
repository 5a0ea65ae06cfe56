"""Weights that come from a file or the net while panel, scene and choice become others."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import pytest
import slicer

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from PySide6 import QtCore

from FastSAM3DSlicerLib import install, weights
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.parameters import Parameters
from FastSAM3DSlicerLib.statuspanel import REST
from harness import ctkwidgets, fastsam, fixtures
from harness.application import load_module

application, scene, views = fixtures.application, fixtures.scene, fixtures.views
volume, network, module = fixtures.volume, fastsam.network, fastsam.module
widget, red, panel, clicking = fastsam.widget, fastsam.red, fastsam.panel, fastsam.clicking

NAME, FILE = "sam-med3d", "sam_med3d_turbo.pth"
SOON_MS = 150


@pytest.fixture(autouse=True)
def store(monkeypatch, tmp_path):
    """An empty folder for weights, and what downloads them installed."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(folder))
    monkeypatch.setattr(install, "installDownloader", lambda say: None)
    return folder


@pytest.fixture
def keeper(monkeypatch, tmp_path, store):
    """Let the process put a file into the store after some seconds."""

    def keeper(seconds):
        path, file = tmp_path / "keeper.py", str(store / FILE)
        path.write_text(f"import time; time.sleep({seconds}); open({file!r}, 'w').close()")
        monkeypatch.setattr(weights, "SCRIPT", path)
        monkeypatch.setattr(weights, "GRACE_S", 0.1)

    return keeper


@pytest.fixture
def disk(monkeypatch, tmp_path):
    """Let the user choose a file, or none."""

    def disk(name):
        path = str(tmp_path / name) if name else ""
        browse = lambda line: line.setCurrentPath(path) if path else None  # noqa: E731
        monkeypatch.setattr(ctkwidgets.ctkPathLineEdit, "browse", browse)
        return path

    return disk


@pytest.fixture
def loaded(scene, application, monkeypatch):
    """A module that a test may unload."""
    monkeypatch.setattr(install, "missing", list)
    return load_module(fastsam.MODULE)


def soon(action):
    """Do something as soon as the event loop runs, once."""
    timer = QtCore.QTimer(slicer.app)
    timer.setSingleShot(True)
    timer.connect("timeout()", action)
    timer.start(SOON_MS)


def bring(widget, button="downloadButton"):
    """Choose weights and press a button."""
    widget.ui.weightsBox.currentText = NAME
    getattr(widget.ui, button).click()


def test_weights_from_a_file_are_used_once_they_are_checked(panel, disk, keeper, monkeypatch):
    keeper(0)
    path = disk("mine.pth")
    asked = []
    monkeypatch.setattr(weights, "take", lambda *what: asked.append(what[:2]) or True)
    bring(panel, "importButton")
    assert [(name, str(file)) for name, file in asked] == [(NAME, path)]
    assert panel.logic.engine.preset == Parameters().preset == NAME
    assert panel.ui.statusLabel.text == f"{NAME}: used from the next click on."


def test_a_file_that_is_refused_is_told_and_nothing_changes(panel, disk, monkeypatch):
    disk("mine.pth")

    def take(name, path, progress):
        raise UserError("It is cut short: get it again.")

    monkeypatch.setattr(weights, "take", take)
    bring(panel, "importButton")
    assert panel.ui.statusLabel.text == "It is cut short: get it again."
    assert panel.logic.engine.preset == "fastsam3d-default"
    assert panel.ui.busyStack.currentIndex == REST
    assert panel.ui.importButton.enabled


def test_a_user_who_chooses_no_file_changes_nothing(panel, disk, monkeypatch):
    disk("")
    monkeypatch.setattr(weights, "take", lambda *_: pytest.fail("taken"))
    bring(panel, "importButton")
    assert "press Download, or import its file" in panel.ui.statusLabel.text


def test_the_same_file_can_be_chosen_again(panel, disk, monkeypatch):
    disk("mine.pth")
    taken = []
    monkeypatch.setattr(weights, "take", lambda *what: taken.append(what) or False)
    bring(panel, "importButton")
    disk("")
    panel.ui.importButton.click()
    assert len(taken) == 1
    disk("mine.pth")
    panel.ui.importButton.click()
    assert len(taken) == 2


def test_a_file_whose_hash_nobody_published_needs_the_users_word(panel, disk, monkeypatch):
    disk("mine.pth")
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: False)
    monkeypatch.setattr(weights, "take", lambda *_: pytest.fail("taken"))
    panel.ui.weightsBox.currentText = "fastsam3d"
    panel.ui.importButton.click()


def test_what_comes_with_the_module_is_not_imported(panel):
    assert panel.ui.weightsBox.currentText == "fastsam3d-default"
    assert not panel.ui.importButton.enabled


def test_meanwhile_no_button_of_the_list_can_be_pressed(panel, keeper):
    keeper(0.6)
    seen = []
    buttons = (panel.ui.downloadButton, panel.ui.importButton, panel.ui.removeButton)
    soon(lambda: seen.append([each.enabled for each in buttons]))
    bring(panel)
    assert seen == [[False] * 3]
    assert [each.enabled for each in buttons] == [False, False, True]


@pytest.mark.parametrize("seconds", [600, 0.3])
def test_a_panel_that_is_closed_meanwhile_is_touched_no_more(loaded, keeper, seconds, scene):
    keeper(seconds)
    widget = loaded.widget
    soon(loaded.unload)
    bring(widget)
    assert not widget.weights.isFetching
    assert widget.logic.engine.preset == "fastsam3d-default"


def test_a_module_that_is_reloaded_meanwhile_begins_anew(loaded, keeper, application, scene):
    keeper(600)
    fresh = []

    def reload():
        loaded.unload()
        fresh.append(load_module(fastsam.MODULE))

    soon(reload)
    bring(loaded.widget)
    (new,) = fresh
    keeper(0)
    assert not new.widget.weights.isFetching
    bring(new.widget)
    assert new.widget.logic.engine.preset == NAME
    new.unload()


def test_a_scene_that_is_closed_meanwhile_goes_on_with_its_own_weights(panel, keeper, scene):
    keeper(0.6)
    soon(lambda: scene.Clear(False))
    bring(panel)
    assert panel.ui.statusLabel.text == f"{NAME}: here now; choose it in the list to use it."
    assert panel.ui.weightsBox.currentText == "fastsam3d-default"
    assert panel.logic.engine.preset == Parameters().preset == "fastsam3d-default"


def test_closing_slicer_ends_a_download(panel, keeper, application):
    keeper(600)
    soon(application.lastWindowClosed.emit)
    bring(panel)
    assert "left off" in panel.ui.statusLabel.text


def test_what_was_left_off_is_not_used_even_if_it_came_to_its_end(panel, monkeypatch):
    def fetch(name, progress):
        panel.ui.cancelButton.click()
        return True

    monkeypatch.setattr(weights, "fetch", fetch)
    bring(panel)
    assert "left off" in panel.ui.statusLabel.text
    assert panel.logic.engine.preset == "fastsam3d-default"


def test_in_the_middle_of_a_click_one_is_asked_to_wait(panel, keeper, monkeypatch):
    keeper(0)
    monkeypatch.setattr(type(panel.logic), "isBusy", True)
    bring(panel)
    assert "Wait until the mask is there" in panel.ui.statusLabel.text
    assert not panel.weights.isFetching


def test_what_downloads_weights_is_installed_when_it_is_needed(panel, keeper, monkeypatch):
    keeper(0)

    def refuse(say):
        raise UserError("Nothing was installed. Ask for it again whenever you like.")

    monkeypatch.setattr(install, "installDownloader", refuse)
    bring(panel)
    assert "Nothing was installed" in panel.ui.statusLabel.text
