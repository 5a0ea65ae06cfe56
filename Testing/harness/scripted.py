# ruff: noqa: N802 -- these stand for Slicer's classes and are called by their names
"""Stand-ins for the base classes of a scripted module, and for its translation functions."""

import sys
import unittest
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer


def tr(text: str) -> str:
    """Return the text: the harness speaks English."""
    return text


def translate(_context: str, text: str) -> str:
    """Return the text: the harness speaks English."""
    return text


def provide_translation() -> None:
    """Make `slicer.i18n` importable; what names it at its top is imported afterwards."""
    i18n = ModuleType("slicer.i18n")
    vars(i18n).update(tr=tr, translate=translate)
    sys.modules[i18n.__name__] = slicer.i18n = i18n


class ModuleParent:
    """Stands for `qSlicerScriptedLoadableModule`; takes the attributes that the C++ class has."""

    __slots__ = (
        "_panel",
        "acknowledgementText",
        "associatedNodeTypes",
        "categories",
        "contributors",
        "dependencies",
        "helpText",
        "hidden",
        "icon",
        "index",
        "name",
        "path",
        "title",
        "widgetRepresentationCreationEnabled",
    )

    def __init__(self, path: Path) -> None:
        self.path, self.name, self._panel = str(path), path.stem, None

    def widgetRepresentation(self) -> Any:
        """Return the panel."""
        return self._panel


class ScriptedLoadableModule:
    """Describes a module."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = parent.helpText = parent.acknowledgementText = ""
        parent.categories, parent.dependencies, parent.contributors = [], [], []

    def resourcePath(self, filename: str) -> str:
        """Return the path of a file in the module's `Resources`."""
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:  # noqa: N803
        """Return a link to the module's page."""
        return f'<a href="{slicer.app.documentationBaseUrl}{docPage or self.moduleName}">help</a>'


class ScriptedLoadableModuleWidget:
    """A module's panel."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        if parent is None:
            raise ValueError("The harness makes a panel's parent; see `application.load_module`.")
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        self.parent = parent
        self.layout = parent.layout()

    def resourcePath(self, filename: str) -> str:
        """Return the path of a file in the module's `Resources`."""
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None:
        """Build the panel; the developer's section is left out."""

    def cleanup(self) -> None:
        """Let go of everything."""


class ScriptedLoadableModuleLogic:
    """What a module can do without its panel."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        """Return the scene's node of the module's parameters; a new one if there is none."""
        kind = "vtkMRMLScriptedModuleNode"
        found = slicer.mrmlScene.GetSingletonNode(self.moduleName, kind)
        return found or slicer.mrmlScene.AddNode(self.createParameterNode())

    def createParameterNode(self) -> Any:
        """Return a new node of parameters, not yet in the scene."""
        node = slicer.vtkMRMLScriptedModuleNode()
        node.SetSingletonTag(self.moduleName)
        node.SetModuleName(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A module's test of itself, inside the application."""

    def __init__(self, methodName: str = "runTest") -> None:  # noqa: N803
        super().__init__(methodName)
        self.messageDelay = 0

    def delayDisplay(self, _message: str, **_options: Any) -> None:
        """See to events; messages are not shown."""
        slicer.app.processEvents()

    def runTest(self) -> None:
        """Run the test."""


NAMES = (
    ScriptedLoadableModule,
    ScriptedLoadableModuleWidget,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
)
