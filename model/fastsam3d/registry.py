"""The weights there are: where each comes from, its licence, its size, its hash."""

from dataclasses import dataclass
from pathlib import Path

from .errors import InputError

BUNDLED_FOLDER = Path(__file__).parent / "weights"
"""Data that comes with the package."""

DEFAULT_SHA256: str | None = "639b616ae0c3db471c89d6058566f54fd4992558cfd0c02eabafbdf6eddb5927"
"""SHA256 of the default's file; changed together with the file, held by a test."""


@dataclass(frozen=True)
class Entry:
    """One file of weights.

    Attributes:
        name: what commands call it.
        preset: the network it belongs to.
        file: its name on the server and on the disk.
        licence: as its page states it.
        repo: owner/name on Hugging Face; None if it comes with the package.
        size_mb: in 10⁶ bytes, as its page states it.
        sha256: as its page states it; None if the page was not read.
    """

    name: str
    preset: str
    file: str
    licence: str
    repo: str | None = None
    size_mb: int | None = None
    sha256: str | None = None

    @property
    def bundled(self) -> bool:
        """Tell whether it comes with the package."""
        return self.repo is None

    @property
    def source(self) -> str:
        """Say where it comes from."""
        return "this package" if self.repo is None else f"https://huggingface.co/{self.repo}"


ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="fastsam3d-default",
        preset="fastsam3d-default",
        file="fastsam3d-default.safetensors",
        licence="Apache-2.0",
        sha256=DEFAULT_SHA256,
    ),
    Entry(
        name="sam-med3d",
        preset="sam-med3d",
        file="sam_med3d_turbo.pth",
        licence="Apache-2.0, says its page",
        repo="blueyo0/SAM-Med3D",
        size_mb=402,
        sha256="899a46d04d3b70f723282ceb489149373558bf0aaba389a346f5ab57da5cdd3c",
    ),
    Entry(
        name="fastsam3d",
        preset="fastsam3d",
        file="FastSAM3D.pth",
        licence="Apache-2.0, says its page",
        repo="techlove/FastSAM3D",
        size_mb=638,
    ),
)


def find(name: str) -> Entry:
    """Look weights up by name.

    Raises:
        InputError: there are none of that name.
    """
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in ENTRIES)
    raise InputError(f"There are no weights called {name!r}; known are {known}.")


def of_preset(preset: str) -> Entry:
    """Look up the weights that belong to a network.

    Raises:
        InputError: none belong to it.
    """
    for entry in ENTRIES:
        if entry.preset == preset:
            return entry
    known = ", ".join(entry.preset for entry in ENTRIES)
    raise InputError(f"No weights belong to a preset {preset!r}; presets with weights are {known}.")
