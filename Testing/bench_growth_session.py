"""Growth of a session with the size of its volume, and with the clicks on one object."""

import tracemalloc
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench_geometry import Centre, Shape, balls
from bench_growth import Curve, Fresh, Panel, freshly, most_mb
from bench_networks import default_network
from bench_session import IJK_TO_RAS, RADIUS_MM, Counted, Scene, beside
from bench_timing import milliseconds, once
from fastsam3d.session import Session

SHAPES_KJI: tuple[Shape, ...] = (
    (128, 128, 128),
    (256, 256, 256),
    (200, 512, 512),
    (512, 512, 512),
    (1024, 512, 512),
)
CLICKS = (5, 10, 15, 20, 25, 30)
GAMES = 3


def volumes(shapes_kji: Sequence[Shape] = SHAPES_KJI, fresh: Fresh = freshly) -> Panel:
    """Measure clicks on one ball in volumes of several sizes."""
    network = Counted(*default_network())
    sizes = [float(np.prod(shape)) / 1e6 for shape in shapes_kji]
    times = zip(*(times_in(scene_in(network, shape)) for shape in shapes_kji), strict=True)
    first, second, sampling = times
    megabytes = [fresh(megabytes_in, shape) for shape in shapes_kji]
    return Panel(
        "Volume",
        "million voxels",
        tuple(map(name_of, shapes_kji)),
        (
            Curve.of("first click", "ms", sizes, first),
            Curve.of("second click", "ms", sizes, second),
            Curve.of("sampling", "ms", sizes, sampling),
            Curve.of("five clicks", "MB", sizes, megabytes),
        ),
    )


def clicks(numbers: Sequence[int] = CLICKS, shape_kji: Shape = SHAPES_KJI[2]) -> Panel:
    """Measure many clicks on one ball; a time is that of the clicks since the number before."""
    scene = scene_in(Counted(*default_network()), shape_kji)
    games = [[ms for _, ms in game(scene, numbers[-1], seed)] for seed in range(GAMES)]
    times = [
        median(ms for played in games for ms in played[start:stop])
        for start, stop in zip((0, *numbers), numbers, strict=False)
    ]
    return Panel(
        "Clicks",
        "clicks on one object",
        tuple(map(str, numbers)),
        (
            Curve.of("next click", "ms", numbers, times),
            Curve.of("kept to undo", "MB", numbers, list(megabytes_after(scene, numbers))),
        ),
    )


def name_of(shape_kji: Shape) -> str:
    k, j, i = shape_kji
    if i != j:
        return f"{i} x {j} x {k}"
    return f"{i}³" if j == k else f"{i}² x {k}"


def scene_in(network: Counted, shape_kji: Shape) -> Scene:
    return Scene(network, balls(shape_kji, [middle(shape_kji)], RADIUS_MM), IJK_TO_RAS)


def middle(shape_kji: Sequence[int]) -> Centre:
    k, j, i = (length // 2 for length in shape_kji)
    return i, j, k


def times_in(scene: Scene) -> tuple[float, float, float]:
    """Return the ms of a first click, of a second one, and of sampling its patch."""
    centre = middle(scene.scan.shape)
    first = milliseconds(partial(scene.first_click, centre), 3)
    session = scene.first_click(centre)
    seconds = []
    for _ in range(6):
        seconds.append(once(partial(session.click, beside(centre), space="ijk")))
        session.undo()
    patch = session.patch
    assert patch is not None, "there was a click"
    sampling = milliseconds(partial(patch.sample, scene.scan, scene.ijk_to_ras))
    return first, median(seconds[1:]), sampling


def megabytes_in(shape_kji: Shape) -> float:
    """Return the MB that five clicks take at most, beyond the volume and the network."""
    scene = scene_in(Counted(*default_network()), shape_kji)

    def play() -> None:
        for session, _ in game(scene, 5):
            session.undo()
            session.redo()

    return most_mb(play)


def megabytes_after(scene: Scene, numbers: Sequence[int]) -> Iterator[float]:
    """Yield the MB that a session holds after so many clicks, beyond what it did after the first.

    Embeddings do not count.
    """
    for number, _ in enumerate(game(scene, numbers[-1]), 1):
        if number == 1:
            tracemalloc.start()
        if number in numbers:
            yield tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()


def game(scene: Scene, count: int, seed: int = 0) -> Iterator[tuple[Session, float]]:
    """Yield a session after each of its clicks, with the ms of the click."""
    session = Session(scene.network, scene.scan, scene.ijk_to_ras)
    for point, positive in aims(scene.scan.shape, count, seed):
        action = partial(session.click, point, positive=positive, space="ijk")
        yield session, once(action)


def aims(
    shape_kji: tuple[int, ...], count: int, seed: int
) -> Iterator[tuple[NDArray[np.float64], bool]]:
    """Yield where to click and whether to include: in the ball, now and then just outside."""
    rng = np.random.default_rng(seed)
    centre, spacing = middle(shape_kji), np.diag(IJK_TO_RAS)[:3]
    yield np.array(centre, float), True
    for number in range(1, count):
        positive = number % 3 > 0
        aside = rng.normal(size=3)
        aside *= RADIUS_MM * (rng.uniform(0.2, 0.8) if positive else 1.1) / np.linalg.norm(aside)
        point = centre + aside / spacing
        yield point.clip(0, np.subtract(shape_kji[::-1], 1)), positive
