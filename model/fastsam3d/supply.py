"""The examples that a command learns from, prepared once and kept in its folder."""

from pathlib import Path

from .bars import bar
from .devices import is_first, wait_for_first
from .manifest import read_manifest
from .pool import Pool, claim_spacing
from .prepare import prepare

EXAMPLES = "examples"
"""The folder of examples in that of a training."""


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
    steps = prepare(
        pool, count, manifest, split=split, workers=workers, seed=seed, spacing_mm=spacing_mm
    )
    with bar("preparing examples", count) as show:
        for done in steps:
            show(done, f"{done} of {count}")
    return pool
