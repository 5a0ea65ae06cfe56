"""The weights there are: what can be said of them; fetched, taken from a file, removed."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import install
from .errors import UserError
from .language import tr as _

STEP_S = 0.05
GRACE_S = 2.0
"""How long a process may take to tidy up before it is killed."""
SCRIPT = Path(__file__).with_name("storekeeper.py")
"""What changes the store, in a process of its own."""

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
    state = states[row.status]
    if row.size_mb is None:
        return state
    return _("{size:.0f} MB, {state}").format(size=row.size_mb, state=state)


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
    return _apart(("get", name), progress, lambda: _share(name))


def take(name: str, path: Path, progress: Progress) -> bool:
    """Check a file that was got by other means, and copy it: all of it, or nothing.

    Args:
        name: of the weights that it should hold.
        path: a .pth, .pt or .safetensors file.
        progress: called in short steps, the share unknown; the window lives by it.

    Returns:
        Whether they are here: False if it was left off.

    Raises:
        UserError: it cannot be read, or is not what it should be.
    """
    if install.missing():
        raise UserError(
            _("The file is checked with PyTorch: install it first, with the button above.")
        )
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(
            _("{path} cannot be read ({error}): choose another file.").format(
                path=path, error=error.strerror
            )
        ) from error
    try:
        return _apart(("import", name, str(path)), progress, lambda: None)
    finally:
        _sweep(name)


def _apart(
    arguments: tuple[str, ...], progress: Progress, share: Callable[[], float | None]
) -> bool:
    """Run the script; return whether it came to its end, False if it was left off."""
    with tempfile.TemporaryDirectory(prefix="fastsam3d-", ignore_cleanup_errors=True) as folder:
        wanted, log = Path(folder, "wanted"), Path(folder, "log.txt")
        wanted.touch()
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [_python(), "-P", str(SCRIPT), str(wanted), *arguments],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=_environment(),
            )
        try:
            while process.poll() is None:
                if not progress(share()):
                    return False
                time.sleep(STEP_S)
        finally:
            wanted.unlink()
            _end(process)
        if process.returncode:
            raise UserError(_reason(log.read_text(encoding="utf-8", errors="replace")))
    return True


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _sweep(name: str) -> None:
    """Delete what a process that had to be killed has copied."""
    from fastsam3d import registry, store

    for copy in (store.folder() / ".partial").glob(f"copy-*-{registry.find(name).file}"):
        copy.unlink(missing_ok=True)


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
    last = lines[-1] if lines else _("It ended without a word")
    kind, colon, message = last.partition(": ")
    return message if colon and kind.endswith("Error") else last
