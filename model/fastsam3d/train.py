"""Train the project's own network by simulated clicks: encode once, then many objects and clicks.

Lightning Fabric knows the devices and the precision.
"""

import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .curve import Record, open_log, write_curve
from .errors import InputError
from .inputs import has_fast_bfloat16, pick_device
from .lesson import click_loss, make_batch
from .model import CompactNetwork
from .pool import Pool
from .synthetic import Random

if TYPE_CHECKING:
    from lightning.fabric import Fabric

CHECKPOINT, LOG, CURVE = "last.ckpt", "log.csv", "curve.png"
"""What a training folder holds."""


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast to learn.

    seconds: of computing, over all runs that resume one another; or else `steps`.
    batch: patches a step; objects: objects of each patch.
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
        limits = [limit for limit in (self.seconds, self.steps) if limit is not None]
        if len(limits) != 1 or limits[0] <= 0:
            raise InputError(
                f"Got {self.steps} steps and {self.seconds} seconds of training; give one of them, "
                "above 0."
            )
        if min(self.batch, self.objects, self.devices, *self.clicks, self.save_every) < 1:
            raise InputError("Batch, objects, clicks, devices and save_every must be at least 1.")

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the training that is done, 1 at its end."""
        if self.steps is not None:
            return step / self.steps
        assert self.seconds is not None
        return seconds / self.seconds


def learning_rate(config: TrainConfig, step: int, progress: float) -> float:
    """Warm up over steps, then follow a cosine over the training."""
    warmth = min(1.0, (step + 1) / config.warm_up)
    return config.learning_rate * warmth * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def make_optimizer(network: CompactNetwork, config: TrainConfig) -> torch.optim.AdamW:
    """Make the optimiser of a network."""
    return torch.optim.AdamW(
        network.parameters(),
        config.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
    )


def make_average(network: CompactNetwork, config: TrainConfig) -> AveragedModel:
    """Make a running average of a network's weights, on the network's device."""
    decay = get_ema_multi_avg_fn(config.average)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=decay)


class Trainer:
    """A network that learns, on the devices of a Fabric; knows how far it has come.

    What a step does depends on the seed, the step and the device's rank, so that a run that was
    interrupted goes on as if it had not been.
    """

    def __init__(self, network: CompactNetwork, config: TrainConfig) -> None:
        device = pick_device(config.device)
        self.config = config
        self.fabric = make_fabric(device, config)
        self.network = network.to(self.fabric.device)
        self.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.average = make_average(self.network, config)
        self.model, self.optimizer = self.fabric.setup(
            self.network, make_optimizer(self.network, config)
        )
        for name in ("embed", "answer_all"):
            self.model.mark_forward_method(name)
        self.step, self.seconds = 0, 0.0
        self._started = time.monotonic()

    @property
    def progress(self) -> float:
        """Return the share of the training that is done, the same on all devices."""
        share = self.config.progress(self.step, self.seconds)
        return float(self.fabric.broadcast(share))

    def learn(self, pool: Pool, progress: float) -> Record:
        """Take one step on examples drawn from a pool, which may grow."""
        config, fabric = self.config, self.fabric
        random = Random.seeded(config.seed, self.step, fabric.global_rank, device=fabric.device)
        examples = [pool[random.integer(0, len(pool) - 1)] for _ in range(config.batch)]
        batch = make_batch(examples, config.objects, random)
        rate = learning_rate(config, self.step, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = click_loss(self.model, batch, config.clicks, random)
        fabric.backward(loss[0])
        fabric.clip_gradients(self.model, self.optimizer, max_norm=1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_parameters(self.network)
        value, iou = loss.tolist()
        self.step, self.seconds = self.step + 1, time.monotonic() - self._started
        return Record(self.step, self.seconds, value, iou, rate)

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.fabric.save(scratch, self._state())
            if self.fabric.is_global_zero:
                scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        self.fabric.barrier()

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: it is damaged, or of another network.
        """
        state = self._state()
        try:
            self.fabric.load(path, state)
        except Exception as error:  # a damaged file raises whatever its bytes happen to spell
            raise InputError(
                f"{path} cannot be resumed from: it is damaged or of another network; move it away."
            ) from error
        self.step, self.seconds = state["step"], state["seconds"]
        self._started = time.monotonic() - self.seconds

    def _state(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "average": self.average,
            "step": self.step,
            "seconds": self.seconds,
        }


def make_fabric(device: torch.device, config: TrainConfig) -> "Fabric":
    """Make what knows the devices, and start a process for each but the first.

    Raises:
        InputError: Lightning is not installed.
    """
    try:
        from lightning.fabric import Fabric
        from lightning.fabric.strategies import DDPStrategy
    except ImportError as error:
        raise InputError(
            "Training needs Lightning, which is not installed: pip install 'fastsam3d[train]'"
        ) from error
    precision = config.precision
    if precision == "auto":
        precision = "bf16-mixed" if has_fast_bfloat16(device) else "32-true"
    # Processes simulate different numbers of clicks: an exchange at each answer would not pair up.
    several = DDPStrategy(broadcast_buffers=False)
    fabric = Fabric(
        accelerator=device.type,
        strategy=several if config.devices > 1 else "auto",
        devices=config.devices if device.index is None else [device.index],
        precision=precision,
    )
    fabric.launch()
    return fabric


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
        pool: examples, prepared ahead; another process may add more meanwhile.
        folder: for the checkpoint, the log and its curve.
        config: how.
        on_step: told of each step.

    Returns:
        The running average of the network's weights, as a network.

    Raises:
        InputError: an empty pool, a checkpoint that does not fit, or Lightning is missing.
    """
    if not len(pool):
        raise InputError(f"There are no examples in {pool.folder}; prepare some first.")
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(network, config)
    if (folder / CHECKPOINT).exists():
        trainer.load(folder / CHECKPOINT)
    speaks = trainer.fabric.is_global_zero
    with open_log(folder / LOG, trainer.step) if speaks else nullcontext(on_step) as log:
        while (progress := trainer.progress) < 1:
            record = trainer.learn(pool, progress)
            log(record)
            on_step(record)
            if trainer.step % config.save_every == 0:
                trainer.save(folder / CHECKPOINT)
    trainer.save(folder / CHECKPOINT)
    if speaks:
        write_curve(folder / LOG, folder / CURVE)
    average = trainer.average.module
    assert isinstance(average, CompactNetwork)
    return average
