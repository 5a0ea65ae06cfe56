"""One item of a dataset: read, checked, resampled, written; whole, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from .dataset_item import Channel, Item, LeftOut
from .dataset_labels import read_item_labels, without_small
from .dataset_resample import (
    INTERPOLATIONS,
    Grid,
    counts_of,
    resample_image,
    resample_labels,
    round_trip,
    same_place,
    unreadable,
)
from .errors import InputError
from .images import Volume, read_volume
from .masks import write_image
from .samegrid import check_on_grid
from .trust import sha256_of
from .whole import write_whole

LOW_DICE = 0.5
"""A structure that overlaps itself by less after the round trip is named in the report."""


@dataclass(frozen=True)
class Resampling:
    """How images and labels are brought to cubic voxels."""

    spacing_mm: float = 1.5
    interpolation: str = "linear"

    def __post_init__(self) -> None:
        if not 0.1 <= self.spacing_mm <= 20:
            raise InputError(f"Got a spacing of {self.spacing_mm:g} mm; give one from 0.1 to 20.")
        if self.interpolation not in INTERPOLATIONS:
            raise InputError(
                f"Got the interpolation {self.interpolation!r}; expected one of "
                f"{', '.join(INTERPOLATIONS)}."
            )


@dataclass(frozen=True)
class Written:
    """A file that was written, below the prepared folder."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    images: the file of each case, by the case's name.
    labels: name and voxels of each value in the resampled label map.
    failed: a file could not be written.
    """

    name: str
    images: dict[str, Written] = field(default_factory=dict)
    label: Written | None = None
    labels: dict[int, tuple[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    failed: bool = False


class CannotWriteError(InputError):
    """A file could not be written, for want of room or permission."""


def prepare_item(item: Item, out: Path, folder: str, resampling: Resampling) -> Outcome:
    """Prepare one item, and never fail: what cannot be used is left out with its reason.

    Args:
        item: to be prepared.
        out: the prepared dataset.
        folder: in it, for the files.
        resampling: to which voxels, and how.
    """
    try:
        return _prepare(item, out, folder, resampling)
    except CannotWriteError as error:
        return unwritten(item, error)
    except MemoryError:
        reason = "too large for this computer's memory"
    except (InputError, OSError, RuntimeError) as error:
        reason = _line(error)
    return Outcome(item.name, left_out=(LeftOut(item.name, reason),))


def unwritten(item: Item, error: Exception) -> Outcome:
    """Say of an item that a file of it could not be written."""
    return Outcome(item.name, left_out=(LeftOut(item.name, _line(error)),), failed=True)


def _prepare(item: Item, out: Path, folder: str, resampling: Resampling) -> Outcome:
    left_out: list[LeftOut] = []
    scans = dict(_readable(item.channels, left_out))
    if not scans:
        return Outcome(item.name, left_out=tuple(left_out))
    first = next(iter(scans.values()))
    labels, notes = read_item_labels(item, first)
    array, voxels, dropped = without_small(labels, item.names)
    notes += [*dropped, *(note for scan in scans.values() for note in scan.notes)]
    if not voxels:
        raise InputError("; ".join(["its label is empty", *dropped]))
    scans = dict(_on_grid(scans, labels, left_out))
    if not scans:
        return Outcome(item.name, left_out=tuple(left_out))
    grid = Grid(labels, resampling.spacing_mm)
    resampled = resample_labels(array, labels, grid)
    counts = counts_of(sitk.GetArrayViewFromImage(resampled))
    notes += _lost(item, voxels, counts, round_trip(array, labels, resampled))
    if not counts:
        raise InputError(f"nothing of its labels is left at {resampling.spacing_mm:g} mm")
    images: dict[str, Written] = {}
    for channel, scan in scans.items():
        # a label map's place may be off by rounding: the label's grid holds for both
        scan = Volume(scan.array_kji, labels.ijk_to_ras, scan.name)
        image = resample_image(scan, grid, resampling.interpolation)
        if fault := _fault(image, resampled):
            left_out.append(LeftOut(channel.case, fault))
        else:
            images[channel.case] = _write(image, out, f"{folder}/{channel.case}_image.nii.gz")
    if not images:
        return Outcome(item.name, left_out=tuple(left_out))
    label = _write(resampled, out, f"{folder}/{item.name}_label.nii.gz")
    named = {value: (item.names[value], count) for value, count in counts.items()}
    return Outcome(item.name, images, label, named, tuple(notes), tuple(left_out))


def _readable(
    channels: tuple[Channel, ...], left_out: list[LeftOut]
) -> Iterator[tuple[Channel, Volume]]:
    for channel in channels:
        try:
            yield channel, read_volume(channel.image)
        except InputError as error:
            left_out.append(LeftOut(channel.case, _line(error)))


def _on_grid(
    scans: dict[Channel, Volume], labels: Volume, left_out: list[LeftOut]
) -> Iterator[tuple[Channel, Volume]]:
    for channel, scan in scans.items():
        try:
            check_on_grid(labels, scan)
            yield channel, scan
        except InputError as error:
            left_out.append(LeftOut(channel.case, _line(error)))


def _lost(
    item: Item, before: dict[int, int], after: dict[int, int], dice: dict[int, float]
) -> Iterator[str]:
    for value, voxels in before.items():
        name = item.names[value]
        if value not in after:
            yield f"{name}: all of its {voxels} voxels are lost by resampling"
        elif dice[value] < LOW_DICE:
            yield f"{name}: Dice {dice[value]:.2f} after resampling there and back: small or thin"


def _fault(image: Any, labels: Any) -> str | None:
    if not same_place(image, labels):
        return "image and label came to lie on two grids"
    return unreadable(image)


def _write(image: Any, out: Path, relative: str) -> Written:
    path = out / relative
    with _cannot_write():
        write_whole(path, lambda partial: write_image(image, partial))
        return Written(relative, sha256_of(path), path.stat().st_size)


@contextmanager
def _cannot_write() -> Iterator[None]:
    try:
        yield
    except (InputError, OSError) as error:
        raise CannotWriteError(str(error)) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def to_record(outcome: Outcome) -> dict[str, Any]:
    """Turn an outcome into what JSON can hold."""
    return asdict(outcome)


def from_record(record: dict[str, Any]) -> Outcome:
    """Turn it back.

    Raises:
        KeyError, TypeError, ValueError: it is no such record.
    """
    return Outcome(
        name=record["name"],
        images={case: Written(**one) for case, one in record["images"].items()},
        label=Written(**record["label"]),
        labels={int(value): (name, int(n)) for value, (name, n) in record["labels"].items()},
        notes=tuple(record["notes"]),
        left_out=tuple(LeftOut(**one) for one in record["left_out"]),
    )
