"""The devices of a training, by Lightning Fabric, and the processes that drive them."""

import atexit
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from .errors import InputError
from .extras import how_to_get
from .inputs import has_fast_bfloat16, pick_device

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def make_fabric(device: str, devices: int, nodes: int, precision: str) -> "Fabric":
    """Make what knows the devices, and start a process for each but the first.

    Processes that torchrun started are taken as they are, as many as there are.

    Args:
        device: of `inputs.pick_device`.
        devices: how many of them on each machine.
        nodes: machines.
        precision: of Fabric, or "auto".

    Raises:
        InputError: Lightning is not installed, or there is no such device or precision.
    """
    try:
        from lightning.fabric import Fabric
        from lightning.fabric.strategies import DDPStrategy
        from lightning.fabric.utilities.exceptions import MisconfigurationException
    except ImportError as error:
        raise InputError(
            f"Training needs Lightning, which is not installed; run: {how_to_get('train')}."
        ) from error
    where = pick_device(device)
    if started := int(os.environ.get("LOCAL_WORLD_SIZE", 0)):
        devices, nodes = started, processes(devices, nodes) // started
    # A layer that is not yet learnt has no gradient to wait for.
    several = DDPStrategy(broadcast_buffers=False, find_unused_parameters=True)
    try:
        fabric = Fabric(
            accelerator=where.type,
            strategy=several if devices * nodes > 1 else "auto",
            devices=devices if where.index is None else [where.index],
            num_nodes=nodes,
            precision=_precision(precision, where),
        )
    except (ValueError, MisconfigurationException) as error:
        raise InputError(
            f"Cannot train on {devices} of {where.type} in {precision}: {error}"
        ) from error
    fabric.launch()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        atexit.register(_part)
    return fabric


def _part() -> None:
    """Leave the other processes in order: torch's threads may abort one that just ends."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def processes(devices: int, nodes: int = 1) -> int:
    """Return how many processes share a training: one a device, or as many as torchrun started."""
    if "LOCAL_WORLD_SIZE" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    return devices * nodes


def is_first() -> bool:
    """Tell whether this process is the first, or the only one, of a training."""
    return not any(int(os.environ.get(name, 0)) for name in ("RANK", "LOCAL_RANK", "NODE_RANK"))


def wait_for_first(ready: Callable[[], bool]) -> None:
    """Wait until files show that the first process has done what only one may do."""
    while not ready():
        time.sleep(0.5)


def _precision(name: str, device: torch.device) -> str:
    if name != "auto":
        return name
    return "bf16-mixed" if has_fast_bfloat16(device) else "32-true"
