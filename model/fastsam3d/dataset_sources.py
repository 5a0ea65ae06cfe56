"""What a prepared item was made from, so that a change of it is noticed."""

from pathlib import Path
from typing import Any

from .dataset_item import Item


def made_from(item: Item) -> dict[str, Any]:
    """Describe the source of an item, as JSON holds it: size and time of its files, label names."""
    label = [item.label] if item.label else []
    files = [*(channel.image for channel in item.channels), *label, *item.masks.values()]
    return {
        "files": {f"{path.parent.name}/{path.name}": _state(path) for path in files},
        "names": {str(value): name for value, name in item.names.items()},
    }


def changes(before: dict[str, Any] | None, now: dict[str, Any]) -> str:
    """Name the first thing that differs between two descriptions."""
    if before is None:
        return "what it was made from is not on record"
    files, known = now["files"], before["files"]
    other = (name for name in sorted(files | known) if files.get(name) != known.get(name))
    return next(other, "the names of its labels")


def _state(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]
