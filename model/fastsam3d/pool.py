"""Examples prepared ahead: appended by one process, read by others, nothing computed twice."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .cube import SIZE
from .examples import Example
from .synthetic import GRID

TARGETS = "targets.jsonl"


class Pool:
    """A folder of examples that grows.

    Patches and objects lie one after another in two files of bytes; a line of a third names the
    targets. An example counts once its line is whole, and what an interrupted process left beyond
    the last line is written over. One process may append at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._targets: list[list[list[int]]] = []
        self._read = 0

    def append(self, example: Example) -> None:
        """Add an example."""
        count = len(self)
        _write_at(self._path("images"), count * SIZE**3, example.image)
        _write_at(self._path("objects"), count * GRID**3, example.objects)
        line = json.dumps(example.targets) + "\n"
        with (self.folder / TARGETS).open("ab") as file:
            file.truncate(self._read)
            file.write(line.encode())

    def __len__(self) -> int:
        """Count the examples written so far, by whichever process."""
        path = self.folder / TARGETS
        if path.exists() and path.stat().st_size > self._read:
            with path.open("rb") as file:
                file.seek(self._read)
                lines = file.read().split(b"\n")[:-1]
            self._targets += [json.loads(line) for line in lines]
            self._read += sum(len(line) + 1 for line in lines)
        return len(self._targets)

    def __getitem__(self, index: int) -> Example:
        """Read an example.

        Raises:
            IndexError: there are not so many.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"The pool holds {len(self)} examples, not one at {index}.")
        return Example(
            self._values("images", index, SIZE),
            self._values("objects", index, GRID),
            tuple(tuple(group) for group in self._targets[index]),
        )

    def _values(self, name: str, index: int, size: int) -> Tensor:
        values = np.fromfile(self._path(name), np.uint8, size**3, offset=index * size**3)
        return torch.from_numpy(values.reshape(size, size, size))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.u8"


def _write_at(path: Path, offset: int, values: Tensor) -> None:
    path.touch()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(values.cpu().numpy().tobytes())
