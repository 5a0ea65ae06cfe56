"""Which of the panel's buttons can be pressed, and which of them are down."""

from typing import Any

from .logic import FastSAM3DSlicerLogic

PLACE = ("include", "exclude", "next")
CHANGE = ("undo", "redo", "reset", "refine", "uncertainty")


def show(ui: Any, logic: FastSAM3DSlicerLogic, *, isReady: bool, isPlacing: bool) -> None:
    """Bring the buttons up to date.

    Args:
        ui: the panel's widgets.
        logic: what they act on.
        isReady: whether all is there that the network needs.
        isPlacing: whether a click in a view places a point.
    """
    canPlace = logic.volumeNode is not None and isReady
    for name in PLACE:
        getattr(ui, f"{name}Button").enabled = canPlace
    for name in CHANGE:
        getattr(ui, f"{name}Button").enabled = canPlace and bool(logic.segmentId)
    ui.show3DButton.enabled = logic.segmentationNode is not None
    ui.includeButton.checked = isPlacing and logic.nextIsPositive
    ui.excludeButton.checked = isPlacing and not logic.nextIsPositive
