"""Which precision is the fastest here of those that are as good: measured once, then kept."""

import copy
import hashlib
import json
import logging
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import InputError
from .folders import make_folder, user_data
from .hardware import device_name
from .inputs import has_fast_bfloat16
from .precision import Precision, cast
from .recorded import Function, Recorded, Tensors
from .whole import write_text

log = logging.getLogger(__name__)

LARGEST_ERROR = 1e-2
"""Of an embedding against float32's, relative, up to which a precision is as good."""
AS_FAST = 1.1
"""Times so many times the least are noise."""
RUNS = 4
"""Of which the least counts, after one that does not."""


@dataclass(frozen=True)
class Trial:
    """How long one patch took to embed in a precision, and how far off the embedding was."""

    precision: Precision
    ms: float
    error: float


def fastest(network: nn.Module, name: str) -> Precision:
    """Choose the precision for a float32 network on its device.

    Args:
        network: a `FastSAM3D`; it stays as it is.
        name: of its preset; what is measured is kept for it, its weights, device and threads.
    """
    device = next(network.parameters()).device
    others = candidates(device)
    if not others:
        return "float32"
    key = _key(network, name, device)
    trials = kept().get(key)
    if trials is None:
        trials = measure(network, others)
        _keep(key, trials)
    return best(trials)


def candidates(device: torch.device) -> tuple[Precision, ...]:
    """Return the precisions beside float32 that a device multiplies in hardware."""
    if device.type == "cpu":
        return ("bfloat16",) if has_fast_bfloat16(device) else ()
    if device.type == "cuda":
        return ("float16", "bfloat16") if has_fast_bfloat16(device) else ("float16",)
    return ()


def best(trials: Iterable[Trial]) -> Precision:
    """Return the fastest precision that is as good as float32; of equally fast ones, the best."""
    good = [trial for trial in trials if trial.error <= LARGEST_ERROR]
    least = min(trial.ms for trial in good)
    as_fast = [trial for trial in good if trial.ms <= AS_FAST * least]
    return min(as_fast, key=lambda trial: trial.error).precision


def measure(network: Any, others: Iterable[Precision]) -> list[Trial]:
    """Embed a patch with a `FastSAM3D` in float32, and with copies of it in other precisions."""
    device = next(network.parameters()).device
    patch = _patch(network.patch_size).to(device)
    embedded: dict[Precision, Function] = {"float32": _embedding(network, device)}
    reference = _floats(embedded["float32"](patch))
    errors: dict[Precision, float] = {"float32": 0.0}
    for precision in others:
        try:
            other = copy.deepcopy(network)
            cast(other, precision)
            embed = _embedding(other, device)
            errors[precision] = _error(_floats(embed(patch)), reference)
            embedded[precision] = embed
        except RuntimeError as error:
            log.warning("This network does not run in %s: %s", precision, error)
            errors[precision] = math.inf
    # By turns, and the least of each: other work on the computer is not to decide for good.
    rounds = [{name: _ms(embed, patch) for name, embed in embedded.items()} for _ in range(RUNS)]
    return [
        Trial(name, min(times.get(name, math.inf) for times in rounds), error)
        for name, error in errors.items()
    ]


def kept() -> dict[str, list[Trial]]:
    """Return what was measured on this computer, by network, device, threads and torch."""
    try:
        read: Any = json.loads(file().read_text(encoding="utf-8"))
        return {key: [Trial(**trial) for trial in trials] for key, trials in read.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def of_device(name: str, device: torch.device) -> str:
    """Return what the keys of a preset on a device begin and end with, the weights between."""
    threads = f", threads: {torch.get_num_threads()}" if device.type == "cpu" else ""
    return f"{name} on {device_name(device)}{threads}, torch {torch.__version__}"


def _key(network: nn.Module, name: str, device: torch.device) -> str:
    weights = hashlib.sha256()
    for value in network.parameters():
        weights.update(value.flatten()[:16].cpu().numpy().tobytes())
    return f"{of_device(name, device)}, weights {weights.hexdigest()[:12]}"


def _keep(key: str, trials: Iterable[Trial]) -> None:
    """Keep what was measured; where no file can be written, it is measured again next time."""
    every = {**kept(), key: list(trials)}
    rows = {key: [asdict(trial) for trial in trials] for key, trials in every.items()}
    try:
        make_folder(file().parent)
        write_text(file(), json.dumps(rows, indent=1) + "\n")
    except InputError as error:
        log.info("%s", error)


def file() -> Path:
    """Return where that is kept."""
    return user_data() / "precision.json"


def _embedding(network: Any, device: torch.device) -> Function:
    """Return what embeds a patch as it is done on the device."""

    @torch.inference_mode()
    def embed(image: Tensor) -> Tensors:
        parts: Tensors = network.parts_of(network.embed(image))
        return parts

    # Launched one by one, kernels of all precisions take the same time on a GPU.
    return Recorded(embed, device) if device.type == "cuda" else embed


def _ms(embed: Function, patch: Tensor) -> float:
    start = perf_counter()
    embed(patch)
    if patch.is_cuda:
        torch.cuda.current_stream(patch.device).synchronize()
    return 1000 * (perf_counter() - start)


def _floats(parts: Tensors) -> list[Tensor]:
    return [part.float() for part in parts]


def _error(parts: Iterable[Tensor], references: Iterable[Tensor]) -> float:
    """Return the largest relative error of an embedding's parts; infinite where one overflowed."""
    errors = [
        float((part - own).norm() / own.norm().clamp(min=1e-12))
        for part, own in zip(parts, references, strict=True)
    ]
    return max(error if math.isfinite(error) else math.inf for error in errors)


def _patch(size: int) -> Tensor:
    """Draw a normalised patch of soft shapes and noise, always the same."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 1, 8, 8, 8, generator=random)
    shapes = F.interpolate(coarse, size=(size,) * 3, mode="trilinear")
    patch = 2 * shapes + 0.3 * torch.randn(shapes.shape, generator=random)
    return (patch - patch.mean()) / patch.std()
