"""Which hash a file of weights must have: the published one, or the one it was first trusted with.

A trusted hash lies beside the weights in the format of `sha256sum`, and is held to from then on.
"""

import hashlib
from pathlib import Path

from .errors import InputError
from .registry import Entry


def sha256_of(path: Path) -> str:
    """Compute a file's SHA256, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def expected_sha256(entry: Entry, folder: Path) -> str | None:
    """Return the hash a file must have, or None if it is neither published nor on record."""
    if entry.sha256 is not None or entry.bundled:
        return entry.sha256
    place = record_of(entry, folder)
    return place.read_text().partition(" ")[0] if place.is_file() else None


def record_of(entry: Entry, folder: Path) -> Path:
    """Return where the hash of weights is kept that were trusted on first use."""
    return folder / f"{entry.file}.sha256"


def line_for(entry: Entry, sha256: str) -> str:
    """Write the record's only line."""
    return f"{sha256}  {entry.file}\n"


def check_first_use(entry: Entry, folder: Path, *, trust_first_use: bool) -> None:
    """Refuse weights without a known hash unless the user asked to trust them.

    Raises:
        InputError: says how to ask.
    """
    if expected_sha256(entry, folder) is None and not trust_first_use:
        raise InputError(
            f"No hash of {entry.file} ({entry.source}) is known to check it against; add "
            "`--trust-first-use` to accept it as it is and to be told if it ever changes."
        )


def check_hash(entry: Entry, sha256: str, expected: str | None, advice: str) -> None:
    """Refuse a file that is not the expected one.

    Raises:
        InputError: ends with the advice.
    """
    if expected is not None and sha256 != expected:
        raise InputError(
            f"{entry.file} has the SHA256 {sha256}, expected was {expected}: "
            f"it is damaged or another version, and was refused; {advice}."
        )


def advice_on_candidate(entry: Entry, folder: Path) -> str:
    """Say what to do about a file that was refused."""
    advice = f"get it from {entry.source}"
    if entry.sha256 is not None:
        return advice
    return f"{advice}, or delete {record_of(entry, folder)} to trust another file"


def advice_on_installed(entry: Entry) -> str:
    """Say what to do about installed weights that have changed."""
    if entry.bundled:
        return "install the package again"
    return f"run `fastsam3d weights remove {entry.name}`, then `fastsam3d weights get {entry.name}`"
