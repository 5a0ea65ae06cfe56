"""Changes the store of weights in a process of its own, so that Slicer's window stays alive.

`storekeeper.py WANTED get NAME` downloads, `storekeeper.py WANTED import NAME PATH` takes a file.
As soon as the file WANTED is gone it leaves off and tidies up: a signal would reach no further than
the launcher that starts Slicer's Python.
"""

import _thread
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

STEP_S = 0.1


def main(wanted: str, verb: str, name: str, path: str = "") -> None:
    """Download weights or take a file of them; what goes wrong ends the process with a word."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's background
    threading.Thread(target=_watch, args=(Path(wanted),), daemon=True).start()
    from fastsam3d import store

    if verb == "get":
        store.get(name, trust_first_use=True)
    elif path.endswith(".safetensors"):
        _take_safetensors(name, Path(path))
    else:
        store.import_file(name, Path(path), trust_first_use=True)


def _watch(wanted: Path) -> None:
    while wanted.exists():
        time.sleep(STEP_S)
    _thread.interrupt_main()


def _take_safetensors(name: str, path: Path) -> None:
    """Write weights in the form in which the store keeps them, then take them."""
    import torch

    from fastsam3d import checkpoints, store

    state = checkpoints.read_state(path)
    with tempfile.TemporaryDirectory(prefix="fastsam3d-") as folder:
        copy = Path(folder) / f"{path.stem}.pth"
        torch.save(state, copy)
        store.import_file(name, copy, trust_first_use=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
