"""Fill a pool of examples ahead of training, with several processes, resumably."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .data import Sources, read_training_volumes
from .examples import Example
from .pool import Pool
from .synthetic import Random


class _Drawn(NamedTuple):
    """An example as another process sends it."""

    image: NDArray[np.uint8]
    objects: NDArray[np.uint8]
    targets: tuple[tuple[int, ...], ...]


class _Worker:
    """What each process keeps: the sources it draws from."""

    sources: Sources
    seed: int

    @classmethod
    def start(cls, manifest: Path, split: str | None, seed: int, spacing_mm: float | None) -> None:
        torch.set_num_threads(1)
        volumes = read_training_volumes(manifest, split=split)
        cls.sources = Sources(volumes, spacing_mm=spacing_mm)
        cls.seed = seed

    @classmethod
    def draw(cls, number: int) -> _Drawn:
        example = cls.sources.draw(Random.seeded(cls.seed, number))
        return _Drawn(example.image.numpy(), example.objects.numpy(), example.targets)


def prepare(
    pool: Pool,
    count: int,
    manifest: Path,
    *,
    split: str | None = None,
    workers: int = 1,
    seed: int = 0,
    spacing_mm: float | None = None,
) -> Iterator[int]:
    """Add examples to a pool until it holds `count`; yield how many it holds after each.

    An example depends on the seed and its number alone: an interrupted preparation goes on as if it
    had not been, and any number of workers prepares the same.

    Args:
        pool: to be filled.
        count: of examples.
        manifest: of the volumes and label maps to draw from.
        split: only rows of this split.
        workers: processes, each of which holds the volumes; 0 prepares in this one.
        seed: of the examples.
        spacing_mm: of `Sources`.

    Raises:
        InputError: an unusable manifest or file.
    """
    todo = range(len(pool), count)
    if not todo:
        return
    with _drawn(todo, workers, (manifest, split, seed, spacing_mm)) as examples:
        for image, objects, targets in examples:
            pool.append(Example(torch.from_numpy(image), torch.from_numpy(objects), targets))
            yield len(pool)


@contextmanager
def _drawn(
    numbers: Iterable[int], workers: int, start: tuple[Path, str | None, int, float | None]
) -> Iterator[Iterable[_Drawn]]:
    """Lend the examples of these numbers, in order."""
    if not workers:
        threads = torch.get_num_threads()
        _Worker.start(*start)
        torch.set_num_threads(threads)
        yield map(_Worker.draw, numbers)
        return
    with get_context("spawn").Pool(workers, _Worker.start, start) as processes:
        yield processes.imap(_Worker.draw, numbers)
