"""BraTS 2021: a folder a patient with four MRI channels and, for training, their labels."""

import re
from pathlib import Path

from .dataset_item import Channel, Dataset, Item, LeftOut, folders, volumes
from .errors import InputError

CHANNELS = {"flair": "MRI FLAIR", "t1": "MRI T1", "t1ce": "MRI T1ce", "t2": "MRI T2"}

NAMES = {1: "necrotic tumour core", 2: "peritumoral oedema", 4: "enhancing tumour"}
"""Whole tumour is 1, 2 and 4; tumour core is 1 and 4: values apart, as a label map can say."""

_NOTE = "Values are parts that do not overlap: whole tumour is 1, 2 and 4, tumour core 1 and 4."
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
            items.append(Item(name, name, _split(folder), images, NAMES, label))
    return Dataset("brats21", "brats21", tuple(items), tuple(left_out), (_NOTE,))


def _patients(source: Path) -> list[Path]:
    around = [source, *folders(source)]
    return [p for folder in around for p in folders(folder) if _PATIENT.fullmatch(p.name)]


def _split(folder: Path) -> str:
    return "val" if "validation" in folder.parent.name.lower() else "train"
