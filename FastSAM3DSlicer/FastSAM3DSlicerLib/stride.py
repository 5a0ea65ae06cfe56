"""The steps that segments are brought forward by, and those that go to where they were before."""

from collections.abc import Callable
from typing import Any

from . import points, scene
from .binding import Target
from .record import Ledger, Record
from .timeline import Mask, Painted, Start, Timeline, startsOf, withPoints
from .worker import Stale

Step = Callable[[Timeline], Timeline]
"""Says what is to be, given what was done so far."""


def fromStart(timeline: Timeline) -> Timeline:
    """Go back to what a segment began with."""
    return timeline.done(startsOf(timeline.now))


_RETURNING: tuple[Step, ...] = (Timeline.undone, Timeline.redone, fromStart)


def requireThere(target: Target) -> None:
    """Make sure that what a step is for can still be worked on.

    Raises:
        Stale: it has left the scene.
        UserError: the volume holds no voxels.
    """
    if not target.isThere:
        raise Stale
    scene.imageArray(target.volumeNode)


def imageOf(target: Target) -> tuple[Any, ...]:
    """Return what differs as soon as a step would see another image; the volume's id first."""
    return target.volumeNode.GetID(), *scene.stampOf(target.volumeNode)


def recordAfter(step: Step, timeline: Timeline, ledger: Ledger) -> Record | None:
    """Return the record of the state that a step goes back or forth to; None if it is a new one.

    Args:
        step: any.
        timeline: what it made.
        ledger: the segment's.
    """
    if step not in _RETURNING:
        return None
    count = len(timeline.past)
    if step is fromStart and timeline.now in timeline.past:
        count = timeline.past.index(timeline.now)
    return ledger.at(count)


def followed(target: Target, timeline: Timeline) -> Timeline:
    """Go on to the points that are there now."""
    there = points.read(target.pointsNode, target.volumeNode)
    return timeline.done(withPoints(timeline.now, there))


def met(timeline: Timeline, predicted: Mask, held: Mask) -> Timeline:
    """Go on to what is found in a segment where something else was predicted."""
    if not timeline.now:
        return Timeline((Start.of(held),))
    return timeline.done((*timeline.now, Painted.between(predicted, held)))
