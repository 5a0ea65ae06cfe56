"""Which example comes when, and the random numbers that go with it: by seed and step alone."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import InputError
from .synthetic import Random

_ORDER, _SAMPLE, _LOT, _STAGE = 1, 2, 3, 4
"""Each as the last of four numbers, since zeros at the end of a seed change nothing."""


def example_at(place: int, examples: int, seed: int) -> int:
    """Return which example is at a place, from 0, in the endless row of epochs.

    Each epoch holds every example once, in an order of its own.
    """
    epoch, position = divmod(place, examples)
    return int(_shuffled(epoch, examples, seed)[position])


def sample_random(seed: int, step: int, number: int, device: torch.device) -> Random:
    """Make the generator of a step's sample of this number, from 0."""
    return Random.seeded(seed, step, number, _SAMPLE, device=device)


def lot_of(seed: int, step: int) -> int:
    """Draw the number that all samples of a step have in common."""
    return Random.seeded(seed, step, 0, _LOT).integer(0, 2**31 - 1)


def stage_seed(seed: int, stage: int) -> int:
    """Draw the seed of one of a training's stages, so that each has an order of its own."""
    return Random.seeded(seed, 0, stage, _STAGE).integer(0, 2**31 - 1)


def share_of(batch: int, rank: int, devices: int) -> range:
    """Return the numbers of a step's samples that are a device's.

    Raises:
        InputError: they cannot be shared evenly.
    """
    if batch % devices:
        raise InputError(
            f"A batch of {batch} cannot be shared by {devices} devices; give a multiple of "
            f"{devices}."
        )
    size = batch // devices
    return range(rank * size, (rank + 1) * size)


@lru_cache(maxsize=2)
def _shuffled(epoch: int, examples: int, seed: int) -> NDArray[np.int32]:
    words = np.random.SeedSequence((seed, epoch, 0, _ORDER))
    return np.random.default_rng(words).permutation(np.arange(examples, dtype=np.int32))
