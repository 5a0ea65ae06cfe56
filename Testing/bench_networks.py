"""Time of encoding a patch and of decoding clicks on it, beside the plain form and what is asked.

Speed does not depend on the weights: networks whose weights are not installed get random ones.
"""

from collections.abc import Iterator, Sequence

import torch

from bench_timing import Row
from fastsam3d.benchmark.speed import DECODE, ENCODE, MASK, Pace, Speed, speeds
from fastsam3d.config import PRESETS
from fastsam3d.errors import InputError
from fastsam3d.loading import build, load_model
from fastsam3d.model import FastSAM3D

STUDENT, TEACHER, DEFAULT = "fastsam3d", "sam-med3d", "fastsam3d-default"

ON_CPU = {(STUDENT, ENCODE): 170.0, (STUDENT, DECODE): 12.0, (DEFAULT, ENCODE): 60.0}
"""Asked of 2 cores of a present server, ms."""

ON_GPU = {(STUDENT, ENCODE): 0.4, (STUDENT, MASK): 0.25, (TEACHER, ENCODE): 1.0}
"""Asked of a data-centre GPU, ms."""


def rows(
    networks: Sequence[str], pace: Pace, *, plain: bool = True, device: str = "cpu"
) -> Iterator[Row]:
    """Time the parts of some networks on a device.

    `plain` times the plain form, too: of the teacher that takes seconds and gigabytes.
    """
    for speed in speeds(networks, device, pace, plain=plain):
        yield Row(
            f"{speed.network}: {speed.part}",
            speed.ms,
            speed.plain_ms,
            limit_of(speed, device),
            note=told(speed),
        )


def limit_of(speed: Speed, device: str) -> float | None:
    """Return what is asked of a part; None if nothing is."""
    return (ON_CPU if device == "cpu" else ON_GPU).get((speed.network, speed.part))


def told(speed: Speed) -> str:
    """Say how a part was computed, and what the device could do at best."""
    share = 100 * speed.limit_ms / speed.ms
    off = "" if speed.error is None else f", {100 * speed.error:.2g} % off float32"
    at_best = f"at this device's best {speed.limit_ms:.3g} ms, {share:.0f} % of the figure"
    return f"{speed.precision}, {speed.weights} weights{off}; {at_best}"


def default_network() -> tuple[FastSAM3D, bool]:
    """Return the default network, and whether its weights were there."""
    try:
        return load_model(device="cpu"), True
    except InputError:
        torch.manual_seed(0)
        state = build(PRESETS[DEFAULT]).state_dict()
        return load_model(DEFAULT, state_dict=state, device="cpu"), False
