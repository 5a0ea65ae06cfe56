"""Examples kept apart to measure with, and whose they are: patients are counted, not patches."""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .apart import patches
from .bars import bar
from .examples import Example
from .featurecache import Examples
from .manifest import Row
from .pool import Pool
from .stats import Patients
from .whole import write_text

PATIENTS = "patients.json"
"""Beside the examples: the folder and the patient of each, in their order."""


class Kept:
    """Examples, each with the folder and the patient that it comes from."""

    def __init__(self, examples: Examples, patients: Sequence[tuple[str, str]]) -> None:
        self._examples, self.patients = examples, patients

    def __len__(self) -> int:
        """Count them."""
        return len(self.patients)

    def __getitem__(self, index: int) -> Example:
        """Return one."""
        return self._examples[range(len(self))[index]]


class Units(NamedTuple):
    """What a test over examples counts, and what that is called."""

    patients: Patients
    called: str


def keep(
    pool: Pool, rows: Sequence[Row], count: int, seed: int, spacing_mm: float | None
) -> Examples:
    """Prepare what is missing of `count` examples of some rows, as `apart.patches` cuts them.

    Raises:
        InputError: a volume cannot be read, or a file not be written.
    """
    there = len(pool)
    if there < count or len(_noted(pool.folder)) < count:
        drawn, patients = patches(rows, seed, spacing_mm), list[tuple[str, str]]()
        with bar("preparing held-out examples", count) as show:
            for number, example in enumerate(islice(drawn, count)):
                if number >= there:
                    pool.append(example)
                patients.append(example.patient)
                show(number + 1, f"{number + 1} of {count}")
        write_text(pool.folder / PATIENTS, json.dumps(patients) + "\n")
    return kept_in(pool.folder) or pool


def kept_in(folder: Path, count: int | None = None) -> Kept | None:
    """Return the first `count` examples of a folder; None if their patients are not known."""
    pool, patients = Pool(folder), _noted(folder)
    wanted = min(len(pool), len(pool) if count is None else count)
    return Kept(pool, patients[:wanted]) if 0 < wanted <= len(patients) else None


def units_of(examples: Examples) -> Units:
    """Return the patients of examples kept apart, or each by itself where they are not known."""
    if isinstance(examples, Kept):
        return Units(Patients.of(examples.patients), "patients")
    each = Patients.of([("", str(number)) for number in range(len(examples))])
    return Units(each, "examples, whose patients are not known")


def _noted(folder: Path) -> list[tuple[str, str]]:
    try:
        noted = json.loads((folder / PATIENTS).read_text(encoding="utf-8"))
        return [(str(place), str(patient)) for place, patient in noted]
    except (OSError, ValueError, TypeError):
        return []
