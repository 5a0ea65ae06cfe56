"""A folder holds one thing alone: what that is, it keeps in a note."""

import json
from pathlib import Path

from .devices import is_first
from .errors import InputError
from .whole import write_text


def claim(note: Path, asked: dict[str, object], what: str) -> None:
    """Refuse a folder that holds another thing; note what this one is.

    Args:
        note: the file in the folder.
        asked: what decides the result.
        what: a word for it.

    Raises:
        InputError: the note is of another, or damaged, or cannot be written.
    """
    text = json.dumps(asked, indent=1) + "\n"
    if not is_first() or (note.exists() and note.read_text() == text):
        return
    if note.exists():
        raise InputError(f"{note.parent} holds {_other(note, text, what)}; choose another folder.")
    write_text(note, text)


def _other(note: Path, text: str, what: str) -> str:
    try:
        there, wanted = json.loads(note.read_text()), json.loads(text)
        differ = [name for name in wanted if there.get(name) != wanted[name]]
    except (ValueError, AttributeError):
        return f"a damaged {note.name}"
    return f"another {what}, with another {' and '.join(differ)}"
