"""Reads weights: the published `.pth` in its three forms, and our own safetensors.

A `.pth` is a pickle, and a pickle may call anything. So it is read with `weights_only=True`, and
the few types that published files hold beside their tensors are let in as stand-ins that keep
nothing.
"""

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import packing, registry, store
from .config import PRESETS
from .errors import InputError

ENCODER = "image_encoder."
ENCODER_MARK = "patch_embed.proj.weight"
DECODER_PRESET = "sam-med3d"
"""An encoder alone is used with this network's prompt encoder and mask decoder."""

_NESTED = ("model_state_dict", "model")
"""Under which files keep their weights, if not at the top; SAM-Med2D's under the second."""

_NAMED = 3
"""Keys that an error names of each kind of misfit."""


class _Discarded:
    """Takes the place of an object in a pickle, of which nothing is kept."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def _stand_in(module: str, name: str) -> type[_Discarded]:
    return type(name, (_Discarded,), {"__module__": module})


STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    _stand_in("argparse", "Namespace"),
    _stand_in("numpy", "dtype"),
    _stand_in("numpy.core.multiarray", "scalar"),
    _stand_in("numpy._core.multiarray", "scalar"),
]
"""What published files hold beside what torch lets in by itself: options, NumPy's numbers."""


def load_state(preset: str, checkpoint: Path | None = None) -> dict[str, Tensor]:
    """Read the weights of a network, under the checkpoint's own keys.

    To an encoder alone, the prompt encoder and the mask decoder of SAM-Med3D are joined.

    Args:
        preset: the network's name.
        checkpoint: a file to read in place of the registry's.

    Returns:
        float32 tensors, not yet checked against the network: see `check_state`.

    Raises:
        InputError: the weights are missing, changed, truncated, or more than weights.
    """
    path = checkpoint or store.path_of(registry.of_preset(preset).name)
    state = read_state(path)
    if ENCODER_MARK not in state:
        return state
    return join_encoder(state, read_state(_decoder_beside(path)))


def read_state(path: Path, *, known_as: str = "") -> dict[str, Tensor]:
    """Read one file of weights, `.safetensors` or a `.pth` of any published form.

    Args:
        path: of the file.
        known_as: what an error calls the file; its name by default.

    Returns:
        float32 tensors under the file's own keys.

    Raises:
        InputError: no such file, truncated, refused, or not weights.
    """
    if not path.is_file():
        raise InputError(f"There is no file of weights {path}; check the path.")
    name = known_as or path.name
    return {
        key: value.float() if value.is_floating_point() else value
        for key, value in _tensors_of(_parse(path, name), name).items()
    }


def join_encoder(encoder: Mapping[str, Tensor], whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Make a whole network of an encoder alone and another whole network's other parts."""
    ours = {ENCODER + key: value for key, value in encoder.items()}
    return ours | {key: value for key, value in whole.items() if not key.startswith(ENCODER)}


def check_published(state: Mapping[str, Tensor], preset: str, name: str) -> None:
    """Refuse a file that does not hold a published network, whole or its encoder alone.

    Args:
        state: the file's weights.
        preset: the network's name.
        name: the file's.

    Raises:
        InputError: names what is missing, unknown or of another shape.
    """
    if ENCODER_MARK not in state and ENCODER + ENCODER_MARK not in state:
        first = next(iter(state), "nothing")
        raise InputError(
            f"{name} holds no SAM-Med3D or FastSAM3D network (its first key is {first!r}); "
            "choose the file that the network's authors publish."
        )
    expected = expected_shapes(preset)
    if ENCODER_MARK in state:
        inside = (key for key in expected if key.startswith(ENCODER))
        expected = {key.removeprefix(ENCODER): expected[key] for key in inside}
    if misfits := "; ".join(misfits_of(state, expected)):
        raise InputError(
            f"{name} does not hold the network {preset}: {misfits}; choose the file that the "
            "network's authors publish."
        )


def expected_shapes(preset: str) -> dict[str, tuple[int, ...]]:
    """Return a network's keys with their shapes, without making its weights."""
    from .loading import outline  # it imports this module

    shapes = outline(PRESETS[preset]).state_dict().items()
    return {key: tuple(value.shape) for key, value in shapes}


def check_state(state: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Check that weights fit a network, key by key.

    Args:
        state: the weights.
        expected: the network's keys with their shapes.

    Raises:
        InputError: names what is missing, unknown or of another shape.
    """
    if misfits := "; ".join(misfits_of(state, expected)):
        raise InputError(
            f"The weights do not fit the network: {misfits}; choose the preset that the file was "
            "made for."
        )


def misfits_of(
    state: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    """Say which keys are missing, which are unknown and which have another shape."""
    if missing := [repr(key) for key in expected if key not in state]:
        yield f"missing {_some(missing)}"
    if unknown := [repr(key) for key in state if key not in expected]:
        yield f"unknown {_some(unknown)}"
    shapes = {key: tuple(value.shape) for key, value in state.items() if key in expected}
    if wrong := [
        f"{key!r} is {got}, not {expected[key]}"
        for key, got in shapes.items()
        if got != expected[key]
    ]:
        yield f"of another shape {_some(wrong)}"


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _NAMED
    return ", ".join(texts[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _decoder_beside(path: Path) -> Path:
    try:
        return store.path_of(registry.of_preset(DECODER_PRESET).name)
    except InputError as error:
        raise InputError(
            f"{path.name} holds an image encoder alone and needs SAM-Med3D's other parts: {error}"
        ) from error


def _parse(path: Path, name: str) -> Any:
    try:
        if path.suffix == ".safetensors":
            return packing.load_weights(path)
        with torch.serialization.safe_globals(STAND_INS):
            mapped = zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to spell
        raise InputError(f"{name} was refused: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    """Say it without torch's own advice, which is to load the file unsafely."""
    if called := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it asks to run {called[1]}, which no weights need; do not trust its source"
    return "it is truncated, damaged or no file of weights; get it again"


def _tensors_of(document: Any, name: str) -> dict[str, Tensor]:
    if isinstance(document, dict):
        document = next((document[key] for key in _NESTED if key in document), document)
    if not isinstance(document, dict) or not document:
        raise InputError(f"{name} holds no weights, but {type(document).__name__}.")
    for key, value in document.items():
        if not isinstance(value, Tensor):
            raise InputError(
                f"{name} holds {key!r} where weights were expected; "
                "they should be at its top or under 'model_state_dict' or 'model'."
            )
    return document
