"""The weights there are: what can be said of them, fetched in a process of its own, removed."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .errors import UserError
from .language import tr as _

STEP_S = 0.05
CODE = "import sys; from fastsam3d import store; store.get(sys.argv[1], trust_first_use=True)"

Progress = Callable[[float | None], bool]
"""Called with the share that has arrived, None if unknown; returns whether to go on."""


def names() -> list[str]:
    """Return what the weights are called, the default first."""
    from fastsam3d import registry

    return [entry.name for entry in registry.ENTRIES]


def source(name: str) -> str:
    """Say where weights come from, as HTML."""
    from fastsam3d import registry

    entry = registry.find(name)
    if entry.bundled:
        return _("come with this module")
    return f'<a href="{entry.source}">{entry.source.removeprefix("https://")}</a>'


def licence(name: str) -> str:
    """Name the licence of weights."""
    from fastsam3d import registry

    return registry.find(name).licence


def size(name: str) -> str:
    """Say how large weights are, and whether they are here."""
    from fastsam3d import store

    row = next(row for row in store.rows() if row.name == name)
    states = {
        "bundled": _("here"),
        "installed": _("here"),
        "not trusted": _("here, but of unknown content: download them again"),
        "incomplete": _("a part is here: the download goes on from it"),
        "missing": _("not here yet"),
    }
    megabytes = "" if row.size_mb is None else f"{row.size_mb:.0f} MB, "
    return f"{megabytes}{states[row.status]}"


def isHere(name: str) -> bool:
    """Tell whether weights can be used."""
    from fastsam3d import store

    return any(row.name == name and row.status in ("bundled", "installed") for row in store.rows())


def isRemovable(name: str) -> bool:
    """Tell whether there is anything of weights to remove."""
    from fastsam3d import store

    kept = ("installed", "not trusted", "incomplete")
    return any(row.name == name and row.status in kept for row in store.rows())


def isUnknown(name: str) -> bool:
    """Tell whether nobody has said which hash the file of weights should have."""
    from fastsam3d import registry

    entry = registry.find(name)
    return entry.sha256 is None and not entry.bundled


def remove(name: str) -> None:
    """Delete weights from this computer.

    Raises:
        UserError: they cannot be removed.
    """
    from fastsam3d import store
    from fastsam3d.errors import InputError

    try:
        store.remove(name)
    except InputError as error:
        raise UserError(str(error)) from error


def fetch(name: str, progress: Progress) -> bool:
    """Download weights and check them; what has arrived of a broken download is kept.

    Args:
        name: of the weights.
        progress: called in short steps; the window lives by it.

    Returns:
        Whether they are here: False if it was left off.

    Raises:
        UserError: they could not be fetched, or are not what they should be.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [_python(), "-c", CODE, name],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        try:
            while process.poll() is None:
                if not progress(_share(name)):
                    return False
                time.sleep(STEP_S)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if process.returncode:
            log.seek(0)
            raise UserError(_reason(log.read()))
    return True


def _python() -> str:
    return shutil.which("PythonSlicer") or sys.executable


def _environment() -> dict[str, str]:
    import fastsam3d

    folder = str(Path(fastsam3d.__file__).parent.parent)
    paths = [folder, os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _share(name: str) -> float | None:
    from fastsam3d import download, registry, store

    entry = registry.find(name)
    parts = download.parts(entry.file, store.folder() / ".partial")
    if entry.size_mb is None or not parts:
        return None
    return min(1.0, sum(part.stat().st_size for part in parts) / (entry.size_mb * 1e6))


def _reason(said: str) -> str:
    """Return the last thing that a process said, without the name of its exception."""
    lines = [line for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else _("The download ended without a word")
    kind, colon, message = last.partition(": ")
    return message if colon and kind.endswith("Error") else last
