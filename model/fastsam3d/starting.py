"""The mask that `segment --start-from` goes on from: which part of it is whose, what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .errors import InputError
from .images import Volume, read_labels
from .postprocess import Postprocessing
from .samegrid import grid_text, same_grid
from .segment import Outcome

MOST_SHOWN = 6
"""Labels or names that a sentence lists."""


@dataclass(frozen=True, eq=False)
class Start:
    """Masks to go on from.

    labels_kji: (k, j, i); label 1 is the first object's, 2 the second's.
    notes: what the user should know of it.
    """

    labels_kji: NDArray[np.integer[Any]]
    notes: tuple[str, ...] = ()


def read_start(path: Path, volume: Volume, objects: Sequence[str]) -> Start:
    """Read a mask and give each object its own part of it.

    Args:
        path: a label map, or a segmentation of Slicer.
        volume: the scan.
        objects: their names, in order.

    Raises:
        InputError: no such mask, another grid, no voxel for any object, or it cannot be told which
            part is whose.
    """
    start = read_labels(path)
    if not same_grid(start, volume):
        raise InputError(
            f"{start.name} ({grid_text(start)}) is not on the grid of {volume.name} "
            f"({grid_text(volume)}); resample it onto the scan, by nearest neighbour."
        )
    there = [int(value) for value in np.unique(start.array_kji) if value]
    names = segment_names(path)
    whose = share_out(objects, there, names, start.name) if there else []
    labels = np.zeros(start.array_kji.shape, np.uint8 if len(objects) < 256 else np.uint16)
    for label, value in enumerate(whose, start=1):
        if value is not None:
            labels[start.array_kji == value] = label
    if not labels.any():
        raise InputError(
            f"{start.name} holds no voxel to go on from; give another mask, or leave out "
            "--start-from."
        )
    return Start(labels, tuple(_notes(objects, there, names, whose, start.name)))


def segment_names(path: Path) -> dict[int, str]:
    """Return what a segmentation of Slicer calls its labels; nothing for other files."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    said = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    return {
        int(value): said[f"{key.removesuffix('_LabelValue')}_Name"]
        for key, value in said.items()
        if key.endswith("_LabelValue") and f"{key.removesuffix('_LabelValue')}_Name" in said
    }


def share_out(
    objects: Sequence[str], there: Sequence[int], names: Mapping[int, str], file: str
) -> list[int | None]:
    """Tell which label each object goes on from; None for an object that has none.

    By name, if a label is called as an object. Else a single label is the single object's, and of
    several objects label 1 is the first's, 2 the second's.

    Args:
        objects: their names, in order.
        there: labels that the file holds.
        names: of its labels, as far as they have any.
        file: what an error calls it.

    Raises:
        InputError: it cannot be told.
    """
    called = [[v for v, name in names.items() if _same(name, wanted)] for wanted in objects]
    if any(called):
        return _by_name(objects, called, file)
    if len(objects) == len(there) == 1:
        return list(there)
    if names and not _are_numbered(objects):
        known = _some([name for value, name in names.items() if value in there])
        raise InputError(
            f"{file} has no segment called {_some(objects, last=' or ')}, but {known}; name the "
            "objects as its segments, with --name or in the points file."
        )
    if len(objects) > 1 and set(there) <= set(range(1, len(objects) + 1)):
        return [label if label in there else None for label in range(1, len(objects) + 1)]
    count = "one object" if len(objects) == 1 else f"{len(objects)} objects"
    raise InputError(
        f"{file} holds the label{'s' if len(there) > 1 else ''} {_some(there)} and there "
        f"{'is' if len(objects) == 1 else 'are'} {count}, so it cannot be told which is whose; "
        "give a mask with label 1, 2, … for object 1, 2, …, or a .seg.nrrd with segments called "
        "as the objects."
    )


def unchanged(outcome: Outcome, start: Start, options: Postprocessing) -> Iterator[str]:
    """Say which objects came out as they went in, and that options were then of no effect."""
    asked = [
        option
        for option, given in (
            ("--largest", options.keep_clicked),
            ("--fill-holes", options.fill_holes),
            ("--smooth", options.smooth_voxels > 0),
        )
        if given
    ]
    idle = f", and {_some(asked)} did nothing: only what a point changes is tidied" if asked else ""
    for found in outcome.objects:
        mask = start.labels_kji == found.label
        if mask.any() and np.array_equal(outcome.labels_kji == found.label, mask):
            yield (
                f"{found.name}: the points agree with the mask that it started from, so it is "
                f"unchanged{idle}."
            )


def _by_name(
    objects: Sequence[str], called: Sequence[Sequence[int]], file: str
) -> list[int | None]:
    whose = [found[0] if found else None for found in called]
    taken = [value for value in whose if value is not None]
    for name, found in zip(objects, called, strict=True):
        if len(found) > 1 or (found and taken.count(found[0]) > 1):
            what = "segments" if len(found) > 1 else "objects for the segment"
            raise InputError(
                f"There are several {what} called {name!r} of {file}, so it cannot be told which "
                "is whose; give each a name of its own."
            )
    return whose


def _notes(
    objects: Sequence[str],
    there: Sequence[int],
    names: Mapping[int, str],
    whose: Sequence[int | None],
    file: str,
) -> Iterator[str]:
    for name, value in zip(objects, whose, strict=True):
        if value is None:
            yield f"{name}: nothing in {file} belongs to it; it starts from its points alone."
    if left := [names.get(value, str(value)) for value in there if value not in whose]:
        yield f"{_some(left)} of {file} got no points and will not be in the mask."


def _same(name: str, other: str) -> bool:
    return " ".join(name.split()).casefold() == " ".join(other.split()).casefold()


def _are_numbered(objects: Sequence[str]) -> bool:
    """Tell whether objects have no names but those that a points file without any gives them."""
    return all(name == f"object {number}" for number, name in enumerate(objects, start=1))


def _some(things: Sequence[object], *, last: str = " and ") -> str:
    """List the first of some things in words."""
    more = len(things) - MOST_SHOWN
    shown = [str(each) for each in things[:MOST_SHOWN]] + ([f"{more} more"] if more > 0 else [])
    return last.join([*([", ".join(shown[:-1])] if shown[1:] else []), *shown[-1:]])
