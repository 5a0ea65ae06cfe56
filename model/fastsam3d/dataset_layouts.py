"""Which layout a folder has, and its dataset."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from .dataset_brats import is_brats, read_brats
from .dataset_item import Dataset, folders, shown
from .dataset_paired import is_amos, is_nnunet, read_amos, read_nnunet
from .dataset_totalsegmentator import is_totalsegmentator, read_totalsegmentator
from .errors import InputError


class Layout(NamedTuple):
    """How a dataset lies on disk: what to look for, and how to read it."""

    signs: str
    holds: Callable[[Path], bool]
    read: Callable[[Path, str | None], Dataset]


LAYOUTS = {
    "brats21": Layout("BraTS2021_00000/BraTS2021_00000_t1.nii.gz", is_brats, read_brats),
    "totalsegmentator": Layout(
        "s0000/ct.nii.gz and s0000/segmentations", is_totalsegmentator, read_totalsegmentator
    ),
    "amos22": Layout("dataset.json and imagesTr/amos_0001.nii.gz", is_amos, read_amos),
    "nnunet": Layout("dataset.json, imagesTr and labelsTr", is_nnunet, read_nnunet),
}
"""Datasets are recognised in this order."""

_JOINED = "brats21"
"""Of this layout, several folders beside one another are taken together."""

_PART = re.compile(r"s\d{4}|BraTS2021_\d{5}|(images|labels)(Tr|Va|Val|Ts)")
"""Folders that are part of a dataset, and none themselves."""

_FEW = 8


def recognise(source: Path) -> str | None:
    """Name the layout that a folder has; None if it has none of them."""
    if not source.is_dir():
        return None
    return next((name for name, layout in LAYOUTS.items() if layout.holds(source)), None)


def read_dataset(source: Path, layout: str = "auto", channel: str | None = None) -> Dataset:
    """List what a folder holds.

    Args:
        source: the dataset's folder.
        layout: one of `LAYOUTS`, or "auto" to recognise it.
        channel: the one channel to take, where a case has several.

    Raises:
        InputError: no such folder or layout, another layout than the one named, several datasets
            and no layout named, nothing labelled in it, or a file that describes it cannot be used.
    """
    if layout not in {"auto", *LAYOUTS}:
        raise InputError(f"Got the layout {layout!r}; expected auto, {', '.join(LAYOUTS)}.")
    if not source.is_dir():
        raise InputError(f"There is no folder {source}; give the folder of the dataset.")
    found = recognise(source) if layout == "auto" else layout
    if found is None or not LAYOUTS[found].holds(source):
        raise InputError(_unrecognised(source, layout))
    if layout == "auto":
        _check_alone(source)
    dataset = LAYOUTS[found].read(source, channel)
    if not dataset.items:
        raise InputError(f"{source} holds no image with a label; see whether it is unpacked whole.")
    return dataset


def _unrecognised(source: Path, layout: str) -> str:
    wanted = LAYOUTS if layout == "auto" else {layout: LAYOUTS[layout]}
    signs = "; ".join(f"{name}: {each.signs}" for name, each in wanted.items())
    inner = _inner(source)
    advice = (
        f"did you mean {next(iter(inner))}?" if inner else "choose the folder that holds these."
    )
    if len(inner) > 1:
        advice = f"did you mean one of these: {_listed(inner.items())}?"
    return f"{source} has none of the layouts that can be read ({signs}); {advice}"


def _check_alone(source: Path) -> None:
    inner = _inner(source)
    held = [name for name, each in LAYOUTS.items() if each.holds(source)]
    own = [name for name in held if name != _JOINED or _JOINED not in inner.values()]
    found = [*((source, name) for name in own), *inner.items()]
    if len(found) > 1 and {name for _, name in found} != {_JOINED}:
        raise InputError(
            f"{source} holds several datasets: {_listed(found)}; give the folder of one, or "
            "name a layout with --layout."
        )


def _inner(source: Path) -> dict[Path, str]:
    """Name the layouts of the datasets right in a folder."""
    inner = [path for path in folders(source) if not _PART.fullmatch(path.name)]
    return {path: name for path in inner if (name := recognise(path))}


def _listed(found: Iterable[tuple[Path, str]]) -> str:
    return shown((f"{path} ({name})" for path, name in found), _FEW)
