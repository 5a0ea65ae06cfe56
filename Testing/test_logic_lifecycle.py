"""What happens to the work when what it is about goes away or changes."""

import gc
import threading
import weakref

import numpy as np
import pytest
import slicer

from FastSAM3DSlicerLib import points, segments, wording
from FastSAM3DSlicerLib import scene as lib
from FastSAM3DSlicerLib.binding import Lost
from FastSAM3DSlicerLib.errors import UserError
from harness import clicking, mrml
from harness.clicking import A, B, C, click, mask_of, new_logic, places
from harness.mrml import BallNetwork

events, logic, volume = clicking.events, clicking.slow_logic, clicking.volume
make_volume, scene = mrml.make_volume, mrml.scene


@pytest.mark.parametrize("during", [True, False])
def test_a_volume_that_is_removed_leaves_its_segments(logic, volume, scene, events, during):
    node, segment, before = logic.segmentationNode, logic.segmentId, mask_of(logic)
    happen(logic, events, lambda: scene.RemoveNode(volume), during)
    assert logic.volumeNode is None
    assert logic.status.message == Lost.VOLUME.text
    np.testing.assert_array_equal(segments.readMask(node, segment, volume), before)
    with pytest.raises(UserError, match="no volume"):
        logic.update()


@pytest.mark.parametrize("during", [True, False])
def test_after_its_segment_was_removed_the_next_click_makes_a_new_one(logic, scene, events, during):
    node, segment = logic.segmentationNode, logic.segmentId
    happen(logic, events, lambda: node.GetSegmentation().RemoveSegment(segment), during)
    assert logic.status.message == Lost.SEGMENT.text
    assert points.nodeOf(node, segment) is None
    click(logic, C)
    assert logic.segmentationNode is node
    assert logic.segmentId not in ("", segment)
    assert len(places(logic)) == 1


@pytest.mark.parametrize("during", [True, False])
def test_after_its_segmentation_was_removed_the_next_click_makes_a_new_one(
    logic, scene, events, during
):
    node = logic.segmentationNode
    happen(logic, events, lambda: scene.RemoveNode(node), during)
    assert logic.status.message == Lost.SEGMENTATION.text
    assert slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode") == []
    click(logic, C)
    assert logic.segmentationNode is not node
    assert mask_of(logic)[C]


@pytest.mark.parametrize("during", [True, False])
def test_a_closed_scene_is_begun_anew(logic, scene, events, during, make_volume):
    happen(logic, events, lambda: scene.Clear(False), during)
    assert logic.status.message == Lost.SCENE.text
    logic.setVolume(make_volume())
    click(logic, C)
    assert mask_of(logic)[C]
    assert len(places(logic)) == 1


def test_points_that_were_removed_as_a_node_leave_the_segment(logic, scene):
    before = mask_of(logic)
    points.remove(logic.pointsNode())
    assert logic.status.message == Lost.POINTS.text
    click(logic, C)
    after = mask_of(logic)
    assert after[C]
    assert len(places(logic)) == 1
    logic.undo()
    np.testing.assert_array_equal(mask_of(logic), before)


def happen(logic, events, what, during):
    """Let something happen during a click, or after it."""
    if during:
        events.next = what
        click(logic, B)
    else:
        click(logic, B)
        logic.undo()
        what()


@pytest.mark.parametrize("what", ["click", "ask", "come back"])
def test_an_image_that_is_removed_meanwhile_is_told_and_leaves_segment_and_points(
    logic, volume, events, what
):
    image, first, before = volume.GetImageData(), logic.segmentId, mask_of(logic)
    if what == "come back":
        logic.nextSegment()
        click(logic, C)
        logic.setSegment(first)
    there = lib.centreOf(volume, B)
    events.next = lambda: volume.SetAndObserveImageData(None)
    with pytest.raises(UserError, match="holds no voxels"):
        logic.showUncertainty() if what == "ask" else logic.addClick(there)
    volume.SetAndObserveImageData(image)
    np.testing.assert_array_equal(mask_of(logic), before)
    assert len(places(logic)) == 1
    logic.undo()
    assert not mask_of(logic).any()


def test_another_image_in_the_volume_keeps_the_segment_and_is_what_clicks_see(logic, volume):
    before = mask_of(logic)
    network = logic.engine.network()
    encoded = network.encoded
    slicer.util.arrayFromVolume(volume)[:] = 50
    slicer.util.arrayFromVolumeModified(volume)
    click(logic, C)
    assert network.encoded > encoded
    assert wording.imageChanged() in logic.status.message
    assert mask_of(logic)[C]
    assert mask_of(logic)[before].all()


def test_a_smaller_image_in_the_volume_keeps_what_lies_in_it(logic, volume):
    before = mask_of(logic)
    click(logic, C)
    logic.undo()
    slicer.util.updateVolumeFromArray(volume, np.zeros((10, 12, 14), np.int16))
    click(logic, (4, 4, 4))
    assert mask_of(logic).shape == (10, 12, 14)
    assert mask_of(logic)[4, 4, 4]
    assert len(places(logic)) == 1
    assert before[:10, :12, :14].sum() <= mask_of(logic).sum()


@pytest.fixture
def frames(scene, make_volume):
    """Return a browser over two volumes, one of 0 and one of 10, and the volume it shows."""
    sequences = slicer.vtkSlicerSequencesLogic()
    sequences.SetMRMLScene(scene)
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    for value in (0, 10):
        frame = make_volume(name=f"frame of {value}")
        slicer.util.arrayFromVolume(frame)[:] = value
        sequence.SetDataNodeAtValue(frame, str(value))
        scene.RemoveNode(frame)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.AddSynchronizedSequenceNode(sequence.GetID())
    sequences.UpdateAllProxyNodes()
    yield (
        lambda n: (browser.SetSelectedItemNumber(n), sequences.UpdateAllProxyNodes()),
        (browser.GetProxyNode(sequence)),
    )
    sequences.SetMRMLScene(None)


def test_the_frame_of_a_sequence_that_is_shown_is_segmented(frames):
    show, volume = frames
    network = BallNetwork()
    network.embed_patch = lambda patch: seen.append(float(patch.max()))
    logic, seen = new_logic(network), []
    logic.setVolume(volume)
    show(0)
    click(logic, A)
    assert set(seen) == {0}
    first = mask_of(logic)
    seen.clear()
    show(1)
    click(logic, C)
    assert min(seen) == pytest.approx(10)
    assert mask_of(logic)[first].all()
    logic.close()


def test_a_closed_logic_is_held_by_no_observer_and_has_no_thread(scene, make_volume):
    volume = make_volume()
    logic = new_logic()
    node, segment = logic.segment(volume, [lib.centreOf(volume, A)], [1])
    logic.close()
    gone = weakref.ref(logic)
    del logic
    gc.collect()
    assert gone() is None
    assert "FastSAM3D" not in {thread.name for thread in threading.enumerate()}
    assert segments.hasSegment(node, segment)
