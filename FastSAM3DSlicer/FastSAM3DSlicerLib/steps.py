"""One step after another on the segment in use: predict on the worker's thread, then write.

The nodes are only touched by the caller's thread. While it waits it lets events through; a step
that comes then makes the one under way stale, and the latest wins.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from . import points, scene
from .binding import Binding
from .editing import Editing
from .errors import UserError
from .network import Engine, explained
from .prediction import Options, Prediction
from .timeline import Painted, Point, Start, Timeline, newPoints, pointsIn, withPoints
from .worker import Stale, Ticket, Worker

T = TypeVar("T")
Step = Callable[[Timeline], Timeline]
"""Says what is to be, given what was done so far."""

CANCELLED = "Cancelled: the segment is as it was."
IMAGE_CHANGED = "The image has changed: the segment is kept, and clicks see the new image."


class Steps:
    """Carries out steps.

    Attributes:
        options: of the clicks.
        onWritten: called when a step is complete, with the prediction and the segment's voxels.
        onMessage: called with what else a user should be told.
    """

    def __init__(self, nodes: Binding, engine: Engine, worker: Worker) -> None:
        self.options = Options()
        self.onWritten: Callable[[Prediction, int], None] = lambda prediction, voxels: None
        self.onMessage: Callable[[str], None] = lambda message: None
        self._nodes, self._engine, self._worker = nodes, engine, worker
        self._timelines: dict[tuple[str, str], Timeline] = {}
        self._prediction: Prediction | None = None
        self._image: tuple[Any, ...] = ()
        self._editing: Editing | None = None
        self._waiting: Step | None = None
        self._isActing = False
        self._isWritingPoints = False
        self._isCancelled = False

    @property
    def isActing(self) -> bool:
        """Tell whether a step is under way."""
        return self._isActing

    @property
    def hasBegun(self) -> bool:
        """Tell whether the segment in use was worked on."""
        return self._editing is not None

    def act(self, step: Step) -> None:
        """Do a step, or make it the next one if called from within another.

        Raises:
            UserError: it cannot be done; segment and points are as they were.
        """
        self._waiting = step
        if self._isActing:
            self._worker.supersede()
            return
        self._isActing = True
        try:
            while self._waiting is not None:
                step, self._waiting = self._waiting, None
                self._attempt(step)
        finally:
            self._isActing = False

    def follow(self) -> None:
        """Make the segment follow its control points."""
        if not self._isWritingPoints:
            self.act(self._followed)

    def cancel(self) -> None:
        """Leave off the step under way; segment and points stay as they were."""
        self._leaveOff()
        self._isCancelled = self._isActing

    def leave(self) -> None:
        """Stop working on the segment in use; its timeline is kept."""
        self._leaveOff()
        self._editing = None

    def forget(self, key: tuple[str, str] | None = None) -> None:
        """Drop the timeline of one segment, or everything about all."""
        self.leave()
        if key is None:
            self._timelines.clear()
            self._prediction = None
        else:
            self._timelines.pop(key, None)

    def ask(self, question: Callable[[Prediction, Ticket], T]) -> T:
        """Ask something of the segment's prediction, on the thread.

        Raises:
            UserError: another step is under way, or there is nothing to ask.
        """
        if self._isActing:
            raise UserError("A prediction is under way: wait for it, or cancel it.")
        self._isActing = True
        try:
            prediction = self._ready()
            return self._worker.run(lambda ticket: question(prediction, ticket))
        except Stale:
            raise UserError(CANCELLED) from None
        finally:
            self._isActing = False

    @contextmanager
    def writingPoints(self) -> Iterator[None]:
        """Change control points without following each change."""
        was, self._isWritingPoints = self._isWritingPoints, True
        try:
            yield
        finally:
            self._isWritingPoints = was

    def _leaveOff(self) -> None:
        self._isCancelled = False
        if self._isActing:
            self._waiting = None
            self._worker.supersede()

    def _attempt(self, step: Step) -> None:
        key, self._isCancelled = self._nodes.key, False
        try:
            self._perform(step)
        except Stale:
            if self._isCancelled and key == self._nodes.key:
                self._restorePoints()
                self.onMessage(CANCELLED)
        except Exception as error:
            if self._engine.retreat(error):
                self._prediction = None
                self._waiting = self._waiting or step
                return
            self._restorePoints()
            raise explained(error) from error

    def _perform(self, step: Step) -> None:
        prediction = self._ready()
        editing, key = self._editing, self._nodes.key
        assert editing is not None
        if (painted := editing.takePainted()) is not None:
            before = self._timelines[key]
            self._timelines[key] = before.done((*before.now, painted))
        wanted, options = step(self._timelines[key]), self.options
        self._worker.run(lambda ticket: prediction.goto(wanted.now, options, ticket.check))
        if editing.isTouched:  # painted while the network was at work
            self._waiting = self._waiting or step
            return
        self._timelines[key] = wanted
        editing.write(prediction.mask, prediction.takeChanged())
        self._showPoints(pointsIn(wanted.now))
        self.onWritten(prediction, int(np.count_nonzero(editing.held)))

    def _followed(self, timeline: Timeline) -> Timeline:
        there = points.read(self._nodes.pointsNode, self._nodes.volumeNode)
        return timeline.done(withPoints(timeline.now, there))

    def _ready(self) -> Prediction:
        """Return a prediction that is where the segment in use was left."""
        self._nodes.prepare()
        prediction = self._opened()
        nodes = self._nodes.volumeNode, self._nodes.segmentationNode, self._nodes.segmentId
        if self._editing is None or not self._editing.isOf(*nodes):
            self._editing = self._resumed(prediction, Editing(*nodes))
        return prediction

    def _opened(self) -> Prediction:
        volumeNode = self._nodes.volumeNode
        image = (volumeNode.GetID(), *scene.stampOf(volumeNode))
        if self._prediction is None or image != self._image or self._engine.isOther:
            array, toRas = scene.imageArray(volumeNode), scene.gridOf(volumeNode).ijkToRas
            network = self._worker.run(lambda ticket: self._engine.network())
            if self._prediction is not None and image[0] == self._image[0] != image:
                self._engine.note = IMAGE_CHANGED
            self._prediction = Prediction(network, array, toRas)
            self._image, self._editing = image, None
        return self._prediction

    def _resumed(self, prediction: Prediction, editing: Editing) -> Editing:
        """Replay what was done to a segment; what differs then was painted meanwhile."""
        key, options = self._nodes.key, self.options
        timeline = self._timelines.setdefault(key, Timeline.ofPoints(self._nodes.firstPoints()))
        prediction.clear()
        try:
            self._worker.run(lambda ticket: prediction.goto(timeline.now, options, ticket.check))
        except UserError:  # a point lies outside what is the volume now
            self._dropPoints(pointsIn(timeline.now))
            timeline = Timeline()
            prediction.clear()
        if (timeline.now or editing.held.any()) and not np.array_equal(
            prediction.mask, editing.held
        ):
            timeline = _met(timeline, prediction, editing)
            prediction.goto(timeline.now, options)
        prediction.takeChanged()
        self._timelines[key] = timeline
        return editing

    def _dropPoints(self, old: tuple[Point, ...]) -> None:
        there = points.read(self._nodes.pointsNode, self._nodes.volumeNode)
        self._showPoints(newPoints(there, old))

    def _restorePoints(self) -> None:
        timeline = self._timelines.get(self._nodes.key)
        if timeline is not None:
            self._showPoints(pointsIn(timeline.now))

    def _showPoints(self, wanted: tuple[Point, ...]) -> None:
        if self._nodes.pointsNode is not None and self._nodes.volumeNode is not None:
            with self.writingPoints():
                points.write(self._nodes.pointsNode, self._nodes.volumeNode, wanted)


def _met(timeline: Timeline, prediction: Prediction, editing: Editing) -> Timeline:
    if not timeline.now:
        return Timeline((Start.of(editing.held),))
    painted = Painted.between(prediction.mask, editing.held)
    return timeline.done((*timeline.now, painted))
