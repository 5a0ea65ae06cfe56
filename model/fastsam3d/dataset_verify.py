"""Whether a prepared dataset is still as it was written."""

import csv
from collections.abc import Iterator
from pathlib import Path

from .dataset_folder import files_of, hash_of, read_record, records, table_hashes
from .dataset_prepare import MANIFEST, REPORT
from .errors import InputError
from .trust import sha256_of

_AGAIN = "run the command without --verify"


def verify(out: Path) -> list[str]:
    """Compare every file with the hash it was written with; return a sentence for each fault.

    Hashes are those of the records, and those that the manifest names; both have to agree.

    Raises:
        InputError: the folder holds nothing prepared.
    """
    outcomes = {path: read_record(path) for path in records(out)}
    written = {
        file.path: file.sha256
        for outcome in outcomes.values()
        for file in (files_of(outcome) if outcome else ())
    }
    listed = _listed(out / MANIFEST)
    if not outcomes and not listed:
        raise InputError(f"{out} holds nothing that was prepared; prepare a dataset into it first.")
    faults = [
        f"{path.relative_to(out)} is damaged; {_AGAIN} to make it and its files."
        for path, outcome in outcomes.items()
        if outcome is None
    ]
    faults += _of_tables(out)
    faults += [
        f"{MANIFEST} has another hash of {path} than it was written with; {_AGAIN}."
        for path in sorted(written.keys() & listed.keys())
        if written[path] != listed[path]
    ]
    return faults + list(_of_files(out, listed | written))


def _of_tables(out: Path) -> Iterator[str]:
    for name in (MANIFEST, REPORT):
        if not (out / name).is_file():
            yield f"{name} is missing; {_AGAIN} to make it."
        elif [hash_of(out / name)] != table_hashes(out, name)[-1:]:
            yield f"{name} has changed; move it elsewhere and {_AGAIN}."


def _of_files(out: Path, hashes: dict[str, str]) -> Iterator[str]:
    for path, sha256 in hashes.items():
        if not (out / path).is_file():
            yield f"{path} is missing; {_AGAIN} to make it."
        elif sha256_of(out / path) != sha256:
            yield f"{path} has changed; {_AGAIN} to make it again."


def _listed(manifest: Path) -> dict[str, str]:
    """Read the hashes that a manifest names; none where it cannot be read."""
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return {
        line[what]: line[f"{what}_sha256"]
        for line in lines
        for what in ("image", "label")
        if line.get(what) and line.get(f"{what}_sha256")
    }
