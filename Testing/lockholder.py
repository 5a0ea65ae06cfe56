"""A process of its own that holds a folder."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import fastsam3d

HOLDS = """
import os, sys
from pathlib import Path
from fastsam3d.lock import locked
with locked(Path(sys.argv[1])):
    if len(sys.argv) > 2 and os.fork():
        os.kill(os.getpid(), 9)
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder, *options):
    """Run a process that holds a folder, until its input ends."""
    environment = os.environ | {"PYTHONPATH": str(Path(fastsam3d.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.stdin.close()
