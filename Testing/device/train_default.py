"""Train the default network on a GPU: python train_default.py PACK.npz OUT --seconds 1500.

Examples are made on the device: drawn from nothing, or cut from the packed volumes. They stay there
and are used several times, each time turned, re-coloured and clicked anew. See README.md.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from pieces import INDEX, State, load_state, save_state
from regions import separate_on_device, supervoxels_on_device
from volumes import read_pack

from fastsam3d.augmentation import make_batch
from fastsam3d.config import CompactConfig
from fastsam3d.console import aside
from fastsam3d.curve import Record, open_log
from fastsam3d.data import Sources
from fastsam3d.examples import Example
from fastsam3d.inputs import pick_device
from fastsam3d.lesson import click_loss
from fastsam3d.model import CompactNetwork
from fastsam3d.packing import save_weights
from fastsam3d.synthetic import Random
from fastsam3d.train import TrainConfig, learning_rate, make_average, make_optimizer

LOG = "log.csv"
WEIGHTS = "fastsam3d-default.safetensors"


def main(arguments: list[str] | None = None, network: CompactConfig | None = None) -> int:
    """Train for --seconds from now on, saving at times and at the end."""
    deadline = time.monotonic()
    options = _parse(arguments)
    deadline += options.seconds
    device = pick_device(options.device)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    config = TrainConfig(
        seconds=options.schedule_seconds or options.seconds,
        batch=options.batch,
        objects=options.objects,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )
    state = _open_state(options, network or CompactConfig(), config, device)
    sources = Sources(
        read_pack(options.pack, device),
        separate=separate_on_device,
        supervoxels=supervoxels_on_device,
    )
    examples = Examples(sources, options.capacity, options.fresh)
    saved = time.monotonic()
    log = open_log(options.output / LOG, state.step)
    for record in steps(state, examples, config, device, deadline, options.steps):
        log(record)
        if time.monotonic() - saved > options.save_seconds:
            _save(options.output, state)
            saved = time.monotonic()
    _save(options.output, state)
    return 0


class Examples:
    """Examples on the device, of which the oldest make room for fresh ones."""

    def __init__(self, sources: Sources, capacity: int, fresh: int) -> None:
        self._sources = sources
        self._capacity = capacity
        self._fresh = fresh
        self._kept: list[Example] = []
        self._drawn = 0

    def draw(self, count: int, random: Random) -> list[Example]:
        """Make some fresh ones, then draw from all."""
        for _ in range(max(self._fresh, count - len(self._kept))):
            self._add(self._sources.draw(random))
        return [self._kept[random.integer(0, len(self._kept) - 1)] for _ in range(count)]

    def _add(self, example: Example) -> None:
        if len(self._kept) < self._capacity:
            self._kept.append(example)
        else:
            self._kept[self._drawn % self._capacity] = example
        self._drawn += 1


def steps(
    state: State,
    examples: Examples,
    config: TrainConfig,
    device: torch.device,
    deadline: float,
    most: int | None,
) -> Iterator[Record]:
    """Learn until the deadline, the end of the schedule or after some steps."""
    started, first = time.monotonic() - state.seconds, state.step
    while time.monotonic() < deadline and state.step < first + (most or sys.maxsize):
        progress = config.progress(state.step, state.seconds)
        if progress >= 1:
            break
        rate = learning_rate(config, state.step - first, progress)
        loss, iou = _learn(state, examples, config, device, rate)
        state.step, state.seconds = state.step + 1, time.monotonic() - started
        yield Record(state.step, state.seconds, {"loss": loss, "iou": iou}, rate)


def _learn(
    state: State, examples: Examples, config: TrainConfig, device: torch.device, rate: float
) -> list[float]:
    random = Random.seeded(config.seed, state.step, device=device)
    drawn = examples.draw(config.batch, random)
    batch = make_batch(drawn, config.objects, [random] * config.batch)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    # The cache would keep what the clicks without gradients cast, and cut off the last click's.
    with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
        loss = click_loss(state.network, batch, config.clicks, [random], random)
    loss[0].backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0, error_if_nonfinite=True)
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.average.update_parameters(state.network)
    values: list[float] = loss.tolist()
    return values


def _open_state(
    options: argparse.Namespace, sizes: CompactConfig, config: TrainConfig, device: torch.device
) -> State:
    torch.manual_seed(options.seed)
    network = CompactNetwork(sizes).to(device).to(memory_format=torch.channels_last_3d)
    state = State(network, make_optimizer(network, config), make_average(network, config))
    options.output.mkdir(parents=True, exist_ok=True)
    if options.resume is not None:
        load_state(options.resume, state)
        aside.print(f"Going on after step {state.step}.")
    elif (options.output / INDEX).exists():
        raise SystemExit(f"{options.output} holds a training; give --resume {options.output}.")
    return state


def _save(folder: Path, state: State) -> None:
    paths = save_state(folder, state)
    save_weights(folder / WEIGHTS, state.average.module.state_dict(), int8=True)
    aside.print(f"Step {state.step}, {state.seconds:.0f} s: saved in {len(paths)} pieces.")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("pack", type=Path)
    add("output", type=Path)
    add("--seconds", type=float, required=True, help="of this run")
    add("--schedule-seconds", type=float, help="of all runs together; the rate falls over them")
    add("--steps", type=int, help="of this run, if fewer")
    add("--resume", type=Path, help="a folder that an earlier run wrote")
    add("--save-seconds", type=float, default=120.0)
    add("--batch", type=int, default=16, help="patches a step")
    add("--objects", type=int, default=4, help="objects of each patch")
    add("--fresh", type=int, default=4, help="new examples a step")
    add("--capacity", type=int, default=8192, help="examples kept; each takes 2.4 MB")
    add("--learning-rate", type=float, default=1e-3)
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
