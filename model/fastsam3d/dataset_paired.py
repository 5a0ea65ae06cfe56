"""Datasets with `imagesTr`, `labelsTr` and so on: nnU-Net's raw folders, version 1 and 2; AMOS."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .dataset_item import Channel, Dataset, Item, LeftOut, read_json, volumes
from .errors import InputError

AMOS_CT = 500
"""AMOS's numbers up to this one are CT, those above it MRI."""

_PARTS = {"Tr": "train", "Va": "val", "Val": "val", "Ts": "test"}
_WITH_CHANNEL = re.compile(r"(?P<name>.+)_(?P<channel>\d{4})")
_AMOS = re.compile(r"amos_(?P<number>\d{4})", re.IGNORECASE)
_ONE = "0000"


def is_amos(source: Path) -> bool:
    """Tell whether a folder holds AMOS 2022 as it is downloaded: images without a channel."""
    images = volumes(source / "imagesTr") if _has_description(source) else {}
    return bool(images) and all(map(_AMOS.fullmatch, images))


def is_nnunet(source: Path) -> bool:
    """Tell whether a folder holds a raw dataset of nnU-Net, or of the Decathlon."""
    return _has_description(source) and (source / "imagesTr").is_dir() and not is_amos(source)


def read_amos(source: Path, channel: str | None = None) -> Dataset:
    """List AMOS 2022.

    Raises:
        InputError: its dataset.json cannot be used, or a channel is asked for.
    """
    if channel is not None:
        raise InputError(f"AMOS has one image a case; leave out the channel {channel!r}.")
    names, _ = label_names(_description(source))
    items: list[Item] = []
    left_out: list[LeftOut] = []
    for part, split in _PARTS.items():
        images, labels = volumes(source / f"images{part}"), volumes(source / f"labels{part}")
        for name in sorted(images.keys() | labels.keys()):
            if reason := _unpaired(name, images, labels, part):
                left_out.append(LeftOut(name, reason))
                continue
            taken = Channel(name, images[name], _amos_modality(name))
            items.append(Item(name, name, split, (taken,), names, labels[name]))
    return Dataset("amos22", "amos22", tuple(items), tuple(left_out))


def read_nnunet(source: Path, channel: str | None = None) -> Dataset:
    """List a raw dataset of nnU-Net; a case of several channels gives several images.

    Args:
        source: the folder with the dataset.json.
        channel: number or name of the one channel to take.

    Raises:
        InputError: its dataset.json cannot be used, or there is no such channel.
    """
    description = _description(source)
    names, notes = label_names(description)
    channels = _channels(description, source)
    taken = _chosen(channels, channel)
    items: list[Item] = []
    left_out = list(_promised_but_missing(description, source))
    for part, split in _PARTS.items():
        labels = volumes(source / f"labels{part}")
        images = _by_case(volumes(source / f"images{part}"), labels)
        for name in sorted(images.keys() | labels.keys()):
            if reason := _unpaired(name, images, labels, part):
                left_out.append(LeftOut(name, reason))
                continue
            found = [number for number in taken if number in images[name]]
            left_out += [
                LeftOut(f"{name}_{number}", f"no such image in images{part}")
                for number in taken
                if number not in found
            ]
            cases = _case_names(name, channels)
            parts = [Channel(cases[n], images[name][n], channels[n]) for n in found]
            if parts:
                items.append(Item(name, name, split, tuple(parts), names, labels[name]))
    return Dataset(source.resolve().name, "nnunet", tuple(items), tuple(left_out), notes)


def label_names(description: Mapping[str, Any]) -> tuple[dict[int, str], tuple[str, ...]]:
    """Read the names of label values from a dataset.json of either version of nnU-Net.

    Version 2 also has regions, which are lists of values, and "ignore", which is no object. A value
    that several regions hold is named after the smallest.

    Returns:
        The names, and what the user should know of them.

    Raises:
        InputError: no labels, or labels that are neither version's.
    """
    labels = description.get("labels")
    try:
        if not isinstance(labels, dict) or not labels:
            raise TypeError
        if all(key.isdigit() for key in labels):
            return {int(key): str(name) for key, name in labels.items() if int(key)}, ()
        regions = {name: _values(values) for name, values in labels.items()}
    except (TypeError, ValueError):
        raise InputError(
            f"Got the labels {labels!r} in dataset.json; expected names by value or values by name."
        ) from None
    ignored = regions.pop("ignore", frozenset())
    values = sorted(frozenset().union(*regions.values()) - {0} - ignored)
    notes = [f"Voxels of value {v}, to be ignored, count as background." for v in ignored]
    if any(len(region) > 1 for region in regions.values()):
        notes.append("Regions overlap, so their values are objects, each named after the smallest.")
    return {value: _region_name(value, regions) for value in values}, tuple(notes)


def _values(values: Any) -> frozenset[int]:
    return frozenset(map(int, values if isinstance(values, list | tuple) else [values]))


def _region_name(value: int, regions: Mapping[str, frozenset[int]]) -> str:
    smallest = min((n for n in regions if value in regions[n]), key=lambda n: len(regions[n]))
    inner = [name for name in regions if regions[name] < regions[smallest]]
    if not inner:
        return smallest
    return f"{smallest} outside {max(inner, key=lambda name: len(regions[name]))}"


def _has_description(source: Path) -> bool:
    return (source / "dataset.json").is_file()


def _description(source: Path) -> dict[str, Any]:
    found = read_json(source / "dataset.json")
    if not isinstance(found, dict):
        raise InputError(f"{source / 'dataset.json'} is no JSON object; get it again.")
    return found


def _amos_modality(name: str) -> str:
    match = _AMOS.fullmatch(name)
    return "MRI" if match and int(match["number"]) > AMOS_CT else "CT"


def _channels(description: Mapping[str, Any], source: Path) -> dict[str, str]:
    """Read the channels' names by their number of four digits."""
    stated = description.get("channel_names") or description.get("modality")
    if not isinstance(stated, dict) or not all(str(number).isdigit() for number in stated):
        raise InputError(
            f"{source / 'dataset.json'} names no channels; expected channel_names (version 2) or "
            "modality (version 1)."
        )
    return {f"{int(number):04d}": str(name) for number, name in stated.items()}


def _chosen(channels: Mapping[str, str], channel: str | None) -> list[str]:
    if channel is None:
        return list(channels)
    wanted = channel.casefold()
    chosen = [
        number
        for number, name in channels.items()
        if wanted == name.casefold() or (wanted.isdigit() and int(wanted) == int(number))
    ]
    if not chosen:
        shown = ", ".join(f"{int(number)} ({name})" for number, name in channels.items())
        raise InputError(f"Got the channel {channel!r}; expected one of {shown}.")
    return chosen


def _case_names(name: str, channels: Mapping[str, str]) -> dict[str, str]:
    if len(channels) == 1:
        return dict.fromkeys(channels, name)
    words = {n: re.sub(r"[^A-Za-z0-9]+", "-", word).strip("-") for n, word in channels.items()}
    unique = len(set(map(str.casefold, words.values()))) == len(words) and all(words.values())
    return {number: f"{name}_{word if unique else number}" for number, word in words.items()}


def _by_case(images: Mapping[str, Path], labels: Mapping[str, Path]) -> dict[str, dict[str, Path]]:
    """Group images by case and channel; one named as its label, as the Decathlon's are, has one."""
    cases: dict[str, dict[str, Path]] = {}
    for name, path in images.items():
        match = None if name in labels else _WITH_CHANNEL.fullmatch(name)
        case, number = (match["name"], match["channel"]) if match else (name, _ONE)
        cases.setdefault(case, {})[number] = path
    return cases


def _unpaired(
    name: str, images: Mapping[str, Any], labels: Mapping[str, Path], part: str
) -> str | None:
    if name not in labels:
        return f"no label in labels{part}"
    return None if name in images else f"no image in images{part}"


def _promised_but_missing(description: Mapping[str, Any], source: Path) -> Iterator[LeftOut]:
    stated = description.get("training") or []
    pairs = stated if isinstance(stated, list) else [stated]
    for pair in pairs:
        label = (pair.get("label") or "") if isinstance(pair, dict) else pair
        if not isinstance(label, str):
            raise InputError(
                f"Got {pair!r} under training in {source / 'dataset.json'}; expected pairs "
                "of image and label, each a path: mend it or get it again."
            )
        if isinstance(pair, dict) and label and not (source / label).is_file():
            yield LeftOut(label, "named in dataset.json, but not there")
