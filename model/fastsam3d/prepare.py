"""Fill a pool of examples ahead of training, with several processes, resumably."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .data import Sources
from .examples import Example, Intensities
from .pool import Pool
from .shelf import CACHE_BYTES, StoredVolume, stored_volumes
from .synthetic import Random


class _Drawn(NamedTuple):
    """An example as another process sends it."""

    image: NDArray[np.uint8]
    objects: NDArray[np.uint8]
    targets: tuple[tuple[int, ...], ...]
    intensities: tuple[NDArray[np.float16], float, bool] | None

    @classmethod
    def of(cls, example: Example) -> "_Drawn":
        kept = example.intensities
        values = None if kept is None else (kept.values.numpy(), kept.unit, kept.is_ct)
        return cls(example.image.numpy(), example.objects.numpy(), example.targets, values)

    def received(self) -> Example:
        kept = None
        if self.intensities is not None:
            values, unit, is_ct = self.intensities
            kept = Intensities(torch.from_numpy(values), unit, is_ct)
        image, objects = torch.from_numpy(self.image), torch.from_numpy(self.objects)
        return Example(image, objects, self.targets, intensities=kept)


class _Worker:
    """What each process keeps: the sources it draws from."""

    sources: Sources
    seed: int

    @classmethod
    def start(cls, volumes: Sequence[StoredVolume], seed: int, spacing_mm: float | None) -> None:
        torch.set_num_threads(1)
        cls.sources = Sources(volumes, spacing_mm=spacing_mm)
        cls.seed = seed

    @classmethod
    def draw(cls, number: int) -> _Drawn:
        return _Drawn.of(cls.sources.draw(Random.seeded(cls.seed, number)))


def prepare(
    pool: Pool,
    count: int,
    manifest: Path,
    *,
    split: str | None = None,
    workers: int = 1,
    seed: int = 0,
    spacing_mm: float | None = None,
    cache_bytes: int = CACHE_BYTES,
) -> Iterator[int]:
    """Add examples to a pool until it holds `count`; yield how many it holds after each.

    An example depends on the seed and its number alone: an interrupted preparation goes on as if it
    had not been, and any number of workers prepares the same. A volume is read when it is drawn, so
    memory does not grow with the manifest.

    Args:
        pool: to be filled.
        count: of examples.
        manifest: of the volumes and label maps to draw from.
        split: only rows of this split.
        workers: processes, each of which keeps volumes of its own; 0 prepares in this one.
        seed: of the examples.
        spacing_mm: of `Sources`.
        cache_bytes: of volumes that a process keeps.

    Raises:
        InputError: an unusable manifest or file, or labels that are not those of their image.
    """
    todo = range(len(pool), count)
    if not todo:
        return
    volumes = stored_volumes(manifest, split=split, cache_bytes=cache_bytes)
    with _drawn(todo, workers, (volumes, seed, spacing_mm)) as examples:
        for drawn in examples:
            pool.append(drawn.received())
            yield len(pool)


@contextmanager
def _drawn(
    numbers: Iterable[int], workers: int, start: tuple[list[StoredVolume], int, float | None]
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
