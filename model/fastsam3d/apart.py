"""Which rows of a manifest are kept apart from learning, by patient, and patches of them."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

from .data import Sources, TrainingVolume, read_training_volume
from .examples import Example
from .manifest import Row, groups_text, labels_text
from .synthetic import Random
from .whole import write_text

VALIDATION = "val"
_PATIENTS = 0.1
"""The share of a folder's patients that is kept apart."""

_FEW = 5
"""A folder of fewer patients keeps none apart, unless no folder has more."""

_TRIES = 20
_APART = 5
"""Told apart from the random numbers of the examples that are learnt from."""

_COLUMNS = ("case", "patient", "image", "label", "modality", "split", "labels_voxels", "groups")


@dataclass(frozen=True)
class OfPatient(Example):
    """An example that tells whose it is.

    patient: the row's folder and its patient.
    """

    patient: tuple[str, str]


def parted(rows: Sequence[Row], split: str | None = None) -> tuple[list[Row], list[Row]]:
    """Part rows into those to learn from and those to measure with; no patient or image is in both.

    What is kept apart is labelled: the split "val" if there is one, else a tenth of the patients of
    each folder; nothing if there is one patient alone.

    Args:
        rows: of a manifest, all of them.
        split: learn only from rows of this split.
    """
    own = [row for row in rows if split is None or row.split == split]
    labelled = [row for row in own if row.image and row.label]
    for apart in (_validation(rows, split), _some_patients(labelled)):
        patients, images = {row.patient for row in apart}, {row.image for row in apart}
        rest = [row for row in own if row.patient not in patients and row.image not in images]
        if apart and rest:
            return rest, apart
    return own, []


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as a manifest of their own, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_COLUMNS)
    for row in rows:
        image, label = (each and each.absolute() for each in (row.image, row.label))
        about = (row.case, row.patient, image, label, row.modality, row.split)
        table.writerow([*about, labels_text(row.labels), groups_text(row.groups)])
    write_text(path, text.getvalue())


def patches(rows: Sequence[Row], seed: int, spacing_mm: float | None) -> Iterator[OfPatient]:
    """Cut labelled patches, one a volume, over and over; the same with the same seed.

    It ends only if no volume yields anything.

    Args:
        rows: with image and label.
        seed: of the patches.
        spacing_mm: of every patch; None lets the object decide.
    """
    rows = sorted(rows, key=lambda row: _hash(row.case))
    for turn in count():
        found = 0
        for place, row in enumerate(rows):
            random = Random.seeded(seed, turn, place, _APART)
            example = _cut(read_training_volume(row), random, spacing_mm)
            if example is not None:
                found += 1
                whose = (row.folder, row.patient)
                yield OfPatient(
                    example.image,
                    example.objects,
                    example.targets,
                    whose,
                    intensities=example.intensities,
                )
        if not found:
            return


class _Labelled(Sources):
    """Sources of which only real patches with real labels are wanted."""

    def cut(self, random: Random) -> Example:
        """Cut one, which may hold no object of use."""
        return self._labelled(random)


def _cut(volume: TrainingVolume, random: Random, spacing_mm: float | None) -> Example | None:
    if not volume.has_objects:
        return None
    source = _Labelled([volume], spacing_mm=spacing_mm)
    tries = (source.cut(random) for _ in range(_TRIES))
    return next((example for example in tries if example.targets), None)


def _validation(rows: Sequence[Row], split: str | None) -> list[Row]:
    if split == VALIDATION:
        return []
    return [row for row in rows if row.split == VALIDATION and row.image and row.label]


def _some_patients(rows: Sequence[Row]) -> list[Row]:
    folders: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        folders[row.folder].add(row.patient)
    chosen = {name for patients in folders.values() for name in _a_share(patients)}
    everyone = sorted({row.patient for row in rows}, key=_hash)
    if not chosen and len(everyone) > 1:
        chosen = {everyone[0]}
    return [row for row in rows if row.patient in chosen]


def _a_share(patients: set[str]) -> list[str]:
    if len(patients) < _FEW:
        return []
    return sorted(patients, key=_hash)[: max(1, round(_PATIENTS * len(patients)))]


def _hash(name: str) -> str:
    return sha256(name.encode()).hexdigest()
