"""Growth of the networks with the size of a patch. Their weights are random."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import numpy as np
import torch

from bench_growth import Curve, Fresh, Panel, freshly, most_mb
from bench_timing import milliseconds
from fastsam3d.config import PRESETS, CompactConfig, ModelConfig
from fastsam3d.encoder import Attention
from fastsam3d.inputs import has_fast_bfloat16
from fastsam3d.loading import build, load_model
from fastsam3d.model import FastSAM3D
from fastsam3d.precision import Precision

SIDES = (128, 160, 192, 224, 256)
REPEATS = 3
SPARSE = "sparse"
"""The student with sparse attention; its decoder is the student's."""
PRECISION: Precision = "bfloat16" if has_fast_bfloat16(torch.device("cpu")) else "float32"
"""The same for all, so that sizes can be compared."""


def _student(side: int) -> ModelConfig:
    student = PRESETS["fastsam3d"]
    assert isinstance(student, ModelConfig)
    return replace(student, patch_size=side)


def _sparse_student(side: int) -> ModelConfig:
    return replace(_student(side), attention=("none",) * 2 + ("sparse",) * 4)


KINDS: dict[str, Callable[[int], CompactConfig | ModelConfig]] = {
    "default": lambda side: CompactConfig(patch_size=side, mask_size=side // 2),
    "student": _student,
    SPARSE: _sparse_student,
}


def patches(sides: Sequence[int] = SIDES, fresh: Fresh = freshly) -> Panel:
    """Measure a patch's encoding and the decoding of three clicks on it, and their memory."""
    sizes = [side**3 / 1e6 for side in sides]
    curves = []
    for kind in KINDS:
        encode, decode = zip(*(times_of(kind, side) for side in sides), strict=True)
        megabytes = [fresh(megabytes_of, kind, side) for side in sides]
        curves.append(Curve.of(f"{kind}: encode", "ms", sizes, encode))
        curves.append(Curve.of(kind, "MB", sizes, megabytes))
        if kind != SPARSE:
            curves.append(Curve.of(f"{kind}: decode", "ms", sizes, decode))
    return Panel("Patch", "million voxels", tuple(f"{side}³" for side in sides), tuple(curves))


def times_of(kind: str, side: int) -> tuple[float, float]:
    """Return the ms of an encoding and of a decoding."""
    network = network_of(kind, side)
    encode = encoding(network)
    return milliseconds(encode, REPEATS), milliseconds(decoding(network, encode()), REPEATS)


def megabytes_of(kind: str, side: int) -> float:
    """Return the MB that an encoding and a decoding take at most, beyond the network."""
    network = network_of(kind, side)
    encode = encoding(network)
    return most_mb(lambda: decoding(network, encode())())


def network_of(kind: str, side: int) -> FastSAM3D:
    config = KINDS[kind](side)
    torch.manual_seed(0)
    weights = build(config).state_dict()
    with patch.dict(PRESETS, {kind: config}):
        network = load_model(kind, state_dict=weights, device="cpu", precision=PRECISION)
    for module in network.modules():
        if isinstance(module, Attention) and module.sparse:
            module.segment = segment_for((side // 16) ** 3, module)
    return network


def segment_for(tokens: int, attention: Attention) -> int:
    """Return the length next to the published one that cuts the tokens evenly."""
    even = [n for n in range(1, tokens + 1) if tokens % (n * attention.ratio) == 0]
    return min(even, key=lambda n: abs(n - attention.segment))


def encoding(network: FastSAM3D) -> Callable[[], object]:
    side = network.patch_size
    voxels = np.random.default_rng(0).normal(size=(side,) * 3).astype(np.float32)
    return partial(network.embed_patch, voxels)


def decoding(network: FastSAM3D, embedding: object) -> Callable[[], object]:
    side, cells = network.patch_size, network.mask_size
    points = side * np.array([[0.5, 0.47, 0.55], [0.23, 0.7, 0.4], [0.62, 0.62, 0.16]])
    previous = np.random.default_rng(0).normal(size=(cells,) * 3).astype(np.float32)
    return partial(network.predict, embedding, points, [1, 0, 1], previous)
