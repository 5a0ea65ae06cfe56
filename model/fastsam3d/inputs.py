"""Checks of what a network is given, and the choice of its device."""

import torch
from torch import Tensor

from .errors import InputError


def check_cubes(values: Tensor, size: int, name: str) -> None:
    """Check that a tensor is (B, 1, size, size, size).

    Raises:
        InputError: if it is not.
    """
    if values.dim() != 5 or values.shape[1:] != (1, size, size, size):
        raise InputError(
            f"Got {name} of shape {tuple(values.shape)}; expected (B, 1, {size}, {size}, {size})."
        )


def check_clicks(points: Tensor, labels: Tensor) -> None:
    """Check that clicks are (B, N, 3) points with (B, N) labels 1 or 0, and at least one.

    Raises:
        InputError: if they are not.
    """
    if points.dim() != 3 or points.shape[2] != 3 or not points.shape[1]:
        raise InputError(
            f"Got points of shape {tuple(points.shape)}; expected (B, N, 3), N at least 1."
        )
    if labels.shape != points.shape[:2]:
        raise InputError(
            f"Got labels of shape {tuple(labels.shape)}; expected one for every point, "
            f"{tuple(points.shape[:2])}."
        )
    if not labels.is_meta and not bool(((labels == 0) | (labels == 1)).all()):
        raise InputError(
            f"Got labels {labels.flatten().tolist()}; expected 1 for inside and 0 for outside."
        )


def pick_device(name: str) -> torch.device:
    """Return the device of a name; "auto" is the first there is of cuda, mps and cpu.

    Raises:
        InputError: if there is no such device here.
    """
    if name == "auto":
        return torch.device(_available()[0])
    kind = name.partition(":")[0]
    if kind not in _available():
        raise InputError(
            f"Got device {name!r}; expected auto or one of {', '.join(_available())}, which are "
            "what this computer and its torch offer; `fastsam3d doctor` says more."
        )
    return torch.device(name)


def has_fast_bfloat16(device: torch.device) -> bool:
    """Tell whether a device multiplies bfloat16 faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    checks = [getattr(torch.cpu, name, None) for name in names]
    return device.type == "cpu" and any(check is not None and check() for check in checks)


def _available() -> list[str]:
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [kind for kind, there in found.items() if there] + ["cpu"]
