"""`fastsam3d train`: from a manifest of labelled scans to a file of weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .config import PRESETS, CompactConfig
from .console import aside, said
from .curve import Record
from .errors import InputError
from .manifest import read_manifest
from .model import CompactNetwork
from .packing import save_weights
from .pool import Pool
from .prepare import prepare
from .train import CURVE, TrainConfig, train

PRESET = "fastsam3d-default"
WEIGHTS = f"{PRESET}.safetensors"
EXAMPLES = "examples"


@dataclass(frozen=True)
class Course:
    """What the user asked for.

    folder: for examples, checkpoint, log, curve and weights; what is there is gone on with.
    workers: processes that prepare examples; 0 prepares them in this one.
    int8: store the weights in a quarter of float32's size instead of half.
    """

    manifest: Path
    folder: Path
    examples: int
    config: TrainConfig
    split: str | None = None
    workers: int = 1
    int8: bool = False


def run(course: Course, network: CompactConfig | None = None) -> Path:
    """Prepare examples, train on them and write the averaged weights; return their file.

    Args:
        course: what the user asked for.
        network: what to train instead of the default's network.

    Raises:
        InputError: an unusable manifest, folder or setting, or Lightning is missing.
    """
    read_manifest(course.manifest, split=course.split)
    pool = _open_pool(course.folder)
    _prepare(pool, course)
    learner = _fresh_network(network or _default_config(), course.config.seed)
    with _bar("training", 1.0) as show:
        average = train(learner, pool, course.folder, course.config, _shown(show, course.config))
    path = course.folder / WEIGHTS
    save_weights(path, average.state_dict(), int8=course.int8)
    said.print(
        f"Weights: {path} ({path.stat().st_size / 1e6:.1f} MB). Curve: {course.folder / CURVE}\n"
        f"To use them: fastsam3d segment ... --checkpoint {path}",
        soft_wrap=True,
    )
    return path


def _open_pool(folder: Path) -> Pool:
    try:
        return Pool(folder / EXAMPLES)
    except OSError as error:
        raise InputError(
            f"Cannot write into {folder}: {error.strerror}; choose another."
        ) from error


def _prepare(pool: Pool, course: Course) -> None:
    steps = prepare(
        pool,
        course.examples,
        course.manifest,
        split=course.split,
        workers=course.workers,
        seed=course.config.seed,
    )
    with _bar("preparing examples", course.examples) as show:
        for done in steps:
            show(done, f"{done} of {course.examples}")


def _fresh_network(config: CompactConfig, seed: int) -> CompactNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CompactNetwork(config)


def _default_config() -> CompactConfig:
    config = PRESETS[PRESET]
    assert isinstance(config, CompactConfig)
    return config


def _shown(show: Any, config: TrainConfig) -> Any:
    def on_step(record: Record) -> None:
        done = config.progress(record.step, record.seconds)
        show(done, f"step {record.step}, loss {record.loss:.3f}, IoU {record.iou:.2f}")

    return on_step


@contextmanager
def _bar(name: str, total: float) -> Iterator[Any]:
    """Show a bar on standard error; yields what says how far it is."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=aside, disable=not aside.is_terminal) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done, text: bar.update(
            task, completed=min(done, total), description=f"{name}: {text}"
        )
