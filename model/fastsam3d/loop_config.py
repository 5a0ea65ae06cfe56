"""How long, how fast and on what a training loop learns."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from .errors import InputError
from .order import lot_of, stage_seed
from .task import Moment

PRECISIONS = (
    "auto", "32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true",
)  # fmt: skip
"""Of Fabric, those that need no other package."""


@dataclass(frozen=True)
class LoopConfig:
    """How to learn; exactly one of `steps`, `epochs` and `seconds` says how long.

    seconds: of computing, over all runs that resume one another.
    batch: examples a step, of all devices together.
    micro: examples a device takes at once, the rest of its share by accumulation; None takes all.
    warm_up: steps over which the learning rate rises; schedule: what it does over the training.
    average: how much of the running average of the weights stays at each step.
    clip: the gradient's largest norm; None leaves it.
    device: of `inputs.pick_device`; devices: how many of them a node; nodes: machines. torchrun,
        where it started the processes, decides the two.
    precision: of `PRECISIONS`; "auto" is bf16-mixed where that is fast, else 32-true.
    save_every: steps from checkpoint to checkpoint.
    count_epochs: a `Moment` counts epochs instead of steps.
    """

    steps: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    batch: int = 1
    micro: int | None = None
    optimizer: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    betas: tuple[float, float] = (0.9, 0.98)
    warm_up: int = 100
    schedule: Literal["cosine", "constant"] = "cosine"
    average: float = 0.995
    clip: float | None = 1.0
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "auto"
    save_every: int = 25
    seed: int = 0
    count_epochs: bool = False

    def __post_init__(self) -> None:
        lengths = {"steps": self.steps, "epochs": self.epochs, "seconds": self.seconds}
        given = {unit: length for unit, length in lengths.items() if length is not None}
        if len(given) != 1:
            got = ", ".join(f"{length:g} {unit}" for unit, length in given.items()) or "none"
            raise InputError(f"Got {got} as length of a training; give steps, epochs or seconds.")
        ((unit, length),) = given.items()
        if length <= 0:
            raise InputError(f"Got a training of {length:g} {unit}; give more than 0.")
        if self.count_epochs and self.epochs is None:
            raise InputError(f"Got {unit} where epochs are to be counted; give epochs.")
        micro = self.batch if self.micro is None else self.micro
        if self.precision not in PRECISIONS:
            raise InputError(
                f"Got precision {self.precision!r}; expected one of {', '.join(PRECISIONS)}."
            )
        if min(self.batch, micro, self.devices, self.nodes, self.save_every) < 1:
            raise InputError("Batch, micro, devices, nodes and save_every must be at least 1.")

    def of_stage(self, number: int) -> "LoopConfig":
        """Return the same with a seed of its own, for one of the stages of a training."""
        return replace(self, seed=stage_seed(self.seed, number))

    def last_step(self, examples: int) -> int | None:
        """Return the number of steps with so many examples; None where seconds decide."""
        if self.epochs is not None:
            return math.ceil(self.epochs * examples / self.batch)
        return self.steps

    def shown(self, examples: int) -> int:
        """Return how many of so many examples are shown at all; all where seconds decide."""
        last = self.last_step(examples)
        return examples if last is None else min(examples, last * self.batch)

    def progress(self, step: int, seconds: float, examples: int) -> float:
        """Return the share of the training that is done, 1 at its end."""
        last = self.last_step(examples)
        if last is not None:
            return step / last
        assert self.seconds is not None
        return seconds / self.seconds

    def moment(self, step: int, seconds: float, examples: int) -> Moment:
        """Return how far the training has come after `step` steps, counted in its own unit."""
        lot = lot_of(self.seed, step)
        if self.epochs is not None and self.count_epochs:
            return Moment(step * self.batch // examples + 1, self.epochs, lot)
        last = self.last_step(examples)
        if last is not None:
            return Moment(step + 1, last, lot)
        assert self.seconds is not None
        last = math.ceil(self.seconds)
        return Moment(min(int(seconds) + 1, last), last, lot)

    def rate(self, step: int, progress: float) -> float:
        """Return the learning rate of the step after `step`."""
        warmth = min(1.0, (step + 1) / max(1, self.warm_up))
        if self.schedule == "constant":
            return self.learning_rate * warmth
        return self.learning_rate * warmth * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
