"""A folder that one command works in at a time, held by the system until its process ends."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .errors import InputError

LOCK = ".lock"
"""The file in the folder. It stays behind and means nothing: only who holds it counts."""

_BEYOND = 1 << 20
"""The byte that is held, far behind the text, which Windows would not let others read."""

_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder alone meanwhile, against other processes, on other machines too.

    The system lets go of it when the process ends, however that comes. On disks that cannot hold
    files the folder is not held.

    Raises:
        InputError: another process holds it, or it cannot be written to.
    """
    try:
        (folder / LOCK).touch()
        file = (folder / LOCK).open("r+b")
    except OSError as error:
        raise InputError(
            f"Cannot write into {folder}: {error.strerror}; choose another."
        ) from error
    with file:
        try:
            _take(file)
        except OSError as error:
            if error.errno in _TAKEN:
                raise InputError(
                    f"{folder} is in use by {_holder(file)}; wait for it to end, or choose another "
                    "folder."
                ) from error
        _sign(file)
        yield


def _take(file: IO[bytes]) -> None:
    """Hold a file; forked children do not, and so do not outlive it with it.

    Raises:
        OSError: another process holds it, or the disk cannot hold files.
    """
    file.seek(_BEYOND)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _BEYOND)


def _sign(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()
    file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
    file.flush()


def _holder(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(200).decode(errors="replace") or "another process"
