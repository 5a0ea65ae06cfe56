"""A teacher's features on disk: computed once, read at every epoch."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .augmentation import unvaried
from .errors import InputError
from .examples import Example
from .folders import make_folder
from .packing import write_tensors
from .teacher import Teacher
from .whole import write_text

INDEX = "index.json"
SHARD = 64
"""Examples in a file: some 300 MB of six layers 768 wide."""

TOGETHER = 4
"""Examples that the teacher is shown at once."""

IMAGES, SUMS = "image_checksums", "feature_checksums"
"""Beside the features in a file."""


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

    A file counts once it is whole; an interrupted filling goes on with the next. Each holds the
    teacher's hash, and beside an example's features their checksum and that of its image, so that
    none is taken for another's and none that has changed is learnt from.

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
        self._hash = teacher.sha256()
        expected = {"teacher": self._hash, "layers": layers, "examples_a_file": shard}
        path = folder / INDEX
        if not path.exists():
            write_text(path, json.dumps(expected))
        elif _read_index(path) != expected:
            raise self._is_of_others()

    def fill(self, examples: Examples) -> Iterator[int]:
        """Ask the teacher about all examples that are not there yet; yield how many are there.

        Raises:
            InputError: features there are not of these examples or not by this teacher, or a file
                is damaged or cannot be written.
        """
        for start in range(0, len(examples), self._shard):
            numbers = range(start, min(start + self._shard, len(examples)))
            path = self._path(start // self._shard)
            there = self._images(path) if path.exists() else []
            asked = [examples[number] for number in numbers]
            sums = [_image_sum(example) for example in asked]
            if there[: len(sums)] != sums[: len(there)]:
                raise self._is_of_others("other examples")
            if len(there) < len(asked):
                write_tensors(path, self._computed(asked, sums), {"teacher": self._hash})
            yield numbers.stop

    def is_full(self, count: int) -> bool:
        """Tell whether the features of `count` examples are there."""
        paths = [self._path(n) for n in range(-(-count // self._shard))]
        if not all(path.exists() for path in paths):
            return False
        return sum(len(self._images(path)) for path in paths) >= count

    def read(self, number: int, example: Example) -> Featured:
        """Return an example with its features.

        Raises:
            InputError: there are none, they are another example's or teacher's, or have changed.
        """
        path, place = self._path(number // self._shard), number % self._shard
        try:
            with safe_open(path, "pt") as file:
                teacher = (file.metadata() or {}).get("teacher")
                image, features = (int(file.get_slice(name)[place]) for name in (IMAGES, SUMS))
                values = file.get_slice("features")[place]
        except (OSError, SafetensorError, IndexError) as error:
            raise InputError(
                f"{self.folder} lacks the features of example {number}, or they are damaged; "
                "delete the folder and call again."
            ) from error
        if teacher != self._hash:
            raise self._is_of_others()
        if image != _image_sum(example):
            raise self._is_of_others("other examples")
        if features != _sum(values):
            raise InputError(f"{path} has changed; delete it and call again.")
        return Featured(
            example.image,
            example.objects,
            example.targets,
            tuple(values),
            intensities=example.intensities,
        )

    def _computed(self, examples: list[Example], images: list[int]) -> dict[str, Tensor]:
        parts = [
            self._features(examples[i : i + TOGETHER]) for i in range(0, len(examples), TOGETHER)
        ]
        features = torch.cat(parts)
        sums = torch.tensor([_sum(each) for each in features])
        return {"features": features, IMAGES: torch.tensor(images), SUMS: sums}

    def _features(self, examples: list[Example]) -> Tensor:
        """Return (n, layers, 8, 8, 8, C) float16 on the CPU."""
        device = self._teacher.network.device
        outputs = self._teacher.outputs([unvaried(example, device) for example in examples])
        ratio = len(outputs) // self._layers
        features = torch.stack(outputs[ratio - 1 :: ratio], 1).half().cpu()
        if not bool(features.isfinite().all()):
            raise InputError(
                "The teacher's features are too large for the cache's half precision; leave the "
                "cache out."
            )
        return features

    def _images(self, path: Path) -> list[int]:
        """Return the checksums of the images that a file holds the features of."""
        try:
            with safe_open(path, "pt") as file:
                teacher = (file.metadata() or {}).get("teacher")
                images: list[int] = file.get_tensor(IMAGES).tolist()
        except (OSError, SafetensorError) as error:
            raise _damaged(path) from error
        if teacher != self._hash:
            raise self._is_of_others()
        return images

    def _is_of_others(self, what: str = "another teacher or for another student") -> InputError:
        return InputError(
            f"{self.folder} holds the features of {what}; choose another folder for the cache, or "
            "delete it."
        )

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


def _image_sum(example: Example) -> int:
    return _sum(example.image)


def _sum(values: Tensor) -> int:
    return zlib.crc32(values.contiguous().numpy().tobytes())


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged, or of an earlier version; delete it and call again.")


def _read_index(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is damaged; delete its folder and call again.") from error
