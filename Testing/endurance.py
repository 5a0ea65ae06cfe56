"""What must hold after every action of a random user."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from FastSAM3DSlicerLib.errors import UserError
from leftovers import contents, kinds
from randomuser import RandomUser

KEEPS_ALL = {
    "next_segment",
    "go_back",
    "switch_volume",
    "replace_image",
    "delete_segment",
    "hide_uncertainty",
    "update_surface",
}
"""Actions that must leave the segment in use as it was, too."""


def act(user: RandomUser, attempt: Callable[[Callable[[], Any]], Any] = lambda do: do()) -> None:
    """Do something; what is not in use must stay as it is, and what is in use after an error."""
    there, used = contents(), user.used
    try:
        attempt(user.act)
        allowed = set() if user.last in KEEPS_ALL else {used}
    except UserError:
        allowed = set()
    now = contents()
    kept = (there.keys() & now.keys()) - allowed
    assert {key: now[key] for key in kept} == {key: there[key] for key in kept}, user.last


def check_nodes(user: RandomUser, empty: Counter[str]) -> None:
    """Compare the scene's nodes with what there has to be beside those of an empty scene."""
    there = user.logic.segmentationNode is not None
    clicked = sum(content.points is not None for content in contents().values())
    volumes = len(user.volumes) + len(user.overlays)
    expected = empty + Counter(
        vtkMRMLScalarVolumeNode=volumes,
        vtkMRMLScalarVolumeDisplayNode=volumes,
        vtkMRMLMarkupsROINode=1,
        vtkMRMLMarkupsROIDisplayNode=1,
        vtkMRMLSegmentationNode=there,
        vtkMRMLSegmentationDisplayNode=there,
        vtkMRMLSegmentEditorNode=there,
        vtkMRMLMarkupsFiducialNode=clicked,
        vtkMRMLMarkupsFiducialDisplayNode=clicked,
    )
    assert kinds() == expected, user.last
