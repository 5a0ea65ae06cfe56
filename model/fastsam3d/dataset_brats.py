"""BraTS 2021: a folder a patient with four MRI channels and, for training, their labels.

The objects are the regions that the challenge scores, which overlap. The classes of SAM-Med3D's
published list of data are the three values by themselves: `without_regions`, whose manifest
has no column `groups`.
"""

import re
from dataclasses import replace
from pathlib import Path

from .dataset_item import Channel, Dataset, Item, LeftOut, folders, volumes
from .errors import InputError
from .manifest import Group, Label

CHANNELS = {"flair": "MRI FLAIR", "t1": "MRI T1", "t1ce": "MRI T1ce", "t2": "MRI T2"}

NAMES = {1: "necrotic tumour core", 2: "peritumoral oedema", 4: "enhancing tumour"}
"""Values are parts that do not overlap."""

REGIONS = (Group((1, 2, 4), "whole tumour"), Group((1, 4), "tumour core"), Label(4, NAMES[4]))

_NOTE = (
    "Objects are the challenge's regions, which overlap: whole tumour is 1, 2 and 4, tumour core 1 "
    "and 4, enhancing tumour 4. For the three values by themselves, prepare with `--no-groups`, or "
    "use a copy of the manifest, beside it, without the column `groups`."
)
_ALONE = (
    "Objects are the three values by themselves, which do not overlap; the challenge's regions "
    "were not asked for."
)
_PATIENT = re.compile(r"BraTS2021_\d{5}")


def is_brats(source: Path) -> bool:
    """Tell whether a folder holds BraTS 2021's patients, or folders that hold them."""
    return bool(_patients(source))


def read_brats(source: Path, channel: str | None = None) -> Dataset:
    """List BraTS 2021; a patient gives an image for each channel.

    Raises:
        InputError: there is no such channel.
    """
    taken = {channel.lower(): CHANNELS.get(channel.lower())} if channel else CHANNELS
    if None in taken.values():
        raise InputError(f"Got the channel {channel!r}; expected one of {', '.join(CHANNELS)}.")
    items: list[Item] = []
    left_out: list[LeftOut] = []
    for folder in _patients(source):
        name, found = folder.name, volumes(folder)
        label = found.get(f"{name}_seg")
        if label is None:
            left_out.append(LeftOut(name, "no label (_seg)"))
            continue
        cases = {f"{name}_{word}": str(modality) for word, modality in taken.items()}
        images = tuple(
            Channel(c, found[c], modality) for c, modality in cases.items() if c in found
        )
        left_out += [LeftOut(case, "no such image") for case in cases if case not in found]
        if images:
            split = _split(folder)
            items.append(Item(name, name, split, images, NAMES, label, groups=REGIONS))
    return Dataset("brats21", "brats21", tuple(items), tuple(left_out), (_NOTE,))


def without_regions(dataset: Dataset) -> Dataset:
    """Take each value as an object by itself.

    Raises:
        InputError: it is another dataset than BraTS.
    """
    if dataset.layout != "brats21":
        raise InputError(
            f"Got --no-groups for a dataset of the layout {dataset.layout}, and only brats21 has "
            "groups; leave it out."
        )
    items = tuple(replace(item, groups=()) for item in dataset.items)
    return replace(dataset, items=items, notes=(_ALONE,))


def _patients(source: Path) -> list[Path]:
    around = [source, *folders(source)]
    return [p for folder in around for p in folders(folder) if _PATIENT.fullmatch(p.name)]


def _split(folder: Path) -> str:
    return "val" if "validation" in folder.parent.name.lower() else "train"
