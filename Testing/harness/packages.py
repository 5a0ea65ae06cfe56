"""Which Debian packages the tests of views and panel still need; as a program, print them."""

import ctypes
import inspect
import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

LIBRARIES = {
    "libdbus-1-3": ("libdbus-1.so.3",),
    "libegl-mesa0": ("libEGL_mesa.so.0",),
    "libegl1": ("libEGL.so.1",),
    "libfontconfig1": ("libfontconfig.so.1",),
    "libgl1": ("libGL.so.1",),
    "libglib2.0-0": ("libglib-2.0.so.0",),
    "libosmesa6": ("libOSMesa.so.8", "libOSMesa.so.6"),
    "libxkbcommon0": ("libxkbcommon.so.0",),
}
"""What each package brings: any one of its files will do."""

MODULES = ("slicer", "PySide6")
"""What pip brings, for the versions of Python that Slicer's core is built for."""

OPTIONAL = {"libosmesa6"}
"""Draws where EGL cannot; newer systems have it no more."""


@cache
def missing() -> list[str]:
    """Return the packages of which no file can be loaded; none where Linux is not."""
    if sys.platform != "linux":
        return []
    return [package for package, files in LIBRARIES.items() if not any(map(_loads, files))]


def needed() -> list[str]:
    """Return the missing packages without which nothing can be drawn."""
    return [package for package in missing() if package not in OPTIONAL]


def apt_line() -> str:
    """Return the line that installs what is missing."""
    return f"sudo apt-get install --no-install-recommends {' '.join(missing())}"


def require() -> None:
    """Skip the test file that calls this if something is missing; fail where none may be skipped.

    Raises:
        RuntimeError: something is missing and `CI` is set.
    """
    import pytest

    modules = [name for name in MODULES if find_spec(name) is None]
    if not needed() and not modules:
        return
    cure = f"make clean test, with Python 3.11 to 3.13 ({', '.join(modules)} is missing)"
    file = Path(inspect.stack()[1].filename).name  # else pytest takes all of them for one
    message = f"{file} NOT RUN, needs: {cure if modules else apt_line()}"
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise RuntimeError(message)
    pytest.skip(message, allow_module_level=True)


def _loads(file: str) -> bool:
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    print(*missing() if needed() else [])  # noqa: T201 -- the Makefile reads it
