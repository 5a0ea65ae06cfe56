"""Networks made of a preset, with their weights."""

import logging
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from .checkpoints import check_state, load_state
from .config import PRESETS, CompactConfig, ModelConfig
from .errors import InputError
from .fastest import fastest
from .hardware import keep_freed_memory
from .inputs import pick_device
from .model import CompactNetwork, FastSAM3D, PublishedNetwork
from .precision import DTYPES, Precision, cast
from .undrawn import Undrawn

log = logging.getLogger(__name__)


def build(config: ModelConfig | CompactConfig) -> FastSAM3D:
    """Make the network of a configuration, its weights not loaded."""
    if isinstance(config, ModelConfig):
        return PublishedNetwork(config)
    return CompactNetwork(config)


def outline(config: ModelConfig | CompactConfig) -> FastSAM3D:
    """Make the network of a configuration without memory for its weights: to be given some."""
    with torch.device("meta"), Undrawn():
        return build(config)


def load_model(
    preset: str = "fastsam3d-default",
    *,
    checkpoint: Path | str | None = None,
    state_dict: dict[str, Tensor] | None = None,
    device: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
) -> FastSAM3D:
    """Make a preset's network, load its weights and bring it to a device.

    Args:
        preset: a name in `config.PRESETS`.
        checkpoint: a weights file instead of the registry's.
        state_dict: weights under the checkpoint's own keys, instead of a file.
        device: "cpu", "cuda", "mps" and so on; "auto" takes the first there is of cuda, mps, cpu.
        precision: to compute in; "auto" takes the fastest whose embeddings are within 1 % of
            float32's, which is measured at the first use on a device and then kept.

    Returns:
        The network in evaluation mode, its weights frozen.

    Raises:
        InputError: if there is no such preset, device or precision, or the weights are missing or
            do not fit.
    """
    if preset not in PRESETS:
        raise InputError(f"Got preset {preset!r}; expected one of {', '.join(PRESETS)}.")
    if precision not in ("auto", *DTYPES):
        raise InputError(
            f"Got the precision {precision!r}; expected auto or one of {', '.join(DTYPES)}."
        )
    where = pick_device(device)
    if precision == "float16" and where.type == "cpu":
        log.warning("A CPU only emulates float16: a patch takes seconds; auto is faster.")
    keep_freed_memory()
    if state_dict is None:
        state_dict = load_state(preset, None if checkpoint is None else Path(checkpoint))
    model = outline(PRESETS[preset])
    check_state(state_dict, {key: tuple(own.shape) for key, own in model.state_dict().items()})
    weights = {key: value.detach().float() for key, value in state_dict.items()}
    model.load_state_dict(weights, assign=True)
    model = model.to(where).requires_grad_(requires_grad=False).eval()
    model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    model.precision = fastest(model, preset) if precision == "auto" else precision
    cast(model, model.precision)
    return model
