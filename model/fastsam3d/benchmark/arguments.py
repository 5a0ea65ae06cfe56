"""What the words of a command mean: datasets, weights and methods."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import InputError
from .ablation import fits
from .accuracy import manifest_file
from .forms import USUAL

DEFAULT = "fastsam3d-default"


def dataset_of(manifest: Path, name: str | None = None) -> str:
    """Name a manifest, by default after its folder.

    Raises:
        InputError: the name cannot be that of a folder.
    """
    chosen = name or manifest_file(manifest).parent.name
    if Path(chosen).name != chosen or chosen.startswith("."):
        raise InputError(
            f"Got the name {chosen!r} for a dataset; give one without / that does not begin with a "
            "dot."
        )
    return chosen


def datasets_of(manifests: Sequence[Path], name: str | None = None) -> list[str]:
    """Name manifests after their folders, or the only one as is asked.

    Raises:
        InputError: a name is not that of a folder, or two are the same, or one is for several.
    """
    if name and len(manifests) != 1:
        raise InputError(f"Got --name {name} and {len(manifests)} manifests; give it with one.")
    names: dict[str, Path] = {}
    for manifest in manifests:
        own = dataset_of(manifest, name)
        if own in names:
            raise InputError(
                f"Got two datasets called {own!r}, {names[own]} and {manifest}; rename a folder, "
                "or call `fastsam3d benchmark accuracy` for each, with --name."
            )
        names[own] = manifest
    return list(names)


def weights_of(given: Iterable[str]) -> tuple[tuple[str, Path], ...]:
    """Read "SYSTEM=FILE" texts.

    Raises:
        InputError: one is none of these.
    """
    return tuple(map(_weight, given))


def methods_of(named: Sequence[str], weights: Iterable[tuple[str, Path]]) -> tuple[str, ...]:
    """List what is measured: what was named, and systems with weights; ours if nothing was."""
    methods = tuple(dict.fromkeys([*named, *(system for system, _ in weights)]))
    return methods or (DEFAULT,)


def tokens_of(given: Sequence[int]) -> tuple[int, ...]:
    """Return the tokens a side that Table 4 is measured with; 8 and 16 if nothing is asked.

    Raises:
        InputError: with so many, two of the four forms do not exist.
    """
    if unfit := [tokens for tokens in given if tokens < 1 or not fits(tokens)]:
        raise InputError(
            f"Got {unfit[0]} tokens a side; give a multiple of 8, as the segments of sparse "
            f"attention (w {USUAL[0]}, r {USUAL[1]}) need."
        )
    return tuple(given) or (8, 16)


def _weight(text: str) -> tuple[str, Path]:
    system, sign, path = text.partition("=")
    if not (system and sign and path):
        raise InputError(f"Got --weights {text}; expected a system and a file, as sam=FILE.")
    return system, Path(path)
