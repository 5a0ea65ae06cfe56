"""Makers of parts for the tests of measuring."""

from dataclasses import replace

import torch

from distilling import PUBLISHED_TEACHER, STUDENT, network
from fastsam3d.benchmark.parts import part_of

CONFIGS = {"compact": STUDENT, "padded": PUBLISHED_TEACHER}
FREED_MB = 300


def small(device, *, name, part):
    return part_of(network(CONFIGS[name]).eval().requires_grad_(False).to(device), part)


def wasteful(device):
    """Make a part of which a pass holds 300 MB for a moment."""
    made = small(device, name="compact", part="decoder")
    answer = made.run
    if device == "meta":
        return made

    def run():
        torch.ones(FREED_MB * 250_000).sum()
        return answer()

    return replace(made, run=run)


def too_large(device):
    made = small(device, name="compact", part="decoder")
    if device != "meta":
        raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB\nmore of it")
    return made
