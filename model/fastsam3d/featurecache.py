"""A teacher's features on disk: computed once, read at every epoch."""

import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .errors import InputError
from .examples import Example
from .folders import make_folder
from .teacher import Teacher

INDEX = "index.json"
SHARD = 64
"""Examples in a file: some 300 MB of six layers 768 wide."""

TOGETHER = 4
"""Examples that the teacher is shown at once."""


class Examples(Protocol):
    """What `Pool` is to a reader."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Example: ...


@dataclass(frozen=True)
class Featured(Example):
    """An example with what a teacher's layers make of it, unvaried.

    features: one (8, 8, 8, C) float16 for each layer of the student.
    """

    features: tuple[Tensor, ...]


class FeatureCache:
    """The features of some examples by one teacher, float16, in files of `SHARD` examples.

    A file counts once it is whole; an interrupted filling goes on with the next. Beside an
    example's features lies the checksum of its image, so that none is taken for another's.

    Args:
        folder: for the files; made if need be.
        teacher: whose features they are.
        layers: of the student, each of which follows one of the teacher's.
        shard: examples in a file.

    Raises:
        InputError: the folder holds features of another teacher or for another depth.
    """

    def __init__(self, folder: Path, teacher: Teacher, layers: int, *, shard: int = SHARD) -> None:
        make_folder(folder)
        self.folder, self._teacher, self._layers, self._shard = folder, teacher, layers, shard
        expected = {"teacher": teacher.sha256(), "layers": layers, "examples_a_file": shard}
        path = folder / INDEX
        if not path.exists():
            _write_whole(path, lambda scratch: scratch.write_text(json.dumps(expected)))
        elif _read_index(path) != expected:
            raise InputError(
                f"{folder} holds the features of another teacher or for another student; choose "
                "another folder for the cache, or delete it."
            )

    def fill(self, examples: Examples) -> Iterator[int]:
        """Ask the teacher about all examples that are not there yet; yield how many are there.

        Raises:
            InputError: features there are not of these examples.
        """
        for start in range(0, len(examples), self._shard):
            numbers = range(start, min(start + self._shard, len(examples)))
            path = self._path(start // self._shard)
            if not path.exists() or _length(path) < len(numbers):
                content = self._computed([examples[number] for number in numbers])
                _write_whole(path, partial(save_file, content))
            yield numbers.stop

    def is_full(self, count: int) -> bool:
        """Tell whether the features of `count` examples are there."""
        paths = [self._path(n) for n in range(-(-count // self._shard))]
        return all(path.exists() for path in paths) and sum(map(_length, paths)) >= count

    def read(self, number: int, example: Example) -> Featured:
        """Return an example with its features.

        Raises:
            InputError: there are none, or they are another example's.
        """
        path = self._path(number // self._shard)
        try:
            with safe_open(path, "pt") as file:
                place = number % self._shard
                checksum = int(file.get_slice("checksums")[place])
                values = file.get_slice("features")[place]
        except (OSError, SafetensorError, IndexError) as error:
            raise InputError(
                f"{self.folder} lacks the features of example {number}; delete the folder and "
                "call again."
            ) from error
        if checksum != _checksum(example):
            raise InputError(
                f"{self.folder} holds the features of other examples; choose another folder for "
                "the cache, or delete it."
            )
        return Featured(example.image, example.objects, example.targets, tuple(values))

    def _computed(self, examples: list[Example]) -> dict[str, Tensor]:
        parts = [
            self._features(examples[i : i + TOGETHER]) for i in range(0, len(examples), TOGETHER)
        ]
        checksums = torch.tensor([_checksum(example) for example in examples])
        return {"features": torch.cat(parts), "checksums": checksums}

    def _features(self, examples: list[Example]) -> Tensor:
        """Return (n, layers, 8, 8, 8, C) float16 on the CPU."""
        device = self._teacher.network.device
        outputs = self._teacher.outputs([e.image.to(device).float() / 255 for e in examples])
        ratio = len(outputs) // self._layers
        features = torch.stack(outputs[ratio - 1 :: ratio], 1).half().cpu()
        if not bool(features.isfinite().all()):
            raise InputError(
                "The teacher's features are too large for the cache's half precision; leave the "
                "cache out."
            )
        return features

    def _path(self, file: int) -> Path:
        return self.folder / f"features-{file:05d}.safetensors"


class WithFeatures:
    """Examples together with their features from a full cache, read one at a time."""

    def __init__(self, examples: Examples, cache: FeatureCache) -> None:
        self._examples, self._cache = examples, cache

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Featured:
        """Read an example with its features."""
        return self._cache.read(index, self._examples[index])


def _checksum(example: Example) -> int:
    return zlib.crc32(example.image.numpy().tobytes())


def _length(path: Path) -> int:
    try:
        with safe_open(path, "pt") as file:
            length: int = file.get_slice("checksums").get_shape()[0]
    except (SafetensorError, KeyError) as error:
        raise InputError(f"{path} is damaged; delete it and call again.") from error
    return length


def _read_index(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is damaged; delete its folder and call again.") from error


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file, whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
