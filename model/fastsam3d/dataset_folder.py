"""The folder that a dataset is prepared into: whose it is, and what is done in it.

In `.prepared` lie the settings, a record for each item, and the hashes of the manifest and report
as they were written. A record is written after its files; what has one is done.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .dataset_case import Outcome, Written, from_record, to_record
from .dataset_item import Item
from .dataset_sources import changes, made_from
from .errors import InputError
from .folders import make_folder
from .lock import LOCK, locked
from .trust import sha256_of
from .whole import write_text

_RECORDS = ".prepared"
_SETTINGS = "settings.json"
_TABLES = "tables.json"
_SUFFIX = ".record.json"
_MADE_FROM = "made_from"
_PARTIAL = ".????????-*"
_SHA256 = re.compile("[0-9a-f]{64}")


@contextmanager
def claimed(out: Path, settings: dict[str, Any], tables: Sequence[str]) -> Iterator[None]:
    """Hold a folder alone that is empty, or was begun with the same settings.

    Half-written files are removed from it.

    Args:
        out: the folder; it is made.
        settings: what decides the files in it.
        tables: the files that `keep_table` will write.

    Raises:
        InputError: it holds something else, was begun otherwise, another process works in it, one
            of the tables was changed, or it cannot be written to.
    """
    place = out / _RECORDS / _SETTINGS
    if out.exists() and not place.is_file() and (not out.is_dir() or _others(out)):
        raise InputError(f"{out} holds other files; choose a new or empty folder.")
    make_folder(place.parent)
    with locked(out):
        if not place.is_file():
            _write_json(place, settings)
        _check_settings(settings, place, out)
        for name in tables:
            _check_table(out, name)
        for partial in (*out.glob(_PARTIAL), *out.glob(f"*/{_PARTIAL}")):
            partial.unlink(missing_ok=True)
        yield


def record(out: Path, item: Item, outcome: Outcome, source: dict[str, Any]) -> None:
    """Remember that an item is done, and what it was made from as `made_from` told before.

    Raises:
        InputError: the record cannot be written.
    """
    place = out / _RECORDS / f"{item.name}{_SUFFIX}"
    _write_json(place, to_record(outcome) | {_MADE_FROM: source})


def recorded(out: Path, items: Sequence[Item]) -> tuple[dict[str, Outcome], list[str]]:
    """Find the items that are done: nothing of them left out, all files as they were written.

    Returns:
        What became of each of these, by its name; and the files of others that are missing or
        have changed since they were written.

    Raises:
        InputError: the source of one has changed since.
    """
    done: dict[str, Outcome] = {}
    lost: list[str] = []
    changed: list[str] = []
    for item in items:
        place = out / _RECORDS / f"{item.name}{_SUFFIX}"
        found = read_record(place)
        if found is None or found.images.keys() != {channel.case for channel in item.channels}:
            continue
        if faulty := [file.path for file in files_of(found) if not _is_whole(out, file)]:
            lost += faulty
            continue
        done[item.name] = found
        now, before = made_from(item), _read_json(place).get(_MADE_FROM)
        if now != before:
            changed.append(f"{item.name}: {changes(before, now)}")
    if changed:
        raise InputError(
            f"The source has changed since {len(changed)} of {len(items)} cases were prepared "
            f"({changed[0]}); prepare into a new folder, or delete their files in {out} to have "
            "them made again."
        )
    return done, lost


def records(out: Path) -> list[Path]:
    """List the records of a folder, readable or not."""
    return [path for path in sorted((out / _RECORDS).glob(f"*{_SUFFIX}")) if path.name[0] != "."]


def read_record(path: Path) -> Outcome | None:
    """Read a record; None if there is none, or it is damaged."""
    try:
        return from_record(_read_json(path))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def files_of(outcome: Outcome) -> list[Written]:
    """List the images and the label map of an item."""
    return [*outcome.images.values(), *([outcome.label] if outcome.label else [])]


def keep_table(out: Path, name: str, text: str) -> Path:
    """Write the manifest or report, unless it was changed since it was written; return its path.

    Its hash is noted first: whenever this ends, what lies there is known.

    Raises:
        InputError: it was changed, or cannot be written.
    """
    _check_table(out, name)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    known = [one for one in table_hashes(out, name) if one != sha256]
    place = out / _RECORDS / _TABLES
    _write_json(place, _read_json(place) | {name: [*known, sha256]})
    write_text(out / name, text)
    return out / name


def table_hashes(out: Path, name: str) -> list[str]:
    """List the hashes that the manifest or report was ever written with, the last one last."""
    found = _read_json(out / _RECORDS / _TABLES).get(name)
    return found if isinstance(found, list) else []


def named_hash(path: Path | None) -> dict[str, str] | None:
    """Return a setting that is a file's content, with the name to show, or None without a file."""
    return None if path is None else {"file": path.name, "sha256": sha256_of(path)}


def hash_of(path: Path | None) -> str | None:
    """Return the SHA256 of a file that may not be given."""
    return None if path is None else sha256_of(path)


def _others(out: Path) -> bool:
    return any(path.name not in (_RECORDS, LOCK) for path in out.iterdir())


def _check_settings(settings: dict[str, Any], place: Path, out: Path) -> None:
    before = _read_json(place)
    other = [name for name, value in settings.items() if _key(value) != _key(before.get(name))]
    if other:
        has, asked = (
            ", ".join(f"{name} {_said(side.get(name))}" for name in other)
            for side in (before, settings)
        )
        raise InputError(
            f"{out} was prepared otherwise; choose another folder, or the same settings. "
            f"It has {has}; asked for: {asked}."
        )


def _key(value: Any) -> Any:
    """Return what decides: of a file its hash, which older folders have alone."""
    return value["sha256"] if isinstance(value, dict) else value


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['file']} (SHA256 {value['sha256'][:8]}...)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and _SHA256.fullmatch(value):
        return f"a file (SHA256 {value[:8]}...)"
    return "none" if value is None else str(value)


def _check_table(out: Path, name: str) -> None:
    path = out / name
    if path.exists() and hash_of(path) not in table_hashes(out, name):
        raise InputError(
            f"{path} is not as it was written, and would be overwritten; move it elsewhere and run "
            "the command again."
        )


def _is_whole(out: Path, file: Written) -> bool:
    path = out / file.path
    there = path.is_file() and path.stat().st_size == file.size
    return there and sha256_of(path) == file.sha256


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=1))
