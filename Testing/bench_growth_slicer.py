"""Growth with the segments of a segmentation, through the panel, the scene and three views."""

from collections.abc import Iterator, Sequence
from itertools import product
from statistics import median

import slicer

from bench_geometry import Centre, balls
from bench_growth import Curve, Fresh, Panel, freshly
from bench_networks import default_network
from bench_session import IJK_TO_RAS, SHAPE_KJI, Counted
from bench_slicer import VIEW_PIXELS, Player
from bench_timing import apart
from desk import Desk, Place
from FastSAM3DSlicerLib import scene
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from harness import headless
from harness.surfaced import surfaced
from leftovers import memory_mb

NUMBERS = (1, 5, 10, 20, 40)
RADIUS_MM = 20.0
CENTRES_IJK: tuple[Centre, ...] = tuple(
    (i, j, k) for k, j, i in product((35, 100, 165), (64, 192, 320, 448), (64, 192, 320, 448))
)
BESIDE_IJK = ((12, -8), (12, -4), (12, 0), (12, 4), (12, 8))


def segments(numbers: Sequence[int] = NUMBERS, fresh: Fresh = freshly) -> Panel:
    """Measure clicks where there are segments already, each a ball of its own."""
    to_pixel, write, drawn = zip(*fresh(clicked_beside, numbers), strict=True)
    return Panel(
        "Segments",
        "segments there before",
        tuple(map(str, numbers)),
        (
            Curve.of("click to pixel", "ms", numbers, to_pixel),
            Curve.of("write", "ms", numbers, write),
            Curve.of("with views", "MB", numbers, drawn),
            Curve.of("without views", "MB", numbers, fresh(megabytes_beside, numbers)),
        ),
    )


class Crowd(Player):
    """Fills a segmentation, ball by ball."""

    def fill(self, numbers: Sequence[int]) -> Iterator[tuple[float, float, float]]:
        """Yield the ms to the pixel and of the write, and the MB since there was one segment."""
        self.desk.begin()
        before = 0.0
        for number, centre in enumerate(CENTRES_IJK[: numbers[-1] + 1]):
            self.desk.look_at(place_of(self.desk.volume, centre))
            self._click(place_of(self.desk.volume, centre))
            before = before or memory_mb()
            if number in numbers:
                yield *self._clicks_beside(centre), memory_mb() - before
            self.desk.next_segment()

    def _clicks_beside(self, centre: Centre) -> tuple[float, float]:
        i, j, k = centre
        places = [place_of(self.desk.volume, (i + x, j + y, k)) for x, y in BESIDE_IJK]
        clicks = [self._click(place) for place in places]
        kept = [click for click in clicks if not click.encodings] or clicks
        return median(click.ms for click in kept), median(click.write_ms for click in kept)


def clicked_beside(numbers: Sequence[int]) -> list[tuple[float, float, float]]:
    """Return what `Crowd.fill` yields."""
    network = Counted(*apart(default_network))
    with surfaced():
        desk = Desk(balls(SHAPE_KJI, CENTRES_IJK, RADIUS_MM), IJK_TO_RAS, network, VIEW_PIXELS)
        found = list(Crowd(desk, network).fill(numbers))
        desk.close()
    return found


def megabytes_beside(numbers: Sequence[int]) -> list[float]:
    """Return the MB since there was one segment, without panel and views."""
    headless.start()
    scan = balls(SHAPE_KJI, CENTRES_IJK, RADIUS_MM)
    volume = slicer.util.addVolumeFromArray(scan, ijkToRAS=IJK_TO_RAS, name="scan")
    network = Counted(*apart(default_network))
    logic = FastSAM3DSlicerLogic(lambda preset, device: network)
    logic.setVolume(volume)
    found = []
    for centre in CENTRES_IJK[: numbers[-1] + 1]:
        logic.addClick(place_of(volume, centre))
        found.append(memory_mb())
        logic.nextSegment()
    return [max(0.0, found[number] - found[0]) for number in numbers]


def place_of(volume: slicer.vtkMRMLScalarVolumeNode, centre: Centre) -> Place:
    """Return where a voxel is in the world."""
    return scene.centreOf(volume, centre[::-1])
