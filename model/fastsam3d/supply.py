"""The examples that a command learns from, prepared once and kept in its folder."""

from pathlib import Path

from .bars import bar
from .console import aside
from .cube import SIZE
from .devices import is_first, wait_for_first
from .manifest import read_manifest
from .pool import Pool, claim_spacing
from .prepare import prepare
from .synthetic import GRID

EXAMPLES = "examples"
"""The folder of examples in that of a training."""

_BYTES = SIZE**3 + GRID**3
"""Of an example's patch and objects."""

_BYTES_OF_INTENSITIES = 2 * SIZE**3
"""Of what an example of one spacing keeps besides."""


def supply(
    folder: Path,
    count: int,
    manifest: Path,
    *,
    split: str | None,
    workers: int,
    seed: int,
    spacing_mm: float | None = None,
) -> Pool:
    """Prepare what is missing of `count` examples, in the first process; the others wait for it.

    Args:
        folder: of the training.
        count: of examples.
        manifest: as for `prepare.prepare`, as are the others.
        split: only rows of this split.
        workers: processes that prepare.
        seed: of the examples.
        spacing_mm: of every patch.

    Raises:
        InputError: an unusable manifest, a folder that cannot be written, or one with examples of
            another spacing.
    """
    read_manifest(manifest, split=split)
    claim_spacing(folder / EXAMPLES, spacing_mm)
    pool = Pool(folder / EXAMPLES)
    if not is_first():
        wait_for_first(lambda: len(pool) >= count)
        return pool
    if len(pool) < count:
        aside.print(announced(count, spacing_mm), soft_wrap=True)
    steps = prepare(
        pool, count, manifest, split=split, workers=workers, seed=seed, spacing_mm=spacing_mm
    )
    with bar("preparing examples", count) as show:
        for done in steps:
            show(done, f"{done} of {count}")
    return pool


def announced(count: int, spacing_mm: float | None) -> str:
    """Say how many examples will be prepared, and how much disk they take."""
    each = _BYTES if spacing_mm is None else _BYTES + _BYTES_OF_INTENSITIES
    megabytes = count * each / 1e6
    size = f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.0f} GB"
    several = "" if count == 1 else "s"
    return f"{count} example{several}, some {size} on disk; --examples changes it."
