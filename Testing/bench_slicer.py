"""Time from a click to the pixel: through the panel, the scene and three slice views.

The mouse button is released in a view without a window, and the clock stops when the last frame
that follows from it is complete.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import slicer

from bench_networks import default_network
from bench_session import CENTRES_IJK, IJK_TO_RAS, Centre, Counted, beside, volume
from bench_timing import Row, apart
from desk import Desk, Place
from fastsam3d.geometry import Patch
from fastsam3d.sight import Sight
from FastSAM3DSlicerLib import masking, scene
from FastSAM3DSlicerLib.editing import Editing
from harness.surfaced import surfaced
from harness.views import SliceView

VIEW_PIXELS = (640, 480)
"""About what a slice view has of a full HD screen in Slicer's usual layout."""
IN_OBJECT = (60.0, 200.0)
"""Intensities of the balls in the volume."""

Mask = Callable[[Any], None]
"""Asks for masking at a segment editor node."""


@dataclass(frozen=True)
class Click:
    """What one click took, ms, and how often it encoded."""

    ms: float
    write_ms: float
    draw_ms: float
    decode_ms: float
    encodings: int


@dataclass(frozen=True)
class Player:
    """Clicks twice on each object, each a segment of one segmentation."""

    desk: Desk
    network: Counted

    def play(
        self, centres: tuple[Centre, ...] = CENTRES_IJK, mask: Mask = lambda editor: None
    ) -> tuple[list[Click], list[Click]]:
        """Return the first clicks and the second ones, made under a mask."""
        self.desk.begin()
        mask(masking.editorNode(self.desk.logic.segmentationNode, self.desk.volume))
        games = [self._twice(centre) for centre in centres]
        return [first for first, _ in games], [second for _, second in games]

    def _twice(self, centre: Centre) -> tuple[Click, Click]:
        i, j, k = centre
        aside_i, aside_j, _ = beside(centre)
        place = scene.centreOf(self.desk.volume, (k, j, i))
        self.desk.look_at(place)
        first = self._click(place)
        second = self._click(scene.centreOf(self.desk.volume, (k, aside_j, aside_i)))
        self.desk.next_segment()
        return first, second

    def _click(self, place: Place) -> Click:
        before = self.network.encodings
        writes, frames = list[float](), list[float]()
        self.desk.press(place)
        with (
            patch.object(Editing, "write", timed(Editing.write, writes)),
            patch.object(SliceView, "render", timed(SliceView.render, frames)),
        ):
            ms = self.desk.release(place)
        if not writes:
            raise RuntimeError(f"The click at {place} wrote nothing: {self.desk.logic.status}.")
        decode_ms = self.desk.logic.status.decodeMs
        encodings = self.network.encodings - before
        return Click(ms, sum(writes), sum(frames), decode_ms, encodings)


def rows() -> Iterator[Row]:
    """Time clicks with the embedding kept and encoded anew, without masking and with it."""
    network = Counted(*apart(default_network))
    with surfaced():
        desk = Desk(volume(), IJK_TO_RAS, network, VIEW_PIXELS)
        yield from rows_of(Player(desk, network))
        desk.close()


def rows_of(player: Player) -> Iterator[Row]:
    player.play(CENTRES_IJK[:1])
    firsts, seconds = player.play()
    with patch.object(Sight, "_embedding", forgetful(Sight._embedding)):
        _, again = player.play()
    kept = [click for click in seconds if not click.encodings] or seconds
    ours, plain = (median(click.ms for click in clicks) for clicks in (kept, again))
    said = note(player, kept, seconds)
    yield Row("second click to pixel", ours, plain, limit=90, note=said)
    yield Row("frames in it", median(click.draw_ms for click in kept))
    yield Row("MRML write in it", median(click.write_ms for click in kept), limit=15)
    yield Row("first click to pixel", median(click.ms for click in firsts), limit=350)
    for what, mask in (("intensity range", ranged), ("editable area", outside)):
        _, masked = player.play(mask=mask)
        yield Row(f"MRML write, {what}", median(click.write_ms for click in masked))


def forgetful(embedding: Callable[[Sight, Patch], Any]) -> Callable[[Sight, Patch], Any]:
    """Return what encodes a patch each time that it is looked at."""

    def encode(looking: Sight, patch: Patch) -> Any:
        looking._embeddings.clear()
        return embedding(looking, patch)

    return encode


def ranged(editor: Any) -> None:
    """Let only voxels change that are as bright as the objects."""
    editor.SetSourceVolumeIntensityMask(True)
    editor.SetSourceVolumeIntensityMaskRange(*IN_OBJECT)


def outside(editor: Any) -> None:
    """Let only voxels change that are in no other segment."""
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)


def timed(action: Callable[..., Any], times: list[float]) -> Callable[..., Any]:
    """Return an action that keeps the ms of each run."""

    def run(*args: Any) -> Any:
        began = perf_counter()
        try:
            return action(*args)
        finally:
            times.append(1000 * (perf_counter() - began))

    return run


def note(player: Player, kept: list[Click], seconds: list[Click]) -> str:
    """Say what the second click was measured on."""
    views = player.desk.views
    width, height = VIEW_PIXELS
    parts = [
        "from the release of the mouse to the last frame in 512 x 512 x 200",
        f"{len(views)} slice views of {width} x {height} drawn by {renderer(views['Red'])}",
        f"{cores()} cores, CPU; {median(click.decode_ms for click in kept):.0f} ms is decoding",
        "plain: encoded again at every click",
    ]
    if moved := len(seconds) - len(kept):
        parts.append(f"{moved} of {len(seconds)} clicks moved the patch and are left out")
    return "; ".join(parts)


def renderer(view: Any) -> str:
    """Name what draws a view."""
    lines = view.window.ReportCapabilities().splitlines()
    names = [line.partition(":  ")[2] for line in lines if "renderer string" in line]
    return names[0].partition(" (")[0] if names else "an unnamed renderer"


def cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
