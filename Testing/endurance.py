"""What must hold after every action of a random user, and once the scene is closed."""

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import slicer

from FastSAM3DSlicerLib import labelmap, points, scene, segments
from FastSAM3DSlicerLib.errors import UserError
from leftovers import Content, allocated_kb, contents, kinds, listened, memory_mb, objects
from randomuser import RandomUser
from surroundings import PET_OPACITY, is_in

KEEPS_ALL = {
    "next_segment",
    "go_back",
    "switch_volume",
    "replace_image",
    "import_segment",
    "delete_segment",
    "change_device",
    "hide_uncertainty",
    "show_pet",
    "update_surface",
}
"""Actions that must leave the segment in use as it was, too."""
CROWDED_MM = 12.0
"""A click nearer than this to one of the other sign may be smoothed away, or share its cell."""


def act(user: RandomUser) -> None:
    """Do something, and look whether it did what it should, and nothing else."""
    there = contents()
    with suppress(UserError):
        user.act()
    now = contents()
    for key in there.keys() & now.keys():
        if key not in user.touched or KEEPS_ALL.issuperset(user.done):
            assert now[key] == there[key], user.done
        elif user.refused and len(user.done) == 1:
            check_refused(user, there[key], now[key])
    check_click(user)
    check_outlying(user)
    check_views(user)


def check_refused(user: RandomUser, there: Content, now: Content) -> None:
    """Look whether a segment is as it was; of its points, those beyond the volume may be gone."""
    before, after = set(there.points or ()), set(now.points or ())
    voxels = [scene.voxelAt(user.logic.volumeNode, point.ras) for point in before - after]
    whole = scene.gridOf(user.logic.volumeNode).whole
    assert after <= before, user.done
    assert not any(is_in(voxel, whole) for voxel in voxels), user.done
    assert (now.voxels, now.name) == (there.voxels, there.name), user.done


def check_click(user: RandomUser) -> None:
    """Look whether a click counts, in the segment that it was made in."""
    if user.clicked is None:
        return
    (node_id, segment_id), volume_id, place, positive = user.clicked
    node, volume = (slicer.mrmlScene.GetNodeByID(each) for each in (node_id, volume_id))
    if volume is None or not segments.hasSegment(node, segment_id):
        return
    ras, voxel = scene.rasOf(volume, place), scene.voxelAt(volume, place)
    there = points.read(points.nodeOf(node, segment_id), volume)
    near = [point for point in there if np.allclose(point.ras, ras, atol=1e-3)]
    assert [point.positive for point in near[-1:]] == [positive], user.done
    options = user.logic.options
    away = [np.subtract(each.ras, ras) for each in there if each.positive != positive]
    crowded = any(np.linalg.norm(mm) < CROWDED_MM for mm in away)
    beyond = options.region is not None and not is_in(voxel, options.region)
    if not beyond and not crowded and (positive or not options.fillHoles):
        assert segments.readMask(node, segment_id, volume)[voxel] == positive, user.done


def check_outlying(user: RandomUser) -> None:
    """Look whether segments from elsewhere still hold what lies beyond the volumes."""
    for (node_id, segment_id), place in user.outlying.items():
        node = slicer.mrmlScene.GetNodeByID(node_id)
        if segments.hasSegment(node, segment_id):
            segment = node.GetSegmentation().GetSegment(segment_id)
            assert _is_at(segment, place), user.done


def check_views(user: RandomUser) -> None:
    """Look whether the views show over the volumes what the user wants, or uncertainty."""
    allowed = {(user.foreground, PET_OPACITY if user.foreground else 0.0)}
    shown = {(view.GetForegroundVolumeID(), view.GetForegroundOpacity()) for view in user.views}
    overlays = {overlay.GetID() for overlay in user.overlays}
    assert {each for each in shown if each[0] not in overlays} <= allowed, user.done


def check_nodes(user: RandomUser, empty: Counter[str]) -> None:
    """Compare the scene's nodes with what there has to be beside those of an empty scene."""
    there = user.logic.segmentationNode is not None
    clicked = sum(content.points is not None for content in contents().values())
    volumes = len(user.volumes) + 1 + len(user.overlays)
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
    assert kinds() == expected, user.done


@dataclass(frozen=True)
class Rest:
    """What is there while nothing happens and the scene is closed.

    Attributes:
        nodes: by class.
        observers: by node.
        objects: that live, by class.
        threads: that run.
        allocated_kb: by VTK, NumPy and other native code.
        process_mb: held by the process.
    """

    nodes: Counter[str]
    observers: Counter[str]
    objects: Counter[str]
    threads: int
    allocated_kb: float
    process_mb: float


def rest(user: RandomUser) -> Rest:
    """Begin anew with one click, close the scene, and look what is there."""
    user.perform("close_scene")
    user.perform("include")
    slicer.mrmlScene.Clear(False)
    user.settle()
    megabytes = memory_mb()
    return Rest(kinds(), listened(), objects(), threading.active_count(), allocated_kb(), megabytes)


def check_rest(before: Rest, after: Rest, growth_kb: float = float("inf")) -> None:
    """Compare what there is now with what there was before."""
    assert after.nodes == before.nodes
    assert after.observers == before.observers
    grown = after.objects - before.objects
    assert not grown, grown
    assert after.threads == before.threads
    assert after.allocated_kb - before.allocated_kb < growth_kb


def check_rests(before: Rest, later: list[Rest], growth_kb: float) -> None:
    """Compare several times: libraries keep megabytes once, what leaks grows each time."""
    for rest_before, rest_after in pairwise([before, *later]):
        check_rest(rest_before, rest_after)
    grown_kb = [after.allocated_kb - before.allocated_kb for before, after in pairwise(later)]
    assert min(grown_kb) < growth_kb, grown_kb


def _is_at(segment: Any, place: Any) -> bool:
    """Tell whether a segment holds a place, (r, a, s, 1)."""
    image = segment.GetRepresentation(segments.LABELMAP)
    i, j, k, _ = np.rint(np.linalg.inv(labelmap.toRasOf(image)) @ place).astype(int)
    at = tuple(np.subtract((k, j, i), labelmap.startOf(image)))
    array = labelmap.arrayOf(image)
    inside = all(0 <= n < length for n, length in zip(at, array.shape, strict=True))
    return inside and bool(array[at] == segment.GetLabelValue())
