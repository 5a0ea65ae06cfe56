# ruff: noqa: N801, N802, N815 -- these stand for C++ classes and are called by their names
"""Doubles of the qMRML widgets, bound to the real scene: what is shown is what MRML holds."""

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from .ctkwidgets import stored
from .pythonqt import double

SCENE_CHANGES = ("NodeAddedEvent", "NodeRemovedEvent", "EndBatchProcessEvent", "EndCloseEvent")


class Observer:
    """What a double watches; watching another object ends the watch of the one before."""

    def __init__(self, owner: QtCore.QObject, callback: Any) -> None:
        self._callback = callback
        self._tags: list[tuple[Any, int]] = []
        owner.destroyed.connect(lambda: self.watch(None, []))

    def watch(self, watched: Any, events: list[int]) -> None:
        """Call back at events of an object, None for none."""
        for previous, tag in self._tags:
            previous.RemoveObserver(tag)
        self._tags = []
        if watched is not None:
            self.also(watched, events)

    def also(self, watched: Any, events: list[int]) -> None:
        """Call back at events of one more object."""
        for event in events:
            tag = watched.AddObserver(event, lambda *_: self._callback())
            self._tags.append((watched, tag))


@double
class qMRMLWidget(QtWidgets.QWidget):
    """A widget that knows the scene."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene."""
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


@double
class qSlicerWidget(qMRMLWidget):
    """The same under another name: the base of what Slicer's modules offer."""


@double
class qMRMLNodeComboBox(QtWidgets.QWidget):
    """A list of the scene's nodes of some types."""

    currentNodeChanged = Signal((object,), (bool,))
    currentNodeIDChanged = Signal(str)
    nodeAddedByUser = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._ids: list[str] = []
        self._types: list[str] = []
        self._attributes: dict[str, dict[str, str | None]] = {}
        self._watch = Observer(self, self._refill)
        self._box = QtWidgets.QComboBox()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box)
        self._box.currentIndexChanged.connect(self._tell)

    def mrmlScene(self) -> Any:
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene whose nodes are listed."""
        self._scene = scene
        events = [getattr(slicer.vtkMRMLScene, name) for name in SCENE_CHANGES]
        self._watch.watch(scene, events)
        self._refill()

    def currentNode(self) -> Any:
        """Return the node chosen, None if none."""
        return self._scene.GetNodeByID(self._id()) if self._scene and self._id() else None

    def setCurrentNode(self, node: Any) -> None:
        """Choose a node, or none."""
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node else "")

    def setCurrentNodeID(self, identity: str) -> None:
        """Choose a node by its ID."""
        self._box.setCurrentIndex(self._ids.index(identity) if identity in self._ids else -1)

    def addAttribute(self, kind: str, name: str, value: str | None = None) -> None:
        """List nodes of a type only if they carry an attribute."""
        self._attributes.setdefault(kind, {})[name] = value
        self._refill()

    def addNode(self, kind: str | None = None) -> Any:
        """Add a node as the user does by the list's menu."""
        node = self._scene.AddNewNodeByClass(kind or self._types[0], self.baseName)
        self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def nodeCount(self) -> int:
        """Return how many nodes are listed."""
        return sum(bool(identity) for identity in self._ids)

    def _refill(self) -> None:
        before = self._id()
        listed = [node for kind in self._types for node in self._nodes(kind)]
        names = [node.GetName() or "" for node in listed]
        self._box.blockSignals(True)
        self._box.clear()
        self._box.addItems([self.noneDisplay, *names] if self.noneEnabled else names)
        self._ids = [""] * bool(self.noneEnabled) + [node.GetID() for node in listed]
        index = self._ids.index(before) if before in self._ids else min(0, len(self._ids) - 1)
        self._box.setCurrentIndex(index)
        self._box.blockSignals(False)
        if self._id() != before:
            self._tell()

    def _nodes(self, kind: str) -> list[Any]:
        if self._scene is None:
            return []
        found = slicer.util.getNodesByClass(kind, self._scene)
        wanted = self._attributes.get(kind, {}).items()
        return [
            node
            for node in found
            if (self.showHidden or not node.GetHideFromEditors())
            and (self.showChildNodeTypes or node.GetClassName() == kind)
            and all(
                node.GetAttribute(name) == value if value else node.GetAttribute(name) is not None
                for name, value in wanted
            )
        ]

    def _tell(self, _index: int = 0) -> None:
        node = self.currentNode()
        self.currentNodeChanged[object].emit(node)
        self.currentNodeChanged[bool].emit(node is not None)
        self.currentNodeIDChanged.emit(self._id())

    def _id(self) -> str:
        index = self._box.currentIndex
        return self._ids[index] if 0 <= index < len(self._ids) else ""

    def _get_types(self) -> list[str]:
        return self._types

    def _set_types(self, types: list[str]) -> None:
        self._types = list(types)
        self._refill()

    @staticmethod
    def _filter(name: str, default: bool) -> Property:
        def read(self: "qMRMLNodeComboBox") -> bool:
            return bool(self.__dict__.get(f"_{name}", default))

        def write(self: "qMRMLNodeComboBox", value: bool) -> None:
            self.__dict__[f"_{name}"] = value
            self._refill()

        return Property(bool, read, write)

    noneEnabled = _filter("noneEnabled", False)
    showHidden = _filter("showHidden", False)
    showChildNodeTypes = _filter("showChildNodeTypes", True)
    nodeTypes = Property("QStringList", _get_types, _set_types)
    currentNodeID = Property(str, _id, setCurrentNodeID)
    noneDisplay = stored(str, "noneDisplay", "None")
    baseName = stored(str, "baseName", "")
    addEnabled = stored(bool, "addEnabled", True)
    removeEnabled = stored(bool, "removeEnabled", True)
    editEnabled = stored(bool, "editEnabled", False)
    renameEnabled = stored(bool, "renameEnabled", False)
    selectNodeUponCreation = stored(bool, "selectNodeUponCreation", True)


@double
class qSlicerMarkupsPlaceWidget(qSlicerWidget):
    """A button that puts Slicer into the mode in which clicks place control points."""

    activeMarkupsPlaceModeChanged = Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._was_enabled = False
        self._watch = Observer(self, self._follow)
        self._button = QtWidgets.QToolButton()
        self._button.setCheckable(True)
        self._button.setText("+")
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._button)
        self._button.clicked.connect(self.setPlaceModeEnabled)

    def currentNode(self) -> Any:
        """Return the list of points that clicks go to."""
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        """Set the list of points that clicks go to."""
        self._node = node
        self._watch.watch(self._interaction(), [vtk.vtkCommand.ModifiedEvent])
        self._watch.also(self._selection(), [vtk.vtkCommand.ModifiedEvent])
        self._follow()

    def placeButton(self) -> QtWidgets.QToolButton:
        """Return the button."""
        return self._button

    def setPlaceModeEnabled(self, enabled: bool) -> None:
        """Begin or end placing."""
        modes = slicer.vtkMRMLInteractionNode
        if enabled:
            self._selection().SetReferenceActivePlaceNodeClassName(self._node.GetClassName())
            self._selection().SetActivePlaceNodeID(self._node.GetID())
            self._interaction().SetPlaceModePersistence(self.placeModePersistency)
        if enabled or self._enabled():
            self._interaction().SetCurrentInteractionMode(
                modes.Place if enabled else modes.ViewTransform
            )

    def _selection(self) -> Any:
        return self._scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")

    def _interaction(self) -> Any:
        return self._scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")

    def _enabled(self) -> bool:
        placing = slicer.vtkMRMLInteractionNode.Place
        return (
            self._node is not None
            and self._interaction().GetCurrentInteractionMode() == placing
            and self._selection().GetActivePlaceNodeID() == self._node.GetID()
        )

    def _follow(self) -> None:
        enabled = self._enabled()
        self._button.setChecked(enabled)
        if enabled != self._was_enabled:
            self._was_enabled = enabled
            self.activeMarkupsPlaceModeChanged.emit(enabled)

    placeModeEnabled = Property(bool, _enabled, setPlaceModeEnabled)
    placeModePersistency = stored(bool, "placeModePersistency", False)
    buttonsVisible = stored(bool, "buttonsVisible", True)


ALL = (qMRMLWidget, qSlicerWidget, qMRMLNodeComboBox, qSlicerMarkupsPlaceWidget)
