"""Files that are written whole or not at all, and one sentence where they cannot be."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from .errors import InputError

_PARTIAL = ".????????-"
"""What a file's name begins with while it is written."""


def write_whole(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place: all of it or nothing.

    Raises:
        InputError: it cannot be written, for want of room or permission; what was there stays.
    """
    path = Path(path)
    partial = path.with_name(f".{uuid4().hex[:8]}-{path.name}")
    try:
        with writing(path):
            write(partial)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text as UTF-8, its line ends as they are.

    Raises:
        InputError: as `write_whole`.
    """
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8", newline=""))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say which file it was that could not be written.

    Raises:
        InputError: it cannot be written, for want of room or permission.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None)
        raise InputError(
            f"Writing {path} failed{f' ({reason})' if reason else ''}; see whether the disk is "
            "full or the folder protected."
        ) from error


def sweep(path: Path) -> None:
    """Remove what processes that were killed left of a file, which nobody else may be writing."""
    for partial in path.parent.glob(_PARTIAL + path.name):
        partial.unlink(missing_ok=True)
