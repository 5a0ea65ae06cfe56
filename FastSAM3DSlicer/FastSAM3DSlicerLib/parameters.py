"""What the panel remembers, kept in the module's node, so that a saved scene opens where it was."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import slicer

MODULE = "FastSAM3DSlicer"

T = TypeVar("T")


class Value(Generic[T]):
    """A parameter that is kept as text, with the value that it has until it is set."""

    def __init__(self, default: T, read: Callable[[str], T]) -> None:
        self.default = default
        self.read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, parameters: "Parameters", owner: type) -> T:
        try:
            return self.read(parameters.node.GetParameter(self.name))
        except ValueError:  # not set yet, or by another version
            return self.default

    def __set__(self, parameters: "Parameters", value: T) -> None:
        parameters.node.SetParameter(self.name, str(value))


def _bool(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError(text)
    return text == "True"


def _filled(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


class Node:
    """A parameter that is a node of the scene, or None."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, parameters: "Parameters", owner: type) -> Any:
        return parameters.node.GetNodeReference(self.name)

    def __set__(self, parameters: "Parameters", value: Any) -> None:
        parameters.node.SetNodeReferenceID(self.name, None if value is None else value.GetID())


class Parameters:
    """A typed view of the module's vtkMRMLScriptedModuleNode.

    Attributes:
        node: observe its ModifiedEvent to follow changes.
    """

    volume = Node()
    segmentation = Node()
    region = Node()
    segmentId = Value("", str)
    keepClicked = Value(default=True, read=_bool)
    fillHoles = Value(default=False, read=_bool)
    smoothVoxels = Value(0.0, float)
    preset = Value("fastsam3d-default", _filled)

    def __init__(self, node: Any = None) -> None:
        self.node = node or _theNode()


def _theNode() -> Any:
    """Return the module's node of the scene; make it as a scripted module's logic would."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(MODULE, "vtkMRMLScriptedModuleNode")
    if node is not None:
        return node
    node = scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
    node.UnRegister(None)
    node.SetSingletonTag(MODULE)
    node.SetModuleName(MODULE)
    node.SetAttribute("ModuleName", MODULE)
    node.SetName(MODULE)
    return scene.AddNode(node)
