"""Control points placed, dragged and deleted in the views: what Slicer tells of them.

Placing goes on until it is ended: by the button, by the right mouse button, or by another module.
"""

from collections.abc import Callable
from typing import Any

import slicer

from . import points
from .timeline import Point


class Placing:
    """Watches one markups node, and lets clicks in the views place points in it.

    Attributes:
        node: or None.
        onPoints: called with True when a point was placed, dropped or deleted, with False when one
            has moved or changed otherwise, perhaps while it is being dragged.
        onMode: called when placing begins or ends, here or elsewhere.
    """

    def __init__(self, onPoints: Callable[[bool], None], onMode: Callable[[], None]) -> None:
        self.node: Any = None
        self.onPoints = onPoints
        self.onMode = onMode
        self._positive = True
        self._known: tuple[Point, ...] = ()
        self._tags: list[int] = []
        interaction = slicer.vtkMRMLInteractionNode.InteractionModeChangedEvent
        self._modes = [
            (_interaction(), _interaction().AddObserver(interaction, self._modeChanged)),
            (_selection(), _selection().AddObserver("ModifiedEvent", self._modeChanged)),
        ]

    @property
    def isOn(self) -> bool:
        """Tell whether a click in a view places a point in the node."""
        return _isPlacing(self.node)

    def takeNews(self) -> bool:
        """Tell whether points are others than when this was last asked or the node last taken."""
        if self.node is None or self.node.GetScene() is None:
            return False
        before, self._known = self._known, points.read(self.node, self.node)
        return self._known != before

    def follow(self, node: Any, *, positive: bool) -> None:
        """Watch another node; None for none. Placing goes on in the new one, with a sign."""
        if node is self.node:
            return
        # Slicer makes new markups the active ones
        wasOn = _isPlacing(self.node) or _isPlacing(node)
        self._forget()
        self.node = node
        if node is None:
            if wasOn:
                _leave()
            return
        self.takeNews()
        kind = slicer.vtkMRMLMarkupsNode
        for event, handler in (
            (kind.PointAddedEvent, self._added),
            (kind.PointPositionDefinedEvent, self._settled),
            (kind.PointRemovedEvent, self._settled),
            (kind.PointEndInteractionEvent, self._settled),
            (kind.PointModifiedEvent, self._moved),
        ):
            self._tags.append(node.AddObserver(event, handler))
        if wasOn:
            self.start(positive=positive)

    def start(self, *, positive: bool) -> None:
        """Let clicks place points that include, or exclude, until it is ended."""
        self._positive = positive
        self._sign()
        selection, interaction = _selection(), _interaction()
        selection.SetReferenceActivePlaceNodeClassName(self.node.GetClassName())
        selection.SetActivePlaceNodeID(self.node.GetID())
        interaction.SetPlaceModePersistence(1)
        interaction.SetCurrentInteractionMode(interaction.Place)

    def stop(self) -> None:
        """Let clicks in the views do what they did before."""
        if self.isOn:
            _leave()

    def close(self) -> None:
        """Stop, and watch nothing any more."""
        self.stop()
        self._forget()
        for node, tag in self._modes:
            node.RemoveObserver(tag)
        self._modes.clear()

    def _forget(self) -> None:
        for tag in self._tags:
            self.node.RemoveObserver(tag)
        self._tags.clear()
        self.node = None

    def _sign(self) -> None:
        """Give the point that hangs at the mouse the sign that is chosen."""
        node, preview = self.node, slicer.vtkMRMLMarkupsNode.PositionPreview
        for n in range(node.GetNumberOfControlPoints()):
            if node.GetNthControlPointPositionStatus(n) == preview:
                node.SetNthControlPointSelected(n, self._positive)

    def _added(self, caller: Any, event: str) -> None:
        self._sign()

    def _settled(self, caller: Any, event: str) -> None:
        self.onPoints(True)

    def _moved(self, caller: Any, event: str) -> None:
        self.onPoints(False)

    def _modeChanged(self, caller: Any, event: str) -> None:
        self.onMode()


def _selection() -> Any:
    return slicer.app.applicationLogic().GetSelectionNode()


def _interaction() -> Any:
    return slicer.app.applicationLogic().GetInteractionNode()


def _isPlacing(node: Any) -> bool:
    return (
        node is not None
        and _interaction().GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place
        and _selection().GetActivePlaceNodeID() == node.GetID()
    )


def _leave() -> None:
    _interaction().SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.ViewTransform)
