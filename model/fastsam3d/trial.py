"""Simulated clicks on examples that were not learnt from, answered by teacher and student."""

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .augmentation import draw_masks, varied
from .examples import Example
from .featurecache import Examples
from .lesson import on_grid, session
from .metrics import dice
from .model import FastSAM3D
from .progressive import FeatureTask
from .synthetic import Random
from .taps import encoder_of, width
from .task import Moment
from .teacher import Teacher

CLICKS = 10
SHOWN = (1, 3, 5, 10)
"""After how many clicks tables tell the Dice."""


class Played(NamedTuple):
    """A session on one object of an example.

    truth: (64, 64, 64) bool; masks: (clicks, 64, 64, 64) bool, the answers.
    points: (1, clicks, 3) in patch voxels; labels: (1, clicks).
    """

    truth: NDArray[np.bool_]
    masks: NDArray[np.bool_]
    points: Tensor
    labels: Tensor

    @property
    def dice(self) -> list[float]:
        """Return the Dice after each click."""
        return [dice(mask, self.truth) for mask in self.masks]


def ready(network: FastSAM3D, device: torch.device) -> Teacher:
    """Make a frozen copy of a network that answers on a device."""
    made = Teacher(deepcopy(network))
    made.bring(device)
    made.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return made


def play(asked: Teacher, example: Example, number: int, clicks: int = CLICKS) -> Played:
    """Click at the errors of a network's answers.

    Args:
        asked: the network, on its device.
        example: shown as it is.
        number: decides which of its objects is meant, and between clicks that are as good.
        clicks: how many.
    """
    random = _random(asked, number)
    image, labels = varied(example, random, "none")
    truth = draw_masks(example, labels, 1, random)
    answer = partial(asked.answer, asked.embedding([image]))
    turns = list(session(answer, truth, clicks, [random], asked.network.mask_size))
    masks = [_mask(turn.logits) for turn in turns]
    return Played(truth[0].cpu().numpy(), np.stack(masks), turns[-1].points, turns[-1].labels)


def replay(asked: Teacher, example: Example, played: Played) -> Played:
    """Answer the same clicks with another network, which goes on from its own masks."""
    random = _random(asked, 0)
    embedding = asked.embedding([varied(example, random, "none")[0]])
    cells = asked.network.mask_size
    previous = torch.zeros(1, 1, cells, cells, cells, device=asked.network.device)
    masks = []
    for count in range(1, len(played.masks) + 1):
        logits, _ = asked.answer(
            embedding, played.points[:, :count], played.labels[:, :count], previous
        )
        previous = logits[:, :1].float()
        masks.append(_mask(logits))
    return played._replace(masks=np.stack(masks))


def dice_of_each(asked: Teacher, examples: Examples, clicks: int = CLICKS) -> Iterator[list[float]]:
    """Return the Dice after each click on each of some examples."""
    for number in range(len(examples)):
        yield play(asked, examples[number], number, clicks).dice


def feature_distance(student: Teacher, teacher: Teacher, examples: Examples) -> float | None:
    """Average eq. 1 with all layers over examples; None where the widths differ.

    There a map belongs to each layer, which is not kept.
    """
    if width(encoder_of(student.network)) != width(encoder_of(teacher.network)):
        return None
    task = FeatureTask(student.network, teacher, all_layers=True, variety="none")
    with torch.no_grad():
        losses = [
            float(task([examples[n]], [_random(student, n)], Moment(1, 1))["loss"])
            for n in range(len(examples))
        ]
    return sum(losses) / len(losses)


def _random(asked: Teacher, number: int) -> Random:
    return Random.seeded(number, device=asked.network.device)


def _mask(logits: Tensor) -> NDArray[np.bool_]:
    return np.asarray((on_grid(logits[:, :1])[0, 0] > 0).cpu().numpy())
