"""One training loop for all that is learnt: exact to resume, the same on one device and several."""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from .board import open_board
from .curve import Record, open_log
from .devices import make_fabric
from .errors import InputError
from .examples import Example
from .learner import Given, Learner
from .loop_config import LoopConfig
from .optimizer import Average, make_optimizer
from .order import example_at, sample_random, share_of
from .synthetic import Random
from .task import Moment, Task
from .whole import sweep, write_whole

BOARD = "tensorboard"
"""The folder of TensorBoard's logs, one of each name."""


class Examples(Protocol):
    """What is learnt from: a list, or a `Pool`, which reads each from disk when it is asked for."""

    def __len__(self) -> int:
        """Count the examples."""

    def __getitem__(self, index: int, /) -> Example:
        """Return an example."""


class Loop:
    """A task that is learnt on the devices of a Fabric; knows how far it has come.

    A step's sample depends on the seed, the step and its number alone. So it does not matter how
    often training was interrupted, how many devices share the step, and how many samples each takes
    at once, but for the rounding of the sums.
    """

    def __init__(self, task: Task, examples: Examples, config: LoopConfig) -> None:
        if not len(examples):
            raise InputError("There are no examples to learn from; prepare some first.")
        self.config, self.task = config, task
        self.step, self.seconds = 0, 0.0
        self._examples, self._count = examples, len(examples)
        self._fabric = make_fabric(config.device, config.devices, config.nodes, config.precision)
        self._share = share_of(config.batch, self._fabric.global_rank, self._fabric.world_size)
        task.to(self._fabric.device)
        task.bring(self._fabric.device)
        self._average = Average(task, config.average)
        self._model, self._optimizer = self._fabric.setup(
            Learner(task), make_optimizer(task, config)
        )

    @property
    def is_first(self) -> bool:
        """Tell whether this process is the one that writes."""
        return bool(self._fabric.is_global_zero)

    def average(self) -> dict[str, Tensor]:
        """Return the task's state with the running averages for its parameters, on the CPU."""
        state = self.task.state_dict() | self._average.values
        return {name: value.detach().cpu().clone() for name, value in state.items()}

    def steps(self) -> Iterator[Record]:
        """Learn until the end, a step at a time; examples are read a step ahead."""
        started = time.monotonic() - self.seconds
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, self.step)
            while (progress := self._progress()) < 1:
                examples = ahead.result()
                ahead = reader.submit(self._read, self.step + 1)
                rate = self.config.rate(self.step, progress)
                values = self._learn(examples, rate)
                self.step, self.seconds = self.step + 1, time.monotonic() - started
                yield Record(self.step, self.seconds, values, rate)

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all.

        Raises:
            InputError: it cannot be written; the one before stays.
        """
        if self.is_first:
            state = self._state()
            write_whole(path, lambda partial: torch.save(state, partial))
        self._fabric.barrier()

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: it is damaged, or of another task.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.task.load_state_dict(state["task"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._average.load(state["average"])
            if scale := state.get("scale"):  # what is learnt in another precision has none
                self._fabric.strategy.precision.load_state_dict(scale)
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
        except Exception as error:  # a damaged file raises whatever its bytes happen to spell
            raise InputError(
                f"{path} cannot be resumed from: it is damaged or of another network; move it away."
            ) from error

    def _state(self) -> dict[str, Any]:
        return {
            "task": self.task.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.values,
            "scale": self._fabric.strategy.precision.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def _progress(self) -> float:
        """Return the share of the training that is done, the same on all devices."""
        if self.config.seconds is not None:
            self.seconds = float(self._fabric.broadcast(self.seconds))
        return self.config.progress(self.step, self.seconds, self._count)

    def _read(self, step: int) -> list[Example]:
        """Read this device's share of a step."""
        places = (step * self.config.batch + number for number in self._share)
        return [self._examples[example_at(n, self._count, self.config.seed)] for n in places]

    def _learn(self, examples: list[Example], rate: float) -> dict[str, float]:
        """Take a step; return the means over the whole batch, of all devices."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        moment = self.config.moment(self.step, self.seconds, self._count)
        seed, device = self.config.seed, self._fabric.device
        randoms = [sample_random(seed, self.step, number, device) for number in self._share]
        sums = self._accumulate(examples, randoms, moment)
        norm = self._clip()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._average.update(self.step + 1)
        means = self._fabric.all_reduce(torch.stack([*sums.values(), norm]), reduce_op="mean")
        *values, size = means.tolist()
        self._check_finite(values[list(sums).index("loss")], size)
        return dict(zip(sums, values, strict=True))

    def _accumulate(
        self, examples: list[Example], randoms: list[Random], moment: Moment
    ) -> dict[str, Tensor]:
        """Add up the gradients of a share, some examples at once; return its means."""
        share, micro = len(examples), self.config.micro or len(examples)
        means: dict[str, Tensor] = {}
        for start in range(0, share, micro):
            chunk = slice(start, start + micro)
            given = Given(examples[chunk], randoms[chunk], moment)
            with self._fabric.no_backward_sync(self._model, enabled=start + micro < share):
                values = self._model(given)
                weight = len(given.examples) / share
                self._fabric.backward(values["loss"] * weight)
            for name, value in values.items():
                part = weight * value.detach().float()
                means[name] = means[name] + part if name in means else part
        return means

    def _clip(self) -> Tensor:
        """Clip the gradient; return its norm before, or 0 where it is left as it is."""
        if self.config.clip is None:
            return torch.zeros((), device=self._fabric.device)
        norm: Tensor = self._fabric.clip_gradients(
            self._model, self._optimizer, max_norm=self.config.clip, error_if_nonfinite=False
        )
        return norm

    def _check_finite(self, loss: float, norm: float) -> None:
        """Stop before anything that is no number is saved; a scaled gradient may overflow."""
        scaled = self.config.precision.startswith("16")
        if not math.isfinite(loss) or not (scaled or math.isfinite(norm)):
            raise InputError(
                f"Step {self.step + 1} has a loss of {loss:g} and a gradient of {norm:g}, which "
                "nothing can be learnt from; try a lower learning rate or precision 32-true."
            )


def run(
    task: Task,
    examples: Examples,
    folder: Path,
    name: str,
    config: LoopConfig,
    on_step: Callable[[Record], None] = lambda record: None,
) -> dict[str, Tensor]:
    """Learn a task, from the checkpoint in `folder` if there is one.

    Args:
        task: with what to start from, the same in each device's process; changed.
        examples: those there are now; later ones count from the next run on.
        folder: for NAME.ckpt, NAME.csv and TensorBoard's log; shared by all machines.
        name: of what is learnt.
        config: how.
        on_step: told of each step, in each device's process.

    Returns:
        The task's state with the running averages for its parameters, on the CPU.

    Raises:
        InputError: no examples, a checkpoint or a device that does not fit, a loss that is no
            number, a file that cannot be written, or Lightning is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loop, checkpoint = Loop(task, examples, config), folder / f"{name}.ckpt"
    if loop.is_first:
        sweep(checkpoint)
    if checkpoint.exists():
        loop.load(checkpoint)
    saved = loop.step
    with _writing(folder, name, loop) as write:
        for record in loop.steps():
            write(record)
            on_step(record)
            if record.step % config.save_every == 0:
                loop.save(checkpoint)
                saved = record.step
    if saved != loop.step:
        loop.save(checkpoint)
    return loop.average()


@contextmanager
def _writing(folder: Path, name: str, loop: Loop) -> Iterator[Callable[[Record], None]]:
    """Lend what logs a step, in the process that writes."""
    if not loop.is_first:
        yield lambda record: None
        return
    log = open_log(folder / f"{name}.csv", loop.step)
    with open_board(folder / BOARD / name) as board:

        def write(record: Record) -> None:
            log(record)
            board(record)

        yield write
