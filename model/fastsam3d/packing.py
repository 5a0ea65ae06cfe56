"""Small files for our own weights: half precision, or int8 with a scale a row."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from .errors import InputError
from .whole import write_whole

SCALE_SUFFIX = ".int8_scale"
"""Ends the key of the (rows,) float32 scales beside an int8 tensor's own key."""

SMALLEST_INT8 = 4096
"""Tensors with fewer values stay in half precision: int8 would save little and lose much."""


def pack(state: Mapping[str, Tensor], *, int8: bool = False) -> dict[str, Tensor]:
    """Make weights small.

    Args:
        state: float tensors of any precision; tensors of whole numbers pass through.
        int8: store tensors of two or more dimensions, symmetrically, as int8, each row (index of
            the first axis: the output channel of a linear layer or a convolution) with its scale;
            off by at most half a scale, which is the row's largest magnitude / 127.

    Returns:
        float16 or int8 tensors, with scales under key + `SCALE_SUFFIX`.

    Raises:
        InputError: a value is not finite, or is too large for half precision.
    """
    packed: dict[str, Tensor] = {}
    for key, value in state.items():
        tensor = value.detach().cpu()
        if int8 and _suits_int8(tensor):
            _check_finite(key, tensor)
            packed[key], packed[key + SCALE_SUFFIX] = _quantise(tensor.float())
        else:
            packed[key] = _halve(key, tensor)
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `pack`: every float tensor as float32."""
    return {
        key: _restore(value, packed.get(key + SCALE_SUFFIX))
        for key, value in packed.items()
        if not key.endswith(SCALE_SUFFIX)
    }


def save_weights(path: Path, state: Mapping[str, Tensor], *, int8: bool = False) -> None:
    """Write packed weights as one safetensors file, whole or not at all.

    Raises:
        InputError: as `pack` and `whole.write_whole`.
    """
    write_tensors(path, pack(state, int8=int8))


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None
) -> None:
    """Write tensors, and texts about them, as one safetensors file, whole or not at all.

    Raises:
        InputError: as `whole.write_whole`.
    """

    def write(partial: Path) -> None:
        try:
            save_file(dict(tensors), partial, None if about is None else dict(about))
        except SafetensorError as error:
            raise OSError(str(error)) from error
        partial.chmod(0o644)

    write_whole(path, write)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read what `save_weights` wrote, or any safetensors file, as float32."""
    return unpack(load_file(path))


def _suits_int8(tensor: Tensor) -> bool:
    rows_matter = tensor.ndim >= 2 and tensor.shape[0] > 1
    return tensor.is_floating_point() and rows_matter and tensor.numel() >= SMALLEST_INT8


def _quantise(tensor: Tensor) -> tuple[Tensor, Tensor]:
    scale = tensor.flatten(1).abs().amax(1) / 127
    scale = torch.where(scale > 0, scale, 1.0)
    steps = (tensor / _per_row(scale, tensor)).round().clamp(-127, 127)
    return steps.to(torch.int8).contiguous(), scale


def _halve(key: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.clone().contiguous()
    half = tensor.to(torch.float16, copy=True).contiguous()
    _check_finite(key, half)
    return half


def _restore(value: Tensor, scale: Tensor | None) -> Tensor:
    if scale is not None:
        return value.float() * _per_row(scale, value)
    return value.float() if value.is_floating_point() else value


def _per_row(scale: Tensor, tensor: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (tensor.ndim - 1))


def _check_finite(key: str, tensor: Tensor) -> None:
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(f"{key!r} holds a value that half precision cannot; train it anew.")
