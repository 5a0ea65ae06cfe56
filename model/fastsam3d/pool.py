"""Examples prepared ahead: appended by one process, read by others, nothing computed twice."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from .cube import SIZE
from .devices import is_first
from .errors import InputError
from .examples import Example, Intensities
from .folders import make_folder
from .synthetic import GRID
from .whole import writing

TARGETS = "targets.jsonl"

NOTE = "pool.json"
"""What a folder of examples says of them; without one, their patches are of many spacings."""


@dataclass(frozen=True)
class _Line:
    """What a line of `TARGETS` says of an example; `unit` and `is_ct` are of its intensities."""

    targets: tuple[tuple[int, ...], ...]
    unit: float | None = None
    is_ct: bool = False


class Pool:
    """A folder of examples that grows.

    Patches and objects lie one after another in two files of bytes, intensities, where they are
    kept, in a third; a line of a fourth names the targets. An example counts once its line is
    whole, and what an interrupted process left beyond the last line is written over. One process
    may append at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lines: list[_Line] = []
        self._read = 0

    def append(self, example: Example) -> None:
        """Add an example.

        Raises:
            InputError: it cannot be written, such as on a full disk.
        """
        with writing(self.folder):
            self._append(example)

    def _append(self, example: Example) -> None:
        count = len(self)
        _write_at(self._path("images.u8"), count * SIZE**3, example.image)
        _write_at(self._path("objects.u8"), count * GRID**3, example.objects)
        if (kept := example.intensities) is not None:
            _write_at(self._path("intensities.f16"), 2 * count * SIZE**3, kept.values)
        line = json.dumps(_written(example)) + "\n"
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
            self._lines += [_read(line) for line in lines]
            self._read += sum(len(line) + 1 for line in lines)
        return len(self._lines)

    def __getitem__(self, index: int) -> Example:
        """Read an example.

        Raises:
            IndexError: there are not so many.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"The pool holds {len(self)} examples, not one at {index}.")
        line = self._lines[index]
        intensities = None
        if line.unit is not None:
            values = self._values("intensities.f16", index, SIZE, np.float16)
            intensities = Intensities(values, line.unit, line.is_ct)
        return Example(
            self._values("images.u8", index, SIZE),
            self._values("objects.u8", index, GRID),
            line.targets,
            intensities=intensities,
        )

    def _values(self, name: str, index: int, size: int, kind: DTypeLike = np.uint8) -> Tensor:
        start = index * size**3 * np.dtype(kind).itemsize
        values = np.fromfile(self._path(name), kind, size**3, offset=start)
        return torch.from_numpy(values.reshape(size, size, size))

    def _path(self, name: str) -> Path:
        return self.folder / name


def claim_spacing(folder: Path, spacing_mm: float | None) -> None:
    """Note the spacing of examples to be prepared, or check that of those that are there.

    Raises:
        InputError: as `check_spacing`, or the folder cannot be made.
    """
    if (folder / TARGETS).is_file():
        check_spacing(folder, spacing_mm)
    elif is_first():
        make_folder(folder)
        (folder / NOTE).write_text(json.dumps({"spacing_mm": spacing_mm}) + "\n")


def check_spacing(folder: Path, spacing_mm: float | None) -> None:
    """Check that a folder's examples are of a spacing; None is of many.

    Raises:
        InputError: they are of another, or the note of it is damaged.
    """
    there = _noted(folder / NOTE)
    if there != spacing_mm:
        raise InputError(
            f"{folder} holds examples {_spaced(there)}, and these networks learn from examples "
            f"{_spaced(spacing_mm)}; choose another folder, or a manifest as the source."
        )


def _noted(note: Path) -> float | None:
    try:
        spacing_mm: float | None = json.loads(note.read_text())["spacing_mm"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{note} is damaged; delete its folder and call again.") from error
    return spacing_mm


def _spaced(spacing_mm: float | None) -> str:
    return "of many spacings" if spacing_mm is None else f"of {spacing_mm:g} mm"


def _written(example: Example) -> object:
    """Return what stands in a line: the targets or, with intensities, these things by name."""
    if (kept := example.intensities) is None:
        return example.targets
    return {"targets": example.targets, "unit": kept.unit, "is_ct": kept.is_ct}


def _read(line: bytes) -> _Line:
    said = json.loads(line)
    named = said if isinstance(said, dict) else {"targets": said}
    return _Line(**{**named, "targets": tuple(tuple(group) for group in named["targets"])})


def _write_at(path: Path, offset: int, values: Tensor) -> None:
    path.touch()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(values.cpu().numpy().tobytes())
