"""A disk without room, as far as this process is concerned."""

import sys
from contextlib import contextmanager

import pytest

needs_limits = pytest.mark.skipif(sys.platform == "win32", reason="files are limited as POSIX does")


@contextmanager
def no_room(most_bytes=1000):
    """Let no file grow beyond so many bytes meanwhile."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
