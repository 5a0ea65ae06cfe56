"""How fast a network is here, beside its plain form in the same run and the device's own limit.

Ours is what a session computes with: the precision that was found the fastest, fused kernels,
weights packed for a CPU, CUDA graphs on a GPU. Plain is the same weights in float32, attention
written out, layers and activations one after the other. Masks of 128³ are made to compare with
others: a session brings logits to the volume's own grid.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..bits import packed
from ..checkpoints import load_state
from ..config import PRESETS
from ..errors import InputError
from ..inputs import pick_device
from ..loading import build, load_model
from ..model import FastSAM3D
from ..plain import make_plain
from ..precision import DTYPES
from ..recorded import Function, Recorded, Tensors
from .ceilings import Ceilings, least_ms, measured
from .clock import times
from .flops import count_exact
from .measure import call_of
from .parts import PartName, part_of, system_part

NETWORKS = ("fastsam3d", "sam-med3d", "fastsam3d-default")
ENCODE, DECODE, MASK = "encode", "decode", "decode, 128³ mask"
PARTS = (ENCODE, DECODE, MASK)

OWN = "its own"

Clicks = tuple[Sequence[tuple[float, ...]], Sequence[int]]
CLICKS: Clicks = ((64.0, 60.0, 70.0), (30.0, 90.0, 50.0), (80.0, 80.0, 20.0)), (1, 0, 1)
"""Voxels of a patch, and labels."""


@dataclass(frozen=True)
class Speed:
    """What one part of one network takes.

    Attributes:
        network: its preset.
        part: of `PARTS`.
        weights: "its own", or "random", which are as fast.
        device: that it ran on.
        precision: that it computed in.
        ms: the median.
        plain_ms: of the plain form; None if that was not asked for.
        error: of the output against the plain form's, relative; None likewise, and of masks that
            random weights draw.
        limit_ms: what arithmetic or memory, the longer, would take at this device's measured best.
    """

    network: str
    part: str
    weights: str
    device: str
    precision: str
    ms: float
    plain_ms: float | None
    error: float | None
    limit_ms: float

    @property
    def gain(self) -> float | None:
        """Return how many times as fast as the plain form it is."""
        return None if self.plain_ms is None else self.plain_ms / self.ms


@dataclass(frozen=True)
class Pace:
    """How often to time: so many runs, and no further one begins after so many seconds."""

    runs: int = 20
    seconds: float = 5.0

    def ms(self, action: Callable[[], Any], device: torch.device) -> float:
        """Return the median of an action's runs, after some that do not count."""
        return median(times(action, device, passes=1, runs=self.runs, seconds=self.seconds))


def speeds(
    networks: Sequence[str] = NETWORKS,
    device: str = "auto",
    pace: Pace | None = None,
    *,
    plain: bool = True,
) -> Iterator[Speed]:
    """Measure every part of some networks, both forms in turn.

    Raises:
        InputError: there is no such network or device.
    """
    if unknown := set(networks) - set(NETWORKS):
        raise InputError(f"Got the network {unknown.pop()!r}; expected {', '.join(NETWORKS)}.")
    where, pace = pick_device(device), pace or Pace()
    ceilings = measured(where)
    for name in networks:
        yield from _of_network(name, where, ceilings, pace, plain=plain)


def _of_network(
    name: str, device: torch.device, ceilings: Ceilings, pace: Pace, *, plain: bool
) -> Iterator[Speed]:
    state, weights = _weights(name)
    ours = load_model(name, state_dict=state, device=str(device))
    found = {part: (pace.ms(act, device), act()) for part, act in actions(ours).items()}
    expected: dict[str, tuple[float, Tensors]] = {}
    if plain:
        other = load_model(name, state_dict=state, device=str(device), precision="float32")
        make_plain(other)
        with torch.backends.cudnn.flags(allow_tf32=False):  # float32 in convolutions, too
            expected = {
                part: (pace.ms(act, device), act())
                for part, act in actions(other, replayed=False).items()
            }
    told = (ENCODE, DECODE) if weights == OWN else (ENCODE,)  # random masks are noise
    for part, (ms, outputs) in found.items():
        plain_ms, wanted = expected.get(part, (None, None))
        yield Speed(
            name,
            part,
            weights,
            ceilings.device,
            ours.precision,
            ms,
            plain_ms,
            _error(outputs, wanted) if wanted and part in told else None,
            limit_ms(ours, name, part, ceilings),
        )


def actions(
    network: FastSAM3D, *, clicks: Clicks = CLICKS, replayed: bool = True
) -> dict[str, Callable[[], Tensors]]:
    """Return one pass of each part on random input, where the network is.

    Args:
        network: of `load_model`.
        clicks: voxels of a patch, and labels.
        replayed: whether a GPU replays CUDA graphs.
    """
    random = torch.Generator().manual_seed(0)

    def drawn(size: int) -> Tensor:
        return torch.randn(1, 1, size, size, size, generator=random).to(network.device)

    def encode(image: Tensor) -> Tensors:
        return network.parts_of(network.embed(image))

    def decode(previous: Tensor, points: Tensor, labels: Tensor, *parts: Tensor) -> Tensors:
        embedding = network.embedding_of(parts)
        return network.answer(embedding, points, labels, previous, multimask=False)

    def mask(*given: Tensor) -> Tensors:
        return (bits(decode(*given)[0], network.patch_size),)

    image, previous = drawn(network.patch_size), drawn(network.mask_size)
    points, labels = (torch.tensor([each], device=network.device) for each in clicks)
    with torch.inference_mode():
        clicked = previous, points, labels, *encode(image)
    return {
        ENCODE: _action(encode, (image,), replayed=replayed),
        DECODE: _action(decode, clicked, replayed=replayed),
        MASK: _action(mask, clicked, replayed=replayed),
    }


def bits(logits: Tensor, size: int) -> Tensor:
    """Upsample (1, 1, m, m, m) logits to `size` a side, and pack their signs, eight to a byte."""
    inside = F.interpolate(logits.float(), size=(size,) * 3, mode="trilinear") > 0
    return packed(inside.flatten())


def _action(function: Function, inputs: Tensors, *, replayed: bool) -> Callable[[], Tensors]:
    if replayed and inputs[0].is_cuda:
        recorded = Recorded(function, inputs[0].device)
        return lambda: recorded(*inputs)
    return torch.inference_mode()(lambda: function(*inputs))


def limit_ms(network: FastSAM3D, name: str, part: str, ceilings: Ceilings) -> float:
    """Return the least that a part can take: its arithmetic, or its weights read once."""
    which: PartName = "encoder" if part == ENCODE else "decoder"
    abstract = system_part("meta", system=name, part=which)
    inputs, named = call_of(abstract)
    operations = count_exact(abstract.module, *inputs, **named)
    module = part_of(network, which).module
    held = sum(value.numel() * value.element_size() for value in module.parameters())
    return least_ms(operations, held, DTYPES[network.precision], ceilings)


def _weights(name: str) -> tuple[dict[str, Tensor], str]:
    try:
        return load_state(name, None), OWN
    except InputError:
        torch.manual_seed(0)
        return build(PRESETS[name]).state_dict(), "random"


def _error(outputs: Tensors, expected: Tensors) -> float:
    """Return the largest relative error of the outputs."""
    pairs = zip(outputs, expected, strict=True)
    return max(float((a.float() - b).norm() / b.norm().clamp(min=1e-12)) for a, b in pairs)
