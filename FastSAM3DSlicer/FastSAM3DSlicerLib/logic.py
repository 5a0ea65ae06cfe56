"""Clicks in, segments out: joins the scene and the engine, without a window.

From a script, `FastSAM3DSlicerLogic().segment(volumeNode, points, labels)` is all there is to it.
A panel chooses nodes by the setters, lets the user place control points in `pointsNode()`, and
calls `update` whenever one was placed, moved, deleted or changed its sign.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from . import points, scene, scripting, segments, wording
from .binding import Binding, Key, Lost
from .errors import UserError
from .network import Engine, OpenNetwork, loadNetwork
from .prediction import Options, Prediction
from .status import Status, following
from .steps import Steps
from .stride import fromStart
from .timeline import Place, Refined, Start, Timeline, boundsOf
from .worker import Pump, Worker


class FastSAM3DSlicerLogic:
    """Segments one object of one volume at a time; each segment keeps its points.

    Another segment, segmentation or volume may be chosen while a prediction is under way: that one
    is completed for the segment that it is about.

    What cannot be done raises a `UserError` with a sentence for the user. A segment is written
    when a prediction is complete: an error or a cancel leaves it as it was.

    Attributes:
        engine: the network, its preset and device.
        nextIsPositive: the sign of the next control point that is placed.
        status: what to show.
        onStatus: called with the status whenever it changes.
    """

    def __init__(
        self, openNetwork: OpenNetwork = loadNetwork, pump: Pump = lambda seconds: None
    ) -> None:
        self.engine = Engine(openNetwork)
        self.nextIsPositive = True
        self.status = Status()
        self.onStatus: Callable[[Status], None] = lambda status: None
        self._nodes = Binding(self._lost)
        self._worker = Worker(pump)
        self._steps = Steps(self._nodes, self.engine, self._worker)
        self._steps.onWritten = self._written
        self._steps.onMessage = self._say

    @property
    def volumeNode(self) -> Any:
        """Return the volume being segmented, or None."""
        return self._nodes.volumeNode

    @property
    def segmentationNode(self) -> Any:
        """Return the segmentation that takes the segments, or None before the first click."""
        return self._nodes.segmentationNode

    @property
    def segmentId(self) -> str:
        """Return the id of the segment being edited, "" if the next click makes a new one."""
        return self._nodes.segmentId

    @property
    def isBusy(self) -> bool:
        """Tell whether a prediction or the loading of the network is under way."""
        return self._steps.isActing

    @property
    def options(self) -> Options:
        """Return what a click may change, and what is done to the network's answer."""
        return self._steps.options

    def setVolume(self, volumeNode: Any) -> None:
        """Choose the volume to segment; None for none."""
        if volumeNode is not self.volumeNode:
            if self.volumeNode is not None:
                scene.hideOverlay(self.volumeNode)
            self._nodes.volumeNode = volumeNode

    def setSegmentation(self, segmentationNode: Any) -> None:
        """Choose the segmentation; None makes a new one at the next click."""
        if segmentationNode is not self.segmentationNode:
            self._nodes.choose(segmentationNode, "")

    def setSegment(self, segmentId: str) -> None:
        """Go to a segment, with the points it was left with; "" makes a new one."""
        if segmentId != self.segmentId:
            self._nodes.choose(self.segmentationNode, segmentId)
            self.nextIsPositive = True

    def nextSegment(self, name: str = "") -> str:
        """Begin a new segment, unless this one is unused; return its id. The sign is + again."""
        self._nodes.prepareSegmentation()
        if not self._nodes.isUnused:
            self.setSegment(segments.newSegment(self.segmentationNode, name))
        elif name:
            self.segmentationNode.GetSegmentation().GetSegment(self.segmentId).SetName(name)
        self.nextIsPositive = True
        self._nodes.prepare()
        return self.segmentId

    def pointsNode(self) -> Any:
        """Return the markups node to place points in; makes segment and node if need be."""
        self._nodes.prepare()
        return self._nodes.pointsNode

    def setSign(self, pointIndex: int) -> None:
        """Give a control point that was just placed the sign that is chosen."""
        with self._steps.writingPoints():
            self.pointsNode().SetNthControlPointSelected(pointIndex, self.nextIsPositive)

    def addClick(self, pointWorld: Place, positive: bool = True) -> str:
        """Add a control point, mm in the world, and update; return the point's id."""
        with self._steps.writingPoints():
            pointId = points.add(self.pointsNode(), pointWorld, positive=positive)
        self.update()
        return pointId

    def moveClick(self, pointId: str, pointWorld: Place) -> None:
        """Move a control point, mm in the world, and update."""
        with self._steps.writingPoints():
            points.move(self.pointsNode(), pointId, pointWorld)
        self.update()

    def removeClick(self, pointId: str) -> None:
        """Delete a control point and update."""
        with self._steps.writingPoints():
            points.delete(self.pointsNode(), pointId)
        self.update()

    def update(self) -> None:
        """Make the segment follow its control points, whatever has changed about them.

        Called while a prediction of the same segment is under way, it makes that one stale: the
        latest wins.
        """
        self._steps.follow()

    def undo(self) -> None:
        """Take the last thing back; a prediction of the segment under way is cancelled instead."""
        if self._steps.isStepping:
            self._steps.cancel(self._nodes.key)
        else:
            self._steps.act(Timeline.undone)

    def redo(self) -> None:
        """Do the last thing taken back again."""
        if not self._steps.isStepping:
            self._steps.act(Timeline.redone)

    def reset(self) -> None:
        """Go back to what the segment began with, without points; can be undone."""
        self._steps.act(fromStart)

    def refine(self) -> None:
        """Look at the object again more closely; worth it where it is large and its mask coarse."""
        self._steps.follow(lambda timeline: timeline.done((*timeline.now, Refined())))

    def startFrom(self, segmentationNode: Any, segmentId: str) -> None:
        """Go on from a copy of any segment; the points so far are taken away."""
        self._nodes.prepare()
        start = Start.of(segments.readMask(segmentationNode, segmentId, self.volumeNode))
        self._steps.act(lambda timeline: timeline.done((start,)))

    def setOptions(self, options: Options) -> None:
        """Change the options, and predict the segment's clicks again with them."""
        if options != self.options:
            self._steps.options = options
            if self._steps.hasBegun:
                self._steps.follow()

    def setRegion(self, roiNode: Any) -> None:
        """Stay within a markups ROI, wherever it is at each click; None for the whole volume."""
        self._nodes.regionNode = roiNode
        options = replace(self.options, region=None)
        self.setOptions(self._nodes.within(options, self.volumeNode))

    def cancel(self) -> None:
        """Leave off what is under way; segments and their points are as they were."""
        self._steps.cancel()

    def warmUp(self, remark: Callable[[str], str] = lambda device: "") -> None:
        """Load the network ahead of the first click, which would wait for it otherwise.

        Nothing is done if there is one, or while anything else is under way. It may be cancelled.

        Args:
            remark: given where it is, returns what is to be said once about it, or "".

        Raises:
            UserError, OSError: it cannot be loaded.
        """
        if self.engine.isOther and not self.isBusy:
            self._steps.warmUp(remark)
            if note := self._takeNote():
                self._say(note)

    def showUncertainty(self) -> float | None:
        """Colour where the mask is undecided.

        Returns:
            One number, 0 for sure to 1; None if it was cancelled or something newer came.
        """
        answer = self._steps.ask(lambda prediction, ticket: prediction.uncertainty(ticket.check))
        if answer is None:
            return None
        values, number = answer
        box = boundsOf(values > 0)
        scene.showOverlay(self.volumeNode, values[box], box)
        return number

    def hideUncertainty(self) -> None:
        """Remove the colours."""
        if self.volumeNode is not None:
            scene.hideOverlay(self.volumeNode)

    def tidy(self) -> None:
        """Do what a click left for when its mask is shown."""
        self._steps.tidy()

    def updateSurface(self) -> None:
        """Bring the segment's surface up to date; to be called after a pause, not in a click."""
        if segments.hasSegment(self.segmentationNode, self.segmentId):
            segments.updateSurface(self.segmentationNode, self.segmentId)

    def close(self) -> None:
        """End the thread and watch the scene no more; nodes stay."""
        self._steps.forget()
        self._worker.stop()
        self._nodes.close()

    def segment(
        self,
        volumeNode: Any,
        pointsWorld: Sequence[Place],
        labels: Sequence[int],
        segmentationNode: Any = None,
    ) -> tuple[Any, str]:
        """Segment one object into a new segment.

        Args:
            volumeNode: a scalar volume.
            pointsWorld: (N, 3) in the world's RAS, mm.
            labels: N, 1 to include and 0 to exclude.
            segmentationNode: takes the segment; None for a new one.

        Returns:
            The segmentation node and the new segment's id.

        Raises:
            UserError: it cannot be done, or was cancelled; nothing of it is left in the scene.
        """
        clicks = scripting.checked(pointsWorld, labels)
        if self.isBusy:
            raise UserError(wording.busy())
        self.setVolume(volumeNode)
        self.setSegmentation(segmentationNode)
        self.setSegment("")
        target = None
        try:
            with self._steps.writingPoints():
                for place, positive in clicks:
                    points.add(self.pointsNode(), place, positive=positive)
            target = self._nodes.target
            self.update()
            scripting.requireDone(target, len(clicks))
        except Exception:
            scripting.takeAway(target or self._nodes.target, isNew=segmentationNode is None)
            raise
        return target.segmentationNode, target.segmentId

    def _written(self, prediction: Prediction, voxels: int, refusal: str) -> None:
        message = refusal or prediction.message or following(voxels)
        text = f"{self._takeNote()} {message}".strip()
        place, times = self.engine.place, prediction.times
        ml = voxels * scene.gridOf(self.volumeNode).voxelMl
        self._tell(Status(place, times.encodeMs, times.decodeMs, ml, prediction.confidence, text))

    def _takeNote(self) -> str:
        note, self.engine.note = self.engine.note, ""
        return note

    def _say(self, message: str) -> None:
        self._tell(replace(self.status, message=message))

    def _tell(self, status: Status) -> None:
        self.status = status
        self.onStatus(status)

    def _lost(self, what: Lost, key: Key) -> None:
        everything = what in (Lost.SCENE, Lost.VOLUME)
        self._steps.forget(None if everything else key)
        self._tell(Status(self.engine.place, message=what.text))
