"""Train the project's own network by simulated clicks: encode once, many objects and clicks."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from . import loop, optimizer
from .augmentation import make_batch
from .cube import SIZE
from .curve import Record, write_curve
from .devices import is_first, processes
from .errors import InputError
from .examples import Example
from .lesson import click_loss
from .loop_config import LoopConfig
from .model import CompactNetwork
from .pool import Pool
from .synthetic import Random
from .task import Moment, Task

NAME = "training"
CHECKPOINT, LOG, CURVE = f"{NAME}.ckpt", f"{NAME}.csv", f"{NAME}.png"
"""What a training folder holds, besides the folder of TensorBoard's log."""

_MAY_DIFFER = ("seconds", "steps", "device", "devices", "precision", "save_every")
"""What may differ when a training is gone on with."""


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast to learn.

    seconds: of computing, over all runs that resume one another; or else `steps`.
    batch: patches a step and device; objects: objects of each patch.
    patch_size: voxels along a side of what the network sees: 128, or 64 for the same fields of
        view at half the resolution, several times as fast, to go on from at 128.
    clicks: of which a step simulates one of these numbers; the first and the last are learnt from.
    average: how much of the running average of the weights stays at each step.
    device: of `inputs.pick_device`; devices: how many of them.
    precision: of Fabric; "auto" is bf16-mixed where that is fast, else 32-true.
    save_every: steps from checkpoint to checkpoint.
    """

    seconds: float | None = None
    steps: int | None = None
    batch: int = 1
    objects: int = 3
    patch_size: int = SIZE
    clicks: tuple[int, ...] = (1, 2, 3, 5)
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warm_up: int = 100
    average: float = 0.995
    device: str = "auto"
    devices: int = 1
    precision: str = "auto"
    save_every: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        lengths = [length for length in (self.seconds, self.steps) if length is not None]
        unit = "seconds" if self.steps is None else "steps"
        if not lengths:
            raise InputError(
                "Training needs a length: give --steps, such as --steps 20000, or --seconds, such "
                "as --seconds 3600."
            )
        if len(lengths) > 1:
            raise InputError(
                f"Got both {self.steps} steps and {self.seconds:g} seconds of training; give one."
            )
        if lengths[0] <= 0:
            raise InputError(f"Got a training of {lengths[0]:g} {unit}; give more than 0.")
        if min(self.batch, self.objects, self.devices, *self.clicks, self.save_every) < 1:
            raise InputError("Batch, objects, clicks, devices and save_every must be at least 1.")
        if self.patch_size not in (SIZE, SIZE // 2):
            raise InputError(
                f"Got a patch size of {self.patch_size}; expected {SIZE}, or {SIZE // 2} to train "
                "at half the resolution first."
            )

    @property
    def loop(self) -> LoopConfig:
        """Return what the loop is to know of it."""
        return LoopConfig(
            steps=self.steps,
            seconds=self.seconds,
            batch=self.batch * processes(self.devices),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warm_up=self.warm_up,
            average=self.average,
            device=self.device,
            devices=self.devices,
            precision=self.precision,
            save_every=self.save_every,
            seed=self.seed,
        )

    @property
    def lasting(self) -> dict[str, object]:
        """Return what all calls of one training share."""
        return {name: value for name, value in asdict(self).items() if name not in _MAY_DIFFER}

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the training that is done, 1 at its end."""
        return self.loop.progress(step, seconds, examples=1)


class ClickTask(Task):
    """A network of our own learns from simulated clicks on objects of augmented patches."""

    def __init__(
        self,
        network: CompactNetwork,
        objects: int,
        clicks: tuple[int, ...],
        patch_size: int = SIZE,
    ) -> None:
        super().__init__()
        self.network = network
        self.objects, self.clicks, self.patch_size = objects, clicks, patch_size

    def forward(
        self, examples: list[Example], randoms: list[Random], moment: Moment
    ) -> dict[str, Tensor]:
        """Return "loss", and "iou" after the last click."""
        batch = make_batch(examples, self.objects, randoms, self.patch_size)
        common = Random.seeded(moment.lot)
        loss, iou = click_loss(self.network, batch, self.clicks, randoms, common)
        return {"loss": loss, "iou": iou}


def learning_rate(config: TrainConfig, step: int, progress: float) -> float:
    """Warm up over steps, then follow a cosine over the training."""
    return config.loop.rate(step, progress)


def make_optimizer(network: CompactNetwork, config: TrainConfig) -> torch.optim.Optimizer:
    """Make the optimiser of a network."""
    return optimizer.make_optimizer(network, config.loop)


def make_average(network: CompactNetwork, config: TrainConfig) -> AveragedModel:
    """Make a running average of a network's weights, on the network's device."""
    decay = get_ema_multi_avg_fn(config.average)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=decay)


def train(
    network: CompactNetwork,
    pool: Pool,
    folder: Path,
    config: TrainConfig,
    on_step: Callable[[Record], None] = lambda record: None,
) -> CompactNetwork:
    """Train a network, from the checkpoint in `folder` if there is one.

    Args:
        network: with the weights to start from, the same in each device's process; changed.
        pool: examples, prepared ahead.
        folder: for the checkpoint, the logs and the curve.
        config: how.
        on_step: told of each step.

    Returns:
        The running average of the network's weights, as a network on the CPU.

    Raises:
        InputError: an empty pool, a checkpoint that does not fit, or Lightning is missing.
    """
    if not len(pool):
        raise InputError(f"There are no examples in {pool.folder}; prepare some first.")
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    task = ClickTask(network, config.objects, config.clicks, config.patch_size)
    averages = loop.run(task, pool, folder, NAME, config.loop, on_step)
    if is_first():
        write_curve(folder / LOG, folder / CURVE)
    task = deepcopy(task).cpu()
    task.load_state_dict(averages)
    return task.network
