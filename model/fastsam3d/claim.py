"""A folder holds one thing alone: what that is, it keeps in a note."""

import json
from collections.abc import Iterator
from pathlib import Path

from .devices import is_first
from .errors import InputError
from .whole import write_text

_HELD = {
    "training": "training by `fastsam3d train`",
    "distillation": "distillation by `fastsam3d distill`",
    "ablation-plan": "comparison by `fastsam3d distill-ablation`",
}
"""By the stem of its note: what a command that learns leaves in its folder."""

_TRACES = (".json", ".ckpt")
"""A note, or the checkpoint of a training that was made before trainings had notes."""


def check_holder(note: Path) -> None:
    """Refuse a folder in which another command learnt, unless this note is there already.

    Raises:
        InputError: it did.
    """
    if not is_first() or note.exists():
        return
    for stem, held in _HELD.items():
        traces = (note.with_name(stem + suffix) for suffix in _TRACES)
        if stem != note.stem and any(trace.exists() for trace in traces):
            raise InputError(f"{note.parent} holds a {held}; choose another folder.")


def claim(
    note: Path,
    asked: dict[str, object],
    what: str,
    instead: str = "choose another folder",
    *,
    binding: bool = True,
) -> None:
    """Refuse a folder that holds another thing; note what this one is.

    Args:
        note: the file in the folder.
        asked: what decides the result; None is as if it were not there.
        what: a word for it.
        instead: what a user who is refused is to do.
        binding: whether a note that is there counts; False while nothing came of it.

    Raises:
        InputError: the note is of another, or damaged, or cannot be written.
    """
    text = json.dumps(asked, indent=1) + "\n"
    if not is_first() or (note.exists() and note.read_text() == text):
        return
    if binding and note.exists():
        _refuse_another(note, json.loads(text), what, instead)
    write_text(note, text)


def _refuse_another(note: Path, wanted: dict[str, object], what: str, instead: str) -> None:
    try:
        there = json.loads(note.read_text())
        differ = [n for n in {**wanted, **there} if there.get(n) != wanted.get(n)]
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{note.parent} holds a damaged {note.name}; {instead}.") from error
    if differ:
        has, asked = _apart(there, wanted)
        raise InputError(
            f"{note.parent} holds another {what}, with another {' and '.join(differ)}; {instead}. "
            f"It has {has}; asked for: {asked}."
        )


def _apart(there: dict[str, object], wanted: dict[str, object]) -> tuple[str, str]:
    """Say the values that differ, of what is there and of what is asked for."""
    sides = [dict(_leaves(side)) for side in (there, wanted)]
    differ = [n for n in sides[1] | sides[0] if sides[0].get(n) != sides[1].get(n)]
    has, asked = (" and ".join(f"{n} {_said(side.get(n))}" for n in differ) for side in sides)
    return has, asked


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value by its name, and a nested one by those of all that it is in."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name} {key}".strip())
    else:
        yield name, value


def _said(value: object) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
