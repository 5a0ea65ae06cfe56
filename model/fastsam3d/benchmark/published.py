"""The `published` protocol: what the paper's scripts measure, without their faults.

A system sees a cube round the object's true mask (`crop`) and is scored inside it. Clicks 1 and 2
are drawn where the larger of both kinds of error is thick, later ones from all wrong voxels. Only
the newest click goes to a published 3D network, with its previous logits, zeros at first. The
clicks come from logits above 0.5, the scores from those above 0.

Differences from the scripts: our own network, which learnt from all clicks, gets all, as classical
tools do; a mask without errors is not clicked on (they crash); an object without voxels is a
failure (they put another case in its place); clicks are paired between systems unless asked
otherwise (theirs come from one generator that runs through all cases, seeded with 2023, so that no
part of them can be repeated alone).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from time import perf_counter
from typing import Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..classical import ClassicalTool
from ..clicks import Click, Mask, bounding_box
from ..course import Course, attempt, number_of, object_rng
from ..errors import InputError
from ..intensity import CT_RANGE_HU
from ..plan import Scan, Task
from ..resample import resample
from ..results import PUBLISHED, ObjectResult
from ..sight import Network
from .crop import SIZE, Crop, crop_of

CLICKED_ABOVE = 0.5
SCORED_ABOVE = 0.0
THICK_CLICKS = 2
"""The first clicks, which go where the error is thick."""

SEED = 2023

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """How many clicks are made on an object; paired: the same generator for every system."""

    clicks: int = 10
    seed: int = SEED
    paired: bool = True

    def __post_init__(self) -> None:
        if self.clicks < 1 or self.seed < 0:
            raise InputError(
                f"Got {self.clicks} clicks and seed {self.seed}; give at least 1 click and seed 0."
            )

    @property
    def strategy(self) -> str:
        """Name it in results."""
        return PUBLISHED if self.paired else f"{PUBLISHED}-unpaired"

    def rng(self, method: str, task: Task) -> np.random.Generator:
        """Return the generator of a system's clicks on an object."""
        if self.paired:
            return object_rng(self.seed, task)
        of_method, of_case = crc32(method.encode()), crc32(task.row.case.encode())
        return np.random.default_rng([self.seed, of_case, number_of(task.label), of_method])


@dataclass(frozen=True, eq=False)
class Answer:
    """What a system said to its newest clicks: (128, 128, 128) logits, (k, j, i)."""

    logits_kji: Logits
    clicks: tuple[Click, ...]
    seconds: float


class Contestant(Protocol):
    """A system in this protocol."""

    @property
    def name(self) -> str:
        """Name it in results."""

    def answers(
        self, crop: Crop, rng: np.random.Generator, *, is_ct: bool = False
    ) -> Iterator[Answer]:
        """Be clicked on without end, or until nothing is wrong."""


def evaluate_object(
    contestant: Contestant, task: Task, scan: Scan, settings: Settings
) -> ObjectResult:
    """Click on one object until the clicks are used up, nothing is wrong or the system fails."""
    course = Course()
    crop, course.failure = attempt(partial(crop_of, scan, task.label))
    if crop is not None:
        rng = settings.rng(contestant.name, task)
        answers = contestant.answers(crop, rng, is_ct=task.row.is_ct)
        for _ in range(settings.clicks):
            answer, course.failure = attempt(partial(next, answers, None))
            if answer is None:
                break
            mask = answer.logits_kji > SCORED_ABOVE
            course.add(answer.clicks, answer.seconds, mask, crop.truth)
    return course.result(
        contestant.name,
        task,
        0 if crop is None else crop.truth.voxels,
        clicks=settings.clicks,
        seed=settings.seed,
        strategy=settings.strategy,
    )


def next_click(truth: Mask, mask: Mask, turn: int, rng: np.random.Generator) -> Click | None:
    """Draw a click.

    Args:
        truth: the object, (k, j, i).
        mask: what the clicks go by, of the same shape.
        turn: 1 for the first click.
        rng: draws one of the voxels that count.

    Returns:
        An including click in missed object, an excluding one in wrong object, None without error.
    """
    error = truth != mask
    if not error.any():
        return None
    voxels = np.argwhere(_thick(truth, mask) if turn <= THICK_CLICKS else error)
    k, j, i = (int(n) for n in voxels[rng.integers(len(voxels))])
    return Click((k, j, i), bool(truth[k, j, i]))


class Volumetric:
    """A 3D network in this protocol.

    clamps_ct: whether CT is clamped for it, as for SAM-Med3D.
    remembers: whether it gets all clicks so far, not the newest alone.
    """

    def __init__(
        self, name: str, model: Network, *, clamps_ct: bool = False, remembers: bool = False
    ) -> None:
        self.name = name
        self._model = model
        self._clamps_ct = clamps_ct
        self._remembers = remembers

    def answers(
        self, crop: Crop, rng: np.random.Generator, *, is_ct: bool = False
    ) -> Iterator[Answer]:
        """Answer the newest click, or all so far, given the previous logits."""
        image = crop.image_kji.transpose(2, 1, 0).copy()  # k, j, i -> R, A, S
        if self._clamps_ct and is_ct:
            image = image.clip(*CT_RANGE_HU)
        embedding, given = None, list[Click]()
        previous = np.zeros((self._model.mask_size,) * 3, np.float32)
        logits = np.zeros(crop.image_kji.shape, np.float32)
        for turn in count(1):
            click = next_click(crop.truth.mask, logits > CLICKED_ABOVE, turn, rng)
            if click is None:
                return
            began = perf_counter()
            if embedding is None:
                embedding = self._model.embed_patch(image)
            given = [*given, click] if self._remembers else [click]
            points = [each.voxel_kji[::-1] for each in given]
            labels = [int(each.positive) for each in given]
            previous, _ = self._model.predict(embedding, points, labels, previous)
            logits = enlarged(previous, SIZE).transpose(2, 1, 0)
            yield Answer(logits, (click,), perf_counter() - began)


class Tool:
    """A classical tool in this protocol: it sees the crop, and gets all clicks so far."""

    def __init__(self, tool: ClassicalTool) -> None:
        self.name = tool.name
        self._tool = tool

    def answers(
        self, crop: Crop, rng: np.random.Generator, *, is_ct: bool = False
    ) -> Iterator[Answer]:
        """Answer with a mask, as logits that leave no doubt."""
        mask = np.zeros(crop.image_kji.shape, bool)
        self._tool.start(crop.image_kji, crop.ijk_to_ras, whole=True)
        for turn in count(1):
            click = next_click(crop.truth.mask, mask, turn, rng)
            if click is None:
                return
            began = perf_counter()
            mask = self._tool.click(click.voxel_kji, positive=click.positive)
            logits = np.where(mask, np.float32(1), np.float32(-1))
            yield Answer(logits, (click,), perf_counter() - began)


def enlarged(logits: Logits, size: int) -> Logits:
    """Interpolate cubic logits trilinearly to cells that divide the same cube more finely."""
    scale = logits.shape[0] / size
    matrix = np.diag([scale] * 3 + [1.0])
    matrix[:3, 3] = (scale - 1) / 2
    return resample(logits, matrix, (size,) * 3)


def _thick(truth: Mask, mask: Mask) -> Mask:
    """Take the kind of error that is thicker somewhere, where it is at least half as thick."""
    missed, wrong = (_thickness(side) for side in (truth & ~mask, mask & ~truth))
    chosen = missed if missed.max() > wrong.max() else wrong
    return np.asarray(chosen > chosen.max() / 2)


def _thickness(error: Mask) -> NDArray[np.float64]:
    """Measure each wrong voxel's distance to the nearest one that is not; beyond is not."""
    depth = np.zeros(error.shape)
    box = bounding_box(error)
    if box is not None:
        padded = np.pad(error[box], 1)
        depth[box] = ndimage.distance_transform_edt(padded)[1:-1, 1:-1, 1:-1]
    return depth
