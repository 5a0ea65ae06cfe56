"""The folder of an evaluation's tables: of it alone, so that no other replaces them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256

from .claim import claim
from .folders import make_folder
from .measure import Measurement
from .segment import Engine

NOTE = "evaluation.json"
"""What the folder holds, beside tables and records."""

_ELSEWHERE = ("output", "save_masks")
"""What does not change a result."""


@contextmanager
def held(asked: Measurement, engine: Engine) -> Iterator[None]:
    """Keep the folder for this evaluation; one that comes to nothing leaves none behind.

    Raises:
        InputError: the folder holds another evaluation, or cannot be made.
    """
    folder = asked.output
    if folder is None:
        yield
        return
    there = folder.is_dir()
    make_folder(folder)
    note = folder / NOTE
    noted = note.exists()
    claim(note, _described(asked, engine), "evaluation")
    try:
        yield
    finally:
        if not noted and [path.name for path in folder.iterdir()] == [NOTE]:
            note.unlink()
            if not there:
                folder.rmdir()


def _described(asked: Measurement, engine: Engine) -> dict[str, object]:
    settings = {name: value for name, value in asdict(asked).items() if name not in _ELSEWHERE}
    settings["manifest"] = str(asked.manifest.resolve())
    settings["against"] = list(asked.against)
    settings["masks"] = asked.masks and str(asked.masks.resolve())
    return settings | ({} if asked.masks else {"weights": _weights(engine)})


def _weights(engine: Engine) -> str:
    """Name the network, and its weights by their content if they are a file of the user's."""
    path = engine.checkpoint
    if path is None or not path.is_file():
        return engine.preset
    return f"{engine.preset} {sha256(path.read_bytes()).hexdigest()[:8]}"
