"""Keeps weights in one folder: fetched or imported, checked before use, removed.

A file enters the folder whole and checked, or not at all. Its SHA256 is checked again at each use.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import download, registry, trust
from .errors import InputError
from .folders import user_data
from .registry import Entry

Status = Literal["bundled", "installed", "not trusted", "incomplete", "missing"]


@dataclass(frozen=True)
class Row:
    """One line of `fastsam3d weights list`; `size_mb` in 10⁶ bytes."""

    name: str
    source: str
    licence: str
    size_mb: float | None
    path: Path | None
    status: Status


def folder() -> Path:
    """Return where weights are kept: `FASTSAM3D_WEIGHTS`, or a folder of the user's own."""
    if chosen := os.environ.get("FASTSAM3D_WEIGHTS"):
        return Path(chosen).expanduser()
    return user_data() / "weights"


def rows() -> list[Row]:
    """List all weights there are, installed or not."""
    return [_row(entry) for entry in registry.ENTRIES]


def path_of(name: str) -> Path:
    """Return the file of installed weights, after checking its hash.

    Raises:
        InputError: unknown, not installed, never trusted, or changed since.
    """
    entry = registry.find(name)
    path = _place(entry)
    if not path.is_file():
        raise InputError(_how_to_get(entry))
    with _told():
        _check_installed(entry, path)
    return path


def get(name: str, *, trust_first_use: bool = False) -> Path:
    """Download weights unless they are installed, and return their file.

    Args:
        name: as in `registry`.
        trust_first_use: accept a file of which no hash is known, and hold it to that hash later.

    Raises:
        InputError: unknown, no connection, wrong hash, no hash and not asked to trust, unreadable.
    """
    entry = registry.find(name)
    if entry.repo is None or (_place(entry).is_file() and _expected(entry)):
        return path_of(name)
    trust.check_first_use(entry, folder(), trust_first_use=trust_first_use)
    with _told(), download.fetched(entry.repo, entry.file, _parts_folder()) as path:
        return _install(entry, path)


def import_file(name: str, path: Path, *, trust_first_use: bool = False) -> Path:
    """Copy a file that was got by other means, after checking it; return the copy.

    Raises:
        InputError: as `get`, or there is no such file.
    """
    entry = registry.find(name)
    if entry.bundled:
        raise InputError(f"{name} comes with the package; give a file of your own as a checkpoint.")
    if not path.is_file():
        raise InputError(f"There is no file {path} to import; check the path.")
    trust.check_first_use(entry, folder(), trust_first_use=trust_first_use)
    with _told(), _scratch(entry.file) as copy:
        shutil.copyfile(path, copy)
        return _install(entry, copy)


def remove(name: str) -> None:
    """Delete installed weights and what an interrupted download left.

    A hash that was trusted on first use stays on record.

    Raises:
        InputError: unknown, not installed, or part of the package.
    """
    entry = registry.find(name)
    if entry.bundled:
        raise InputError(f"{name} comes with the package and is not removed alone.")
    left = _parts_folder().glob(f"*-{entry.file}")
    found = [path for path in (_place(entry), *left) if path.is_file()]
    if not found:
        raise InputError(f"{name} is not installed in {folder()}; there is nothing to remove.")
    with _told():
        for path in found:
            path.unlink()


def _install(entry: Entry, candidate: Path) -> Path:
    """Check a file that lies in the store's own file system, then move it into place."""
    expected, sha256 = _expected(entry), trust.sha256_of(candidate)
    trust.check_hash(entry, sha256, expected, trust.advice_on_candidate(entry, folder()))
    _check_content(entry, candidate)
    if expected is None:
        _record(entry, sha256)
    candidate.replace(_place(entry))
    return _place(entry)


def _check_content(entry: Entry, candidate: Path) -> None:
    from . import checkpoints

    state = checkpoints.read_state(candidate, known_as=entry.file)
    checkpoints.check_published(state, entry.preset, entry.file)


def _record(entry: Entry, sha256: str) -> None:
    place = trust.record_of(entry, folder())
    with _scratch(place.name) as scratch:
        scratch.write_text(trust.line_for(entry, sha256))
        scratch.replace(place)


def _expected(entry: Entry) -> str | None:
    return trust.expected_sha256(entry, folder())


def _check_installed(entry: Entry, path: Path) -> None:
    expected = _expected(entry)
    if expected is not None:
        advice = trust.advice_on_installed(entry)
        trust.check_hash(entry, trust.sha256_of(path), expected, advice)
    elif not entry.bundled:
        raise InputError(
            f"{path} has no hash on record; if you trust it, run "
            f"`fastsam3d weights import {entry.name} {path} --trust-first-use`."
        )


def _how_to_get(entry: Entry) -> str:
    if entry.bundled:
        return f"{entry.file} is missing from the package; install the package again."
    flag = "" if _expected(entry) else " --trust-first-use"
    return (
        f"The weights {entry.name} are not installed in {folder()}; run "
        f"`fastsam3d weights get {entry.name}{flag}`."
    )


def _row(entry: Entry) -> Row:
    path = _place(entry)
    installed = path.is_file()
    size_mb = path.stat().st_size / 1e6 if installed else entry.size_mb
    where = path if installed else None
    return Row(entry.name, entry.source, entry.licence, size_mb, where, _status(entry))


def _status(entry: Entry) -> Status:
    if not _place(entry).is_file():
        return "incomplete" if _parts(entry) else "missing"
    if entry.bundled:
        return "bundled"
    return "installed" if _expected(entry) else "not trusted"


def _place(entry: Entry) -> Path:
    return (registry.BUNDLED_FOLDER if entry.bundled else folder()) / entry.file


def _parts_folder() -> Path:
    return folder() / ".partial"


def _parts(entry: Entry) -> list[Path]:
    return download.parts(entry.file, _parts_folder())


@contextmanager
def _scratch(name: str) -> Iterator[Path]:
    """Lend a name in the store for a file to be moved away; whatever stays there is deleted."""
    _parts_folder().mkdir(parents=True, exist_ok=True)
    path = _parts_folder() / f"copy-{os.getpid()}-{name}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"The weights' folder {folder()} could not be used: {error}; make room in it, or set "
            "FASTSAM3D_WEIGHTS to another folder."
        ) from error
