# ruff: noqa: N802, N815 -- these stand for C++ classes and are called by their names
"""Slicer's application without its desktop: `slicer.app`, `qt`, `ctk`, and modules loaded in it."""

import importlib.util
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Signal

from . import ctkwidgets, headless, mrmlwidgets, pythonqt, scripted, segmentwidgets
from .layout import LayoutManager
from .loader import UiLoader

DOUBLES = ctkwidgets.ALL + mrmlwidgets.ALL + segmentwidgets.ALL


class ModuleManager(QtCore.QObject):
    """Knows the modules that are loaded."""

    moduleAboutToBeUnloaded = Signal(str)

    def module(self, name: str) -> Any:
        """Return a module by its name, None if it is not loaded."""
        return getattr(slicer.modules, name.lower(), None)

    def modulesNames(self) -> tuple[str, ...]:
        """Return the modules' names."""
        return tuple(found.name for found in vars(slicer.modules).values())


class Application(QtWidgets.QApplication):
    """Stands for `qSlicerApplication`."""

    startupCompleted = Signal()
    documentationBaseUrl = "https://slicer.readthedocs.io/en/latest/"
    majorVersion, minorVersion = 5, 12

    def __init__(self, served: headless.Headless) -> None:
        super().__init__(["Slicer"])
        self._served = served
        self._folder = tempfile.TemporaryDirectory(prefix="slicer-")
        self._modules = ModuleManager()
        self.layout = LayoutManager(served)
        self.setOrganizationName("Harness")
        self.setApplicationName("Slicer")
        ini, user = QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Scope.UserScope
        QtCore.QSettings.setDefaultFormat(ini)
        QtCore.QSettings.setPath(ini, user, self._folder.name)

    @property
    def temporaryPath(self) -> str:
        """The folder for what may be thrown away."""
        return self._folder.name

    def processEvents(self, *_: object) -> None:
        """See to waiting events, then draw the views that ask for it."""
        QtCore.QCoreApplication.processEvents()
        self.layout.render_scheduled()

    def testingEnabled(self) -> bool:
        """Say that this is a test: message boxes answer themselves."""
        return True

    def mrmlScene(self) -> Any:
        """Return the scene."""
        return self._served.scene

    def applicationLogic(self) -> Any:
        """Return MRML's application logic."""
        return self._served.logic

    def moduleManager(self) -> ModuleManager:
        """Return the list of modules."""
        return self._modules

    def layoutManager(self) -> LayoutManager:
        """Return the views."""
        return self.layout

    def settings(self) -> QtCore.QSettings:
        """Return the user's settings, those of this process alone."""
        return QtCore.QSettings()

    userSettings = settings

    def mainWindow(self) -> None:
        """Return nothing: there is no main window."""

    def pauseRender(self) -> None:
        """Hold drawing."""
        self.layout.pause(paused=True)

    def resumeRender(self) -> None:
        """Draw again."""
        self.layout.pause(paused=False)


@pythonqt.double
class Panel(mrmlwidgets.qMRMLWidget):
    """Stands for `qSlicerScriptedLoadableModuleWidget`."""

    def __init__(self) -> None:
        super().__init__()
        self._widget: Any = None
        QtWidgets.QVBoxLayout(self)
        self.setMRMLScene(slicer.mrmlScene)

    def self(self) -> Any:
        """Return the Python object that fills the panel."""
        return self._widget


@dataclass(frozen=True)
class LoadedModule:
    """A scripted module, its panel and what Slicer would hold of it."""

    description: Any
    widget: Any
    panel: Panel
    source: ModuleType

    def unload(self) -> None:
        """Leave and close the panel, as Slicer does when it ends or reloads."""
        if hasattr(self.widget, "exit"):
            self.widget.exit()
        self.widget.cleanup()
        self.panel.deleteLater()
        delattr(slicer.modules, self.source.__name__.lower())
        delattr(slicer.modules, f"{self.source.__name__}Widget")
        del sys.modules[self.source.__name__]
        QtCore.QCoreApplication.sendPostedEvents(None, int(QtCore.QEvent.Type.DeferredDelete.value))


@cache
def start() -> Application:
    """Start the application once a process and fill `qt`, `ctk` and `slicer`."""
    served = headless.start()
    pythonqt.install()
    UiLoader.doubles = DOUBLES
    slicer.app = Application(served)
    _fill_qt_and_ctk()
    _fill_slicer()
    return slicer.app


def load_module(path: Path, *, enter: bool = True) -> LoadedModule:
    """Load a scripted module's file and build its panel, as Slicer's module factory does.

    Raises:
        FileNotFoundError: there is no such file.
    """
    name = path.stem
    source = _import(path)
    parent = scripted.ModuleParent(path)
    setattr(slicer.modules, name.lower(), parent)
    description = getattr(source, name)(parent)
    panel = parent._panel = Panel()
    widget = panel._widget = getattr(source, f"{name}Widget")(panel)
    setattr(slicer.modules, f"{name}Widget", widget)
    widget.setup()
    if enter and hasattr(widget, "enter"):
        widget.enter()
    return LoadedModule(description, widget, panel, source)


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"There is no module at {path}.")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    source = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = source
    spec.loader.exec_module(source)
    return source


def _fill_qt_and_ctk() -> None:
    qt, ctk = ModuleType("qt"), ModuleType("ctk")
    for module in pythonqt.QT:
        vars(qt).update({name: getattr(module, name) for name in dir(module) if name[0] != "_"})
    vars(qt).update(QUiLoader=UiLoader)
    vars(ctk).update({kind.__name__: kind for kind in ctkwidgets.ALL})
    sys.modules.update(qt=qt, ctk=ctk)


def _fill_slicer() -> None:
    for kind in mrmlwidgets.ALL + segmentwidgets.ALL:
        setattr(slicer, kind.__name__, kind)
    slicer.qSlicerScriptedLoadableModule = scripted.ModuleParent
    slicer.qSlicerScriptedLoadableModuleWidget = Panel
    base = ModuleType("slicer.ScriptedLoadableModule")
    names = {kind.__name__: kind for kind in scripted.NAMES}
    vars(base).update(names, __all__=[*names])
    sys.modules[base.__name__] = slicer.ScriptedLoadableModule = base
    scripted.provide_translation()
