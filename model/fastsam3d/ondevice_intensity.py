"""`intensity` where the patch lies: nothing waits for the device, or is copied."""

import torch
from torch import Tensor

from .errors import InputError
from .intensity import CT_RANGE_HU, NORMALISATIONS, STRIDE

_ALIKE = 1e-6
"""Deviation, as a part of the mean, of intensities that are all alike."""


@torch.inference_mode()
def normalise_on(patch: Tensor, how: str, *, ct_clamp: bool = False) -> Tensor:
    """Shift and scale a patch to mean 0 and deviation 1, as `intensity.normalise` does.

    Copies nothing to or from the device, so that it can be captured in a CUDA graph.

    Args:
        patch: float32, raw intensities, any shape.
        how: one of `intensity.NORMALISATIONS`.
        ct_clamp: clamp to `CT_RANGE_HU` first.

    Returns:
        float32 of the same shape; all 0 where the intensities are all alike.

    Raises:
        InputError: there is no such normalisation.
    """
    values = patch.clamp(*CT_RANGE_HU) if ct_clamp else patch
    if how == "zscore-positive":
        above = values > 0
        return _zscore(values, above | ~above.any())
    if how == "zscore-clipped":
        ordered = values.flatten()[::STRIDE].sort().values
        low, high = (_quantile(ordered, share) for share in (0.005, 0.995))
        return _zscore(values.clamp(low, high), None)
    raise InputError(f"Got normalisation {how!r}; expected one of {', '.join(NORMALISATIONS)}.")


def _quantile(ordered: Tensor, share: float) -> Tensor:
    place = share * (len(ordered) - 1)
    low = int(place)
    return torch.lerp(ordered[low], ordered[min(low + 1, len(ordered) - 1)], place - low)


def _zscore(values: Tensor, counted: Tensor | None) -> Tensor:
    count = values.numel() if counted is None else counted.sum()
    first = _only(values, counted).sum() / count
    # What float32 lost of the mean: else a patch that is all alike would seem to vary.
    rest = _only(values - first, counted)
    second = rest.sum() / count
    mean = first + second
    deviation = (rest.square().sum() / count - second.square()).clamp(min=0).sqrt()
    alike = deviation <= _ALIKE * mean.abs().clamp(min=1)
    return (values - mean) * deviation.reciprocal().masked_fill(alike, 0)


def _only(values: Tensor, counted: Tensor | None) -> Tensor:
    return values if counted is None else values * counted
