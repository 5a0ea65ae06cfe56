"""The mask that `segment --start-from` goes on from: which part of it is whose, what came of it."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .errors import InputError
from .images import Volume, read_labels
from .samegrid import grid_text, same_grid
from .segment import Outcome

MOST_SHOWN = 6
"""Labels or names that a sentence lists."""

MOST_LABEL = 65535
"""The highest that the file of a mask holds."""


@dataclass(frozen=True, eq=False)
class Start:
    """Masks to go on from.

    labels_kji: (k, j, i), of the objects and of others.
    labels: of the objects, in order: that of the segment that each goes on from, else a new one.
    names: of the objects, in order.
    others: the segments that no object goes on from, and their names if they have any.
    notes: what the user should know of it.
    """

    labels_kji: NDArray[np.uint16]
    labels: tuple[int, ...]
    names: tuple[str, ...]
    others: Mapping[int, str | None]
    notes: tuple[str, ...] = ()

    def called(self) -> dict[int, str]:
        """Return the names of all labels that have one."""
        named = {label: name for label, name in self.others.items() if name is not None}
        return named | dict(zip(self.labels, self.names, strict=True))


def read_start(
    path: Path, volume: Volume, objects: Sequence[str], *, unnamed: bool = False
) -> Start:
    """Read a mask and give each object its own part of it; the other parts stay.

    Args:
        path: a label map, or a segmentation of Slicer.
        volume: the scan.
        objects: their names, in order.
        unnamed: whether nobody chose these names: then those of the segments are kept.

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
    if not set(there) & set(whose):
        raise InputError(
            f"{start.name} holds no voxel to go on from; give another mask, or leave out "
            "--start-from."
        )
    others = {
        value: names.get(value)
        for value in sorted({*there, *names})
        if value not in whose and 0 < value <= MOST_LABEL
    }
    labels = _labels(whose, others)
    kept = np.where(np.isin(start.array_kji, list(others)), start.array_kji, 0).astype(np.uint16)
    for label, value in zip(labels, whose, strict=True):
        if value is not None:
            kept[start.array_kji == value] = label
    called = [names.get(v, o) if unnamed and v else o for v, o in zip(whose, objects, strict=True)]
    lost = [value for value in there if value not in whose and value not in others]
    return Start(
        kept, labels, tuple(called), others, tuple(_notes(called, whose, lost, start.name))
    )


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
    if names and not are_numbered(objects):
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


def stays(start: Start, file: Path, output: Path) -> Iterator[str]:
    """Say which segments stay as they are, and whether their names do."""
    held = [v for v in start.others if (start.labels_kji == v).any()]
    if not held:
        return
    nameless = (
        f"; {output.name} holds the labels ({_some(held)}) and no names"
        if any(start.others[value] for value in held)
        and not output.name.lower().endswith(".seg.nrrd")
        else ""
    )
    shown = _some([start.others[value] or value for value in held])
    yield f"{shown} of {file.name} got no points and stay{_s(held)} as before{nameless}."


def unchanged(outcome: Outcome, start: Start) -> Iterator[str]:
    """Say which objects came out as they went in."""
    for found in outcome.objects:
        mask = start.labels_kji == found.label
        if mask.any() and np.array_equal(outcome.labels_kji == found.label, mask):
            yield (
                f"{found.name}: the points agree with the mask that it started from, so it is "
                "unchanged."
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
    objects: Sequence[str], whose: Sequence[int | None], lost: Sequence[int], file: str
) -> Iterator[str]:
    for name, value in zip(objects, whose, strict=True):
        if value is None:
            yield f"{name}: nothing in {file} belongs to it; it starts from its points alone."
    if lost:
        yield (
            f"{_some(lost)} of {file} will not be in the mask, which holds labels from 1 to "
            f"{MOST_LABEL}."
        )


def _labels(whose: Sequence[int | None], others: Container[int]) -> tuple[int, ...]:
    """Give each object the label that it goes on from, where a mask holds it, or else a new one."""
    own = [v if v is not None and 0 < v <= MOST_LABEL else None for v in whose]
    free = (n for n in range(1, MOST_LABEL + 1) if n not in others and n not in own)
    return tuple(next(free) if value is None else value for value in own)


def _s(things: Sequence[object]) -> str:
    return "s" if len(things) == 1 else ""


def _same(name: str, other: str) -> bool:
    return " ".join(name.split()).casefold() == " ".join(other.split()).casefold()


def are_numbered(objects: Sequence[str]) -> bool:
    """Tell whether objects have no names but those that a points file without any gives them."""
    return all(name == f"object {number}" for number, name in enumerate(objects, start=1))


def _some(things: Sequence[object], *, last: str = " and ") -> str:
    """List the first of some things in words."""
    more = len(things) - MOST_SHOWN
    shown = [str(each) for each in things[:MOST_SHOWN]] + ([f"{more} more"] if more > 0 else [])
    return last.join([*([", ".join(shown[:-1])] if shown[1:] else []), *shown[-1:]])
