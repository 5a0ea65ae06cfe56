"""Who is for training, validation and test: from a file that the user puts in, checked by patient.

A file may be CSV with a column `case`, `patient` or `image_id`, and `split`; JSON with lists of
names under train, val and test, or a split for each name; nnU-Net's splits_final.json, of which
the first fold counts; or paths in a JSON list or one a line in text, whose folders say
the split, as SAM-Med3D's do: imagesTr, labelsVal, labelsTs.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from .dataset_item import Dataset, Item, LeftOut, read_json, shown, stem
from .errors import InputError

_WORDS = {
    "train": "train", "training": "train", "tr": "train",
    "val": "val", "valid": "val", "validation": "val", "va": "val", "dev": "val",
    "test": "test", "testing": "test", "ts": "test",
}  # fmt: skip
_CHANNEL = re.compile(r"_\d{4}$")
_FEW = 3

Named = tuple[str, str, str]
"""A case's or patient's name, its split as the file words it, and its patient if the file says."""


def apply_splits(dataset: Dataset, path: Path) -> Dataset:
    """Give a dataset's items the splits of a file; those it does not name are left out.

    Raises:
        InputError: the file cannot be read or names nothing of the dataset, it puts a case in two
            splits, or puts into train what the dataset keeps for validation or test.
    """
    index = _index(dataset.items)
    said: dict[str, set[str]] = defaultdict(set)
    patients: dict[str, str] = {}
    unknown = set[str]()
    for name, word, patient in _read(path):
        found = index.get(stem(name)) or index.get(_CHANNEL.sub("", stem(name)))
        if not found:
            unknown.add(name)
        for item in found or ():
            said[item.name].add(_split(word, path))
            patients |= {item.name: patient} if patient else {}
    if not said:
        example = dataset.items[0].name
        raise InputError(f"{path} names no case of the dataset; expected names such as {example}.")
    _check_single(said, path)
    splits = {name: next(iter(found)) for name, found in said.items()}
    kept = [
        replace(item, split=splits[item.name], patient=patients.get(item.name, item.patient))
        for item in dataset.items
        if item.name in splits
    ]
    _check_held_back(dataset.items, splits, path)
    left_out = [
        LeftOut(item.name, f"not named in {path.name}")
        for item in dataset.items
        if item.name not in splits
    ]
    warnings = [f"{path.name} names what is not there: {_shown(unknown)}."] if unknown else []
    return replace(
        dataset,
        items=tuple(kept),
        left_out=(*dataset.left_out, *left_out),
        warnings=(*dataset.warnings, *warnings),
    )


def check_splits(dataset: Dataset) -> Dataset:
    """Leave out what is in no split, and refuse patients who are in two.

    Raises:
        InputError: a patient is in two splits, or nothing is in any.
    """
    splits: dict[str, set[str]] = defaultdict(set)
    for item in dataset.items:
        splits[item.patient].add(item.split)
    torn = sorted(patient for patient, found in splits.items() if len(found) > 1)
    if torn:
        raise InputError(
            f"The same patient is in two splits ({_shown(torn)}); put all images of a patient into "
            "one split, with a splits file if need be."
        )
    kept = tuple(item for item in dataset.items if item.split)
    if not kept:
        raise InputError(
            f"Nothing says what of this {dataset.layout} dataset is for training: its meta.csv is "
            "missing or names none of its cases; get it again, or give a splits file."
        )
    none = tuple(LeftOut(i.name, "in no split") for i in dataset.items if not i.split)
    return replace(dataset, items=kept, left_out=(*dataset.left_out, *none))


def _index(items: Iterable[Item]) -> dict[str, list[Item]]:
    index: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        for name in {item.name, item.patient, *(channel.case for channel in item.channels)}:
            index[name].append(item)
    return dict(index)


def _read(path: Path) -> list[Named]:
    if not path.is_file():
        raise InputError(f"There is no file {path}; give a CSV or JSON file that says the splits.")
    if path.suffix.lower() == ".json":
        named = list(_from_json(read_json(path), path))
    elif path.suffix.lower() in (".csv", ".tsv"):
        named = list(_from_csv(path))
    else:
        named = list(_from_paths(_text(path).splitlines(), path))
    if not named:
        raise InputError(f"{path} names no case; expected names under train, val and test.")
    return named


def _from_json(content: Any, path: Path) -> Iterator[Named]:
    if isinstance(content, list) and content and all(isinstance(part, dict) for part in content):
        content = content[0]
    if isinstance(content, list):
        yield from _from_paths(map(str, content), path)
        return
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no splits; expected lists under train, val and test.")
    for key, value in content.items():
        if isinstance(value, str):
            yield key, value, ""
        elif isinstance(value, list) and key.lower() in _WORDS:
            yield from ((_name(entry, path), key, "") for entry in value)


def _name(entry: Any, path: Path) -> str:
    if isinstance(entry, dict):
        keys = ("case", "patient", "image", "label")
        entry = next((entry[key] for key in keys if entry.get(key)), None)
    if not isinstance(entry, str | int):
        raise InputError(f"{path} lists {entry!r}; expected the names of cases or images.")
    return str(entry)


def _from_csv(path: Path) -> Iterator[Named]:
    lines = _text(path).splitlines()
    head = lines[0] if lines else ""
    mark = max(",;\t", key=head.count)
    for line in csv.DictReader(lines, delimiter=mark, restval=""):
        cells = {str(key).strip().lower(): str(value).strip() for key, value in line.items()}
        keys = ("case", "image_id", "id", "patient", "image")
        name = next((cells[key] for key in keys if cells.get(key)), None)
        if name is None or "split" not in cells:
            raise InputError(
                f"{path} has the columns {head!r}; expected case or patient, and split."
            )
        if cells["split"]:
            yield name, cells["split"], cells.get("patient", "")


def _from_paths(paths: Iterable[str], path: Path) -> Iterator[Named]:
    for line in filter(None, map(str.strip, paths)):
        folders = [part.lower() for part in PurePosixPath(line.replace("\\", "/")).parts[:-1]]
        words = [re.sub("^(images|labels)", "", folder) for folder in folders]
        word = next((word for word in reversed(words) if word in _WORDS), None)
        if word is None:
            raise InputError(
                f"{path} lists {line}, which lies in no imagesTr, labelsVal or labelsTs."
            )
        yield line, word, ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {path} ({error}); give a CSV or JSON file.") from error


def _split(word: str, path: Path) -> str:
    split = _WORDS.get(word.lower())
    if split is None:
        raise InputError(f"{path} has the split {word!r}; expected train, val or test.")
    return split


def _check_single(said: dict[str, set[str]], path: Path) -> None:
    torn = sorted(name for name, found in said.items() if len(found) > 1)
    if torn:
        raise InputError(f"{path} puts {_shown(torn)} into two splits; choose one for each.")


def _check_held_back(items: Iterable[Item], splits: dict[str, str], path: Path) -> None:
    moved = [
        item.name
        for item in items
        if splits.get(item.name) == "train" and item.split in ("val", "test")
    ]
    if moved:
        raise InputError(
            f"{path} puts {_shown(moved)} into train, which the dataset keeps for validation or "
            "test; name them there, or not at all."
        )


def _shown(names: Iterable[str]) -> str:
    return shown(sorted(names), _FEW)
