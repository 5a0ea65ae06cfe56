"""What a training loop asks of that which learns."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .examples import Example
from .synthetic import Random


class Moment(NamedTuple):
    """How far a training has come: of `total` iterations this is number `iteration`, from 1.

    `lot` is drawn anew for each step, the same for all its examples on all devices: a seed for what
    they are to have in common, such as their number of clicks.
    """

    iteration: int
    total: int
    lot: int = 0


class Task(nn.Module, ABC):
    """Something to be learnt: its parameters are what learns, its answer is the loss."""

    @abstractmethod
    def forward(
        self, examples: list[Example], randoms: list[Random], moment: Moment
    ) -> dict[str, Tensor]:
        """Return the means over some examples: "loss" and, for the log, whatever else is of note.

        Args:
            examples: to learn from, on the CPU.
            randoms: a generator for each, so that an example's share of the loss does not depend on
                its company.
            moment: how far the training has come.
        """

    def bring(self, device: torch.device) -> None:
        """Bring what is not learnt, such as a teacher, to a device."""
