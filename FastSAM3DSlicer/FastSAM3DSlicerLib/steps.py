"""One step after another on segments: predict on the worker's thread, then write.

The nodes are only touched by the caller's thread. While it waits it lets events through. A step
that comes then on the same segment makes the one under way stale, and the latest wins; one on
another segment waits, so that what was clicked is complete before it is left.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from . import points, scene, segments, stride, wording
from .binding import Binding, Key, Target
from .editing import Editing
from .errors import UserError
from .home import Carry
from .network import Engine, explained
from .prediction import Network, Options, Prediction
from .record import Ledgers, Record
from .stride import Step
from .timeline import Point, Timeline, newPoints, pointsIn
from .turns import Turns
from .worker import Stale, Ticket, Worker

T = TypeVar("T")


class Steps:
    """Carries out steps.

    Attributes:
        options: of the clicks.
        onWritten: called when a step on the segment in use is complete, with the prediction, the
            segment's voxels, and what held it back altogether, or "".
        onMessage: called with what else a user should be told.
    """

    def __init__(self, nodes: Binding, engine: Engine, worker: Worker) -> None:
        self.options = Options()
        self.onWritten: Callable[[Prediction, int, str], None] = lambda *what: None
        self.onMessage: Callable[[str], None] = lambda message: None
        self._nodes, self._engine, self._worker = nodes, engine, worker
        self._turns = Turns(worker)
        self._timelines: dict[Key, Timeline] = {}
        self._ledgers = Ledgers()
        self._prediction: Prediction | None = None
        self._image: tuple[Any, ...] = ()
        self._editing: Editing | None = None
        self._isWritingPoints = False
        nodes.onGone, nodes.onCarried = self.forget, self._carried

    @property
    def isActing(self) -> bool:
        """Tell whether a step, a question or the loading of the network is under way."""
        return self._turns.isActing

    @property
    def isStepping(self) -> bool:
        """Tell whether a step on the segment in use is under way or waits."""
        return self._turns.isAbout(self._nodes.key)

    @property
    def hasBegun(self) -> bool:
        """Tell whether the segment in use is the one that was worked on last."""
        return self._editing is not None and self._editing.isOf(*self._nodes.target.segment)

    def act(self, step: Step) -> None:
        """Do a step on the segment in use, or let it wait if called from within another.

        Raises:
            UserError: it cannot be done; segment and points are as they were.
        """
        self._take(self._target(), step)

    def follow(self, *then: Step) -> None:
        """Make the segment follow its control points, then do other steps.

        Raises:
            UserError: it cannot be done; segment and points are as they were.
        """
        if not self._isWritingPoints:
            target = self._target()
            self._take(target, partial(stride.followed, target), *then)

    def cancel(self, key: Key | None = None) -> None:
        """Leave off what is under way or waits, on one segment or all; they stay as they were."""
        isAny = self.isActing and (key is None or self._turns.isAbout(key))
        self._drop(key)
        if isAny:
            self.onMessage(wording.cancelled())

    def forget(self, key: Key | None = None) -> None:
        """Drop the timeline of one segment, or everything about all."""
        self._turns.drop(key)
        self._editing = None
        self._ledgers.forget(key)
        if key is None:
            self._timelines.clear()
            self._prediction = None
        else:
            self._timelines.pop(key, None)

    def ask(self, question: Callable[[Prediction, Ticket], T]) -> T | None:
        """Ask something of the segment's prediction, on the thread.

        Returns:
            The answer; None if it was cancelled, or something newer took its place.

        Raises:
            UserError: something else is under way, or there is nothing to ask.
        """
        if self.isActing:
            raise UserError(wording.busy())
        target = self._target()
        with self._turns.turn(target, isYielding=True):
            try:
                prediction = self._ready(target)[0]
                answer = self._run(target, lambda ticket: question(prediction, ticket))
            except Stale:
                return None
            return answer if target.segment == self._nodes.target.segment else None

    def warmUp(self, remark: Callable[[str], str]) -> None:
        """Load the network; steps that come meanwhile are done after it.

        Args:
            remark: given where it is, returns what is to be said once about it, or "".

        Raises:
            UserError, OSError: it cannot be loaded.
        """
        with self._turns.turn():
            try:
                self._load()
            except Stale:
                return
            except Exception:
                self._drop()  # it would be tried again for each
                raise
            self._engine.note = remark(self._engine.place)

    def tidy(self) -> None:
        """Do what can wait until the mask is shown, unless something is under way."""
        if self._prediction is not None and not self.isActing:
            self._prediction.tidy()

    @contextmanager
    def writingPoints(self) -> Iterator[None]:
        """Change control points without following each change."""
        was, self._isWritingPoints = self._isWritingPoints, True
        try:
            yield
        finally:
            self._isWritingPoints = was

    def _target(self) -> Target:
        try:
            self._nodes.prepare()
        except UserError:
            self._restorePoints(self._nodes.target)
            raise
        target = self._nodes.target
        if target.key not in self._timelines:
            self._timelines[target.key] = Timeline.ofPoints(self._nodes.firstPoints())
        return target

    def _take(self, target: Target, *steps: Step) -> None:
        self._turns.take(target, partial(self._attempt, target, steps))

    def _drop(self, key: Key | None = None) -> None:
        for target in self._turns.drop(key):
            self._restorePoints(target)

    def _attempt(self, target: Target, steps: Sequence[Step]) -> None:
        """Do steps, each of which is complete on its own."""
        for count, step in enumerate(steps):
            try:
                isDone = self._perform(target, step)
            except Stale:
                return
            except Exception as error:
                if not self._engine.retreat(error):
                    self._restorePoints(target)
                    raise explained(error) from error
                self._prediction, isDone = None, False
            if not isDone:
                self._turns.again(target, partial(self._attempt, target, steps[count:]))
                return

    def _perform(self, target: Target, step: Step) -> bool:
        """Do a step; return False if what it is about has changed meanwhile."""
        if target.isThere:
            segments.requireGrid(target.segmentationNode, target.segmentId, target.volumeNode)
        prediction, editing = self._ready(target)
        if (painted := editing.takePainted()) is not None:
            before = self._timelines[target.key]
            self._keep(target, before.done((*before.now, painted)), editing)
        since = self._timelines[target.key]
        wanted = step(since)
        options = self.options = self._nodes.within(self.options, target.volumeNode)
        self._run(target, lambda ticket: prediction.goto(wanted.now, options, ticket.check))
        shape = scene.gridOf(target.volumeNode).shapeKji
        isCarried = self._timelines.get(target.key) is not since
        if editing.isTouched or isCarried or prediction.mask.shape != shape:
            return False
        record = stride.recordAfter(step, wanted, self._ledgers.of(target.key))
        editing.follow(prediction.mask, prediction.changed, record)
        prediction.takeChanged()
        self._keep(target, wanted, editing)
        self._showPoints(target, pointsIn(wanted.now))
        if target.segment == self._nodes.target.segment:
            self.onWritten(prediction, editing.voxels, editing.refusal)
        return True

    def _keep(self, target: Target, timeline: Timeline, editing: Editing) -> None:
        """Note where a segment is now."""
        self._timelines[target.key] = timeline
        self._ledgers.of(target.key).put(timeline, editing.record)

    def _run(self, target: Target, work: Callable[[Ticket], T]) -> T:
        """Do some work for a target on the thread.

        Raises:
            Stale: nobody waits for it any more, or what it is for has left the scene.
            UserError: the volume holds no voxels any more.
        """
        result = self._worker.run(work)
        stride.requireThere(target)
        return result

    def _load(self) -> Network:
        return self._worker.run(lambda ticket: self._engine.network(), toItsEnd=False)

    def _ready(self, target: Target) -> tuple[Prediction, Editing]:
        """Return a prediction that is where the segment was left."""
        prediction = self._opened(target)
        self._nodes.bringPoints(target)
        if self._editing is None or not self._editing.isOf(*target.segment):
            over, self._editing = self._editing, None  # until it is known to fit the prediction
            self._editing = self._resumed(target, prediction, over)
        return prediction, self._editing

    def _opened(self, target: Target) -> Prediction:
        stride.requireThere(target)
        isOther = stride.imageOf(target) != self._image or self._engine.isOther
        if self._prediction is None or isOther:
            network = self._load()
            stride.requireThere(target)
            image, volumeNode = stride.imageOf(target), target.volumeNode
            if self._prediction is not None and image[0] == self._image[0] != image:
                self._engine.note = wording.imageChanged()
            array, toRas = scene.imageArray(volumeNode), scene.gridOf(volumeNode).ijkToRas
            self._prediction = Prediction(network, array, toRas)
            self._image, self._editing = image, None
        return self._prediction

    def _resumed(self, target: Target, prediction: Prediction, over: Editing | None) -> Editing:
        """Replay what was done to a segment; what differs then was painted meanwhile."""
        editing = Editing(*target.segment, over)
        timeline = self._timelines[target.key]
        options = self._nodes.within(self.options, target.volumeNode)
        record = self._ledgers.open(target.key, target.volumeNode).at(len(timeline.past))
        prediction.clear()
        try:
            self._run(target, lambda ticket: prediction.goto(timeline.now, options, ticket.check))
        except UserError:  # a point lies outside what is the volume now
            stride.requireThere(target)
            self._dropPoints(target, pointsIn(timeline.now))
            timeline, record = Timeline(), Record()
            prediction.clear()
        isBegun = timeline.now or editing.voxels
        if isBegun and not editing.isAt(record.on(prediction.mask)):
            timeline = stride.met(timeline, prediction.mask, editing.held)
            record = Record(taken=record.taken)
            prediction.goto(timeline.now, options)
        prediction.takeChanged()
        editing.record = record
        self._keep(target, timeline, editing)
        return editing

    def _carried(self, key: Key, carry: Carry) -> None:
        if (timeline := self._timelines.get(key)) is not None:
            self._timelines[key] = timeline.carried(carry.place, keepsMasks=carry.keepsMasks)

    def _dropPoints(self, target: Target, old: tuple[Point, ...]) -> None:
        there = points.read(target.pointsNode, target.pointsNode)
        self._showPoints(target, newPoints(there, old))

    def _restorePoints(self, target: Target) -> None:
        timeline = self._timelines.get(target.key)
        if timeline is not None:
            self._showPoints(target, pointsIn(timeline.now))

    def _showPoints(self, target: Target, wanted: tuple[Point, ...]) -> None:
        if target.isThere:
            with self.writingPoints():
                points.write(target.pointsNode, target.pointsNode, wanted)
