"""Examples prepared ahead: appended by one process, read by another, nothing computed twice."""

import json
from pathlib import Path

import numpy as np
import torch

from .data import SIZE, Example
from .synthetic import GRID


class Pool:
    """A folder of examples that grows; an example counts once its targets are written."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._targets: list[list[list[int]]] = []
        self._read = 0

    def append(self, example: Example) -> None:
        """Add an example."""
        for name, values in (("images", example.image), ("objects", example.objects)):
            with (self.folder / f"{name}.u8").open("ab") as file:
                file.write(values.cpu().numpy().tobytes())
        with (self.folder / "targets.jsonl").open("a") as file:
            file.write(json.dumps(example.targets) + "\n")

    def __len__(self) -> int:
        """Count the examples written so far."""
        path = self.folder / "targets.jsonl"
        if path.exists() and path.stat().st_size > self._read:
            with path.open() as file:
                file.seek(self._read)
                lines = file.read().split("\n")[:-1]
            self._targets += [json.loads(line) for line in lines]
            self._read += sum(len(line) + 1 for line in lines)
        return len(self._targets)

    def __getitem__(self, index: int) -> Example:
        """Read an example."""
        return Example(
            self._values("images", index, SIZE),
            self._values("objects", index, GRID),
            tuple(tuple(group) for group in self._targets[index]),
        )

    def _values(self, name: str, index: int, size: int) -> torch.Tensor:
        with (self.folder / f"{name}.u8").open("rb") as file:
            file.seek(index * size**3)
            values = np.fromfile(file, np.uint8, size**3)
        return torch.from_numpy(values.reshape(size, size, size))
