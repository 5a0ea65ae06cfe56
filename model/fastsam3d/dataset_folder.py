"""The folder that a dataset is prepared into: whose it is, what is done in it, is it unchanged.

In `.prepared` lie the settings and a record for each item. A record is written after its files;
what has one is done.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .dataset_case import Outcome, Written, from_record, to_record
from .dataset_item import Item
from .errors import InputError
from .folders import make_folder
from .masks import write_whole
from .trust import sha256_of

_RECORDS = ".prepared"
_SETTINGS = "settings.json"
_PARTIAL = ".????????-*"


def claim(out: Path, settings: dict[str, Any]) -> None:
    """Take a folder that is empty, or was begun with the same settings; remove half-written files.

    Raises:
        InputError: it holds something else, was begun otherwise, or cannot be written to.
    """
    place = out / _RECORDS / _SETTINGS
    if out.exists() and not place.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} holds other files; choose a new or empty folder.")
    make_folder(place.parent)
    if not place.is_file():
        _write_json(place, settings)
    _check_settings(settings, place, out)
    for partial in (*out.glob(_PARTIAL), *out.glob(f"*/{_PARTIAL}")):
        partial.unlink(missing_ok=True)


def record(out: Path, outcome: Outcome) -> None:
    """Remember that an item is done.

    Raises:
        InputError: the record cannot be written.
    """
    _write_json(_place(out, outcome.name), to_record(outcome))


def recorded(out: Path, items: Sequence[Item]) -> dict[str, Outcome]:
    """Find the items that are done: nothing of them left out, all files there and whole."""
    return {
        item.name: found
        for item in items
        if (found := _read(_place(out, item.name)))
        and found.images.keys() == {channel.case for channel in item.channels}
        and all(_is_there(out, file) for file in _files(found))
    }


def verify(out: Path) -> list[str]:
    """Compare every file with the hash it was written with; return a sentence for each fault.

    Raises:
        InputError: the folder holds nothing prepared.
    """
    found = [
        outcome for path in sorted((out / _RECORDS).glob("*.json")) if (outcome := _read(path))
    ]
    files = [file for outcome in found for file in _files(outcome)]
    if not files:
        raise InputError(f"{out} holds nothing that was prepared; prepare a dataset into it first.")
    faults = []
    for file in files:
        if not (out / file.path).is_file():
            faults.append(f"{file.path} is missing; run the command again to make it.")
        elif sha256_of(out / file.path) != file.sha256:
            faults.append(f"{file.path} has changed; delete it and run the command again.")
    return faults


def hash_of(path: Path | None) -> str | None:
    """Return the SHA256 of a file that may not be given."""
    return None if path is None else sha256_of(path)


def _check_settings(settings: dict[str, Any], place: Path, out: Path) -> None:
    before = _read_json(place) or {}
    other = [name for name in settings if settings[name] != before.get(name)]
    if other:
        shown = ", ".join(f"{name} {before.get(name)}" for name in other)
        raise InputError(
            f"{out} was prepared otherwise ({shown}); choose another folder, or the same settings."
        )


def _is_there(out: Path, file: Written) -> bool:
    path = out / file.path
    return path.is_file() and path.stat().st_size == file.size


def _files(outcome: Outcome) -> list[Written]:
    return [*outcome.images.values(), *([outcome.label] if outcome.label else [])]


def _place(out: Path, name: str) -> Path:
    return out / _RECORDS / f"{name}.record.json"


def _read(path: Path) -> Outcome | None:
    try:
        return from_record(_read_json(path) or {})
    except (KeyError, TypeError, ValueError):
        return None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1)
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
