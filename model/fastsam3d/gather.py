"""The examples of a distillation: those to learn from, and those kept apart to measure with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .apart import parted, write_rows
from .claim import check_holder
from .devices import is_first, wait_for_first
from .errors import InputError
from .examples import Example
from .featurecache import Examples
from .folders import make_folder
from .heldout import keep, kept_in
from .manifest import TRAINING, Row, read_manifest, split_to_learn_from
from .pool import TARGETS, Pool, check_spacing, claim_spacing
from .supply import EXAMPLES, supply

DATA, HELD_OUT, LEARNT = "data", "heldout", "learnt"
"""What a folder holds: a prepared dataset, examples kept apart, the manifest of what is learnt."""

_SHARE = 5
"""Of a folder of examples without others beside it, one in so many is kept apart at most."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    source: a manifest, a public dataset's folder that `fastsam3d prepare` reads, or a folder of
        examples or with examples, such as an earlier training's.
    folder: for what is prepared.
    examples: to learn from; of a folder of examples, all there are.
    held_out: examples to keep apart; 0 keeps none.
    split, workers, seed, spacing_mm: as `prepare.prepare`.
    """

    source: Path
    folder: Path
    examples: int
    held_out: int
    split: str | None = None
    workers: int = 1
    seed: int = 0
    spacing_mm: float | None = None


class Gathered(NamedTuple):
    """Examples to learn from, examples kept apart, and in words how they are."""

    learnt: Examples
    held_out: Examples
    how: str


class Part:
    """Some of many examples, in a row."""

    def __init__(self, examples: Examples, numbers: range) -> None:
        self._examples, self._numbers = examples, numbers

    def __len__(self) -> int:
        """Count them."""
        return len(self._numbers)

    def __getitem__(self, index: int) -> Example:
        """Return one."""
        return self._examples[self._numbers[index]]


def gather(wanted: Wanted) -> Gathered:
    """Prepare what is missing, in the first process; the others wait for it.

    Raises:
        InputError: an unusable source or folder.
    """
    if (folder := examples_in(wanted.source)) is not None:
        return _from_examples(folder, wanted)
    manifest, split = _manifest(wanted)
    rows = read_manifest(manifest, split=split)
    apart = list[Row]()
    if wanted.held_out:
        rows, apart = parted(read_manifest(manifest), split)
    return _by_patient(wanted, rows, apart) if apart else _by_example(wanted, manifest, split)


def check_source(source: Path) -> None:
    """Refuse a source that is not there, before anything is made.

    Raises:
        InputError: there is no such file or folder.
    """
    if not source.exists():
        raise InputError(
            f"There is no {source}; give a manifest, a dataset's folder or a folder of examples."
        )


def check_folder(note: Path) -> None:
    """Refuse a folder whose examples are of another command, unless this note is there already.

    Raises:
        InputError: they are.
    """
    check_holder(note)
    if is_first() and not note.exists() and examples_in(note.parent) is not None:
        raise InputError(
            f"{note.parent} holds examples that another command prepared; choose another folder."
        )


def examples_in(source: Path) -> Path | None:
    """Return the folder of examples that a source is or holds; None if it is something else."""
    return next((f for f in (source, source / EXAMPLES) if (f / TARGETS).is_file()), None)


def once(work: Callable[[], None], is_done: Callable[[], bool]) -> None:
    """Do what one process alone may do; the others wait until it is done."""
    if is_first():
        work()
    else:
        wait_for_first(is_done)


def _from_examples(folder: Path, wanted: Wanted) -> Gathered:
    check_spacing(folder, wanted.spacing_mm)
    pool, beside = Pool(folder), folder.parent / HELD_OUT
    if (beside / TARGETS).is_file():
        held_out = Pool(beside)
        part = Part(held_out, range(min(wanted.held_out, len(held_out))))
        return Gathered(pool, kept_in(beside, len(part)) or part, "of other patients")
    if len(pool) < 2:
        raise InputError(f"{folder} holds {len(pool)} examples; prepare at least 2.")
    apart = min(wanted.held_out, max(1, len(pool) // _SHARE))
    return _cut_off(pool, len(pool) - apart, apart)


def _by_example(wanted: Wanted, manifest: Path, split: str | None) -> Gathered:
    count = wanted.examples + wanted.held_out
    pool = _supplied(wanted, count, manifest, split)
    return _cut_off(pool, wanted.examples, wanted.held_out)


def _cut_off(pool: Pool, learnt: int, apart: int) -> Gathered:
    kept = Part(pool, range(learnt, learnt + apart))
    how = "other patches than those learnt from, but maybe of the same patients"
    return Gathered(Part(pool, range(learnt)), kept, how)


def _by_patient(wanted: Wanted, rows: list[Row], apart: list[Row]) -> Gathered:
    manifest = wanted.folder / f"{LEARNT}.csv"

    def write() -> None:
        make_folder(wanted.folder)
        write_rows(wanted.folder / f"{HELD_OUT}.csv", apart)
        write_rows(manifest, rows)

    once(write, manifest.is_file)
    pool = _supplied(wanted, wanted.examples, manifest, None)
    claim_spacing(wanted.folder / HELD_OUT, wanted.spacing_mm)
    held_out: Examples = Pool(wanted.folder / HELD_OUT)
    if is_first():
        held_out = keep(
            Pool(wanted.folder / HELD_OUT), apart, wanted.held_out, wanted.seed, wanted.spacing_mm
        )
    patients = len({row.patient for row in apart})
    return Gathered(pool, held_out, f"of {patients} patients, none of whom was learnt from")


def _supplied(wanted: Wanted, count: int, manifest: Path, split: str | None) -> Pool:
    return supply(
        wanted.folder,
        count,
        manifest,
        split=split,
        workers=wanted.workers,
        seed=wanted.seed,
        spacing_mm=wanted.spacing_mm,
    )


def _manifest(wanted: Wanted) -> tuple[Path, str | None]:
    """Return the source's manifest and the split to take; prepare a dataset first."""
    if wanted.source.is_file() or (wanted.source / "manifest.csv").is_file():
        return wanted.source, split_to_learn_from(wanted.source, wanted.split)
    from .dataset_command import run as prepare_dataset
    from .dataset_prepare import MANIFEST, Request

    folder = wanted.folder / DATA

    def work() -> None:
        prepare_dataset(Request(wanted.source, folder, workers=wanted.workers))

    once(work, (folder / MANIFEST).is_file)
    return folder / MANIFEST, wanted.split or TRAINING
