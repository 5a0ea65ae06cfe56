"""Hundreds of random actions against a model of five lines: no exception, no leak, no damage."""

import gc

import numpy as np
import slicer
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from FastSAM3DSlicerLib import points, segments
from FastSAM3DSlicerLib import scene as lib
from harness import headless
from harness.clicking import new_logic
from harness.mrml import AXIAL, BallNetwork
from harness.surfaced import surfaced

SHAPE = (24, 32, 40)

voxels = st.tuples(*(st.integers(0, length - 1) for length in SHAPE))
which = st.integers(0, 7)


class WideNetwork(BallNetwork):
    """Sees all of the volume at once."""

    patch_size, mask_size = 64, 32


class Clicking(RuleBasedStateMachine):
    """Clicks, moves, deletes, undoes, paints, and goes from segment to segment.

    The model: for each segment, the lists of points (voxel, sign) that undo and redo walk over.
    """

    def __init__(self):
        super().__init__()
        self.surfaced = surfaced()
        self.raised = self.surfaced.__enter__()
        self.scene = headless.start().scene
        self.scene.Clear(False)
        self.volume = slicer.util.addVolumeFromArray(np.zeros(SHAPE, np.int16), ijkToRAS=AXIAL)
        self.logic = new_logic(WideNetwork())
        self.logic.setVolume(self.volume)
        self.logic.nextSegment()
        self.models = {self.logic.segmentId: Model()}
        self.others = {}

    def teardown(self):
        self.logic.close()
        self.scene.Clear(False)
        gc.collect()
        self.surfaced.__exit__(None, None, None)

    @property
    def model(self):
        return self.models[self.logic.segmentId]

    @rule(voxel=voxels, positive=st.booleans())
    def click(self, voxel, positive):
        self.logic.addClick(lib.centreOf(self.volume, voxel), positive)
        self.model.do([*self.model.now, (voxel, positive)])

    @precondition(lambda self: self.model.now)
    @rule(n=which, voxel=voxels)
    def move(self, n, voxel):
        n %= len(self.model.now)
        self.logic.moveClick(self.id_of(n), lib.centreOf(self.volume, voxel))
        changed = list(self.model.now)
        changed[n] = (voxel, changed[n][1])
        self.model.do(changed)

    @precondition(lambda self: self.model.now)
    @rule(n=which)
    def delete(self, n):
        n %= len(self.model.now)
        self.logic.removeClick(self.id_of(n))
        self.model.do([*self.model.now[:n], *self.model.now[n + 1 :]])

    @precondition(lambda self: self.model.now)
    @rule(n=which)
    def change_sign(self, n):
        n %= len(self.model.now)
        voxel, positive = self.model.now[n]
        self.logic.pointsNode().SetNthControlPointSelected(n, not positive)
        self.logic.update()
        changed = list(self.model.now)
        changed[n] = (voxel, not positive)
        self.model.do(changed)

    @rule()
    def undo(self):
        self.logic.undo()
        self.model.undo()

    @rule()
    def redo(self):
        self.logic.redo()
        self.model.redo()

    @rule()
    def reset(self):
        self.logic.reset()
        self.model.do([])

    @rule()
    def next_segment(self):
        self.leave()
        self.models.setdefault(self.logic.nextSegment(), Model())

    @rule(n=which)
    def choose(self, n):
        self.leave()
        ids = sorted(self.models, key=list(self.models).index)
        self.logic.setSegment(ids[n % len(ids)])

    @rule()
    def remove_segment(self):
        if len(self.models) > 1:
            segment = self.logic.segmentId
            self.logic.segmentationNode.GetSegmentation().RemoveSegment(segment)
            del self.models[segment]
            self.logic.setSegment(next(iter(self.models)))

    def leave(self):
        self.others[self.logic.segmentId] = self.read(self.logic.segmentId)

    def id_of(self, n):
        return self.logic.pointsNode().GetNthControlPointID(n)

    def read(self, segment):
        return segments.readMask(self.logic.segmentationNode, segment, self.volume)

    @invariant()
    def the_points_are_those_of_the_model(self):
        there = points.read(self.logic.pointsNode(), self.volume)
        found = [
            (lib.voxelAt(self.volume, lib.worldOf(self.volume, p.ras)), p.positive) for p in there
        ]
        assert found == list(self.model.now)

    @invariant()
    def the_mask_is_that_of_the_points_alone(self):
        assert np.array_equal(self.read(self.logic.segmentId), expected(tuple(self.model.now)))

    @invariant()
    def other_segments_are_bit_for_bit_as_they_were_left(self):
        for segment in self.models:
            if segment != self.logic.segmentId:
                assert np.array_equal(self.read(segment), self.others[segment])

    @invariant()
    def no_node_is_left_over(self):
        kinds = {
            "vtkMRMLMarkupsFiducialNode": len(self.models),
            "vtkMRMLMarkupsFiducialDisplayNode": len(self.models),
            "vtkMRMLSegmentationNode": 1,
            "vtkMRMLSegmentEditorNode": 1,
        }
        assert {kind: self.scene.GetNumberOfNodesByClass(kind) for kind in kinds} == kinds
        assert not self.raised


class Model:
    """Lists of points that undo and redo walk over."""

    def __init__(self):
        self.past, self.now, self.future = [], [], []

    def do(self, new):
        if new != self.now:
            self.past.append(self.now)
            self.now, self.future = new, []

    def undo(self):
        if self.past:
            self.future.append(self.now)
            self.now = self.past.pop()

    def redo(self):
        if self.future:
            self.past.append(self.now)
            self.now = self.future.pop()


def expected(clicks, cache={}):  # noqa: B006 -- one for all examples
    """Ask the engine itself, without scene and history."""
    from fastsam3d.session import Session

    if clicks not in cache:
        session = Session(WideNetwork(), np.zeros(SHAPE, np.int16), AXIAL)
        for voxel_kji, positive in clicks:
            session.click(voxel_kji[::-1], positive=positive, space="ijk")
        cache[clicks] = session.mask
    return cache[clicks]


TestClicking = Clicking.TestCase
TestClicking.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
