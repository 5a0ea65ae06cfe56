"""A file of JSON objects, one a line, that is safe against a crash at any moment."""

import json
import os
from pathlib import Path
from typing import Any


def whole_lines(path: Path) -> list[bytes]:
    """Read the lines of a file, none if there is no file; a last line without an end is left out.

    A crash may have cut it short.
    """
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1].splitlines()


def drop_cut_line(path: Path) -> None:
    """Remove a last line without an end, so that the next one begins on its own."""
    if path.exists():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)


def add_line(path: Path, record: dict[str, Any]) -> None:
    """Append an object and wait until it is written."""
    with path.open("ab") as file:
        file.write((json.dumps(record) + "\n").encode())
        file.flush()
        os.fsync(file.fileno())
