"""What scripts give to be segmented: checked before anything is touched."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import segments
from .binding import Target
from .errors import UserError
from .language import tr as _
from .timeline import Place


def checked(pointsWorld: Sequence[Place], labels: Sequence[int]) -> list[tuple[Place, bool]]:
    """Return the places of clicks, and whether each includes.

    Args:
        pointsWorld: (N, 3), mm.
        labels: N of 0 and 1, or False and True.

    Raises:
        UserError: they are of another form, or none of them includes.
    """
    places, signs = _arrayOf(pointsWorld), _arrayOf(labels)
    if len(pointsWorld) != len(labels):
        raise UserError(
            _(
                "There are {points} points and {labels} labels; expected as many of one as of the "
                "other."
            ).format(points=len(pointsWorld), labels=len(labels))
        )
    if not len(pointsWorld):
        raise UserError(_("There are no points; expected one or more, at least one on the object."))
    if places is None or places.shape != (len(labels), 3) or not np.isfinite(places).all():
        raise UserError(_("Points are to be three finite numbers each: R, A and S in mm."))
    if signs is None or signs.ndim != 1 or not np.isin(signs, (0, 1)).all():
        raise UserError(
            _("The labels are {labels}; expected 1 to include and 0 to exclude.").format(
                labels=list(labels)
            )
        )
    if not signs.any():
        raise UserError(
            _("All points exclude; expected at least one with label 1, on the object itself.")
        )
    return [
        ((float(r), float(a), float(s)), bool(sign))
        for (r, a, s), sign in zip(places, signs, strict=True)
    ]


def requireDone(target: Target, count: int) -> None:
    """Make sure that a segment was predicted from all its clicks.

    Raises:
        UserError: it was cancelled, or a node that it needs was removed.
    """
    if not target.isThere or target.pointsNode.GetNumberOfControlPoints() < count:
        raise UserError(_("The segment was cancelled before it was complete, and is not there."))


def takeAway(target: Target, *, isNew: bool) -> None:
    """Remove a segment, and its segmentation if that was made for it."""
    node = target.segmentationNode
    if node is None or node.GetScene() is None:
        return
    if isNew:
        segments.removeSegmentation(node)
    elif segments.hasSegment(node, target.segmentId):
        node.GetSegmentation().RemoveSegment(target.segmentId)


def _arrayOf(values: Any) -> Any:
    """Return numbers as an array, None if they are none."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        return None
    return array if array.dtype.kind in "biuf" else None
