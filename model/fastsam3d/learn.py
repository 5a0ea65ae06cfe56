"""`fastsam3d train`: from a manifest of labelled scans to a file of weights."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from .bars import Show, bar, described
from .claim import check_holder, claim
from .config import PRESETS, CompactConfig
from .console import said
from .curve import Record
from .devices import is_first
from .errors import InputError
from .folders import make_folder
from .growth import fresh, revive, started_from
from .lock import locked
from .manifest import split_to_learn_from
from .model import CompactNetwork
from .packing import save_weights
from .pool import Pool
from .supply import supply
from .train import CURVE, NAME, TrainConfig, train

NOTE = f"{NAME}.json"
"""What the training in a folder learns, and from what."""

PRESET = "fastsam3d-default"

MEASURED = 8
"""Examples on which a grown network's activity is measured."""


@dataclass(frozen=True)
class Course:
    """What the user asked for.

    folder: for examples, checkpoint, log, curve and weights; what is there is gone on with.
    examples: to prepare ahead at most; no more are prepared than the training can show.
    workers: processes that prepare examples; 0 prepares them in this one.
    preset: the network to train, one of our own.
    start_from: weights of that network to go on from, or of a shallower one to grow.
    int8: store the weights in a quarter of float32's size instead of half.
    """

    manifest: Path
    folder: Path
    examples: int
    config: TrainConfig
    split: str | None = None
    workers: int = 1
    int8: bool = False
    preset: str = PRESET
    start_from: Path | None = None


def run(course: Course, network: CompactConfig | None = None) -> Path:
    """Prepare examples, train on them and write the averaged weights; return their file.

    Args:
        course: what the user asked for.
        network: what to train instead of the preset's network.

    Raises:
        InputError: an unusable manifest, folder or setting, a folder that holds something else, or
            Lightning is missing.
    """
    config = network or _own(course.preset)
    if config.attention == "sparse" and course.config.patch_size < config.patch_size:
        raise InputError(
            f"Sparse attention reads patches of {config.patch_size} voxels alone; train "
            f"fastsam3d-teacher at {course.config.patch_size}, and distil it."
        )
    learner = _learner(course, config)
    course = replace(course, split=split_to_learn_from(course.manifest, course.split))
    make_folder(course.folder)
    with locked(course.folder) if is_first() else nullcontext():
        return _run(course, learner)


def _run(course: Course, learner: CompactNetwork) -> Path:
    note = course.folder / NOTE
    check_holder(note)
    claim(note, _described(course), NAME)
    pool = supply(
        course.folder,
        course.config.loop.shown(course.examples),
        course.manifest,
        split=course.split,
        workers=course.workers,
        seed=course.config.seed,
    )
    if course.start_from is not None:
        _revive(learner, pool)
    with bar("training", 1.0) as show:
        average = train(learner, pool, course.folder, course.config, _shown(show, course.config))
    path = course.folder / f"{course.preset}.safetensors"
    if is_first():
        save_weights(path, average.state_dict(), int8=course.int8)
        preset = "" if course.preset == PRESET else f"--preset {course.preset} "
        said.print(
            f"Weights: {path} ({path.stat().st_size / 1e6:.1f} MB). "
            f"Curve: {course.folder / CURVE}\n"
            f"To use them: fastsam3d segment ... {preset}--checkpoint {path}",
            soft_wrap=True,
        )
    return path


def _described(course: Course) -> dict[str, object]:
    start = course.start_from
    return {
        "manifest": str(course.manifest.resolve()),
        "split": course.split,
        "preset": course.preset,
        "start_from": start and sha256(start.read_bytes()).hexdigest(),
        **course.config.lasting,
    }


def _own(preset: str) -> CompactConfig:
    own = {name: config for name, config in PRESETS.items() if isinstance(config, CompactConfig)}
    if preset not in own:
        raise InputError(f"Got preset {preset!r} to train; expected one of {', '.join(own)}.")
    return own[preset]


def _learner(course: Course, config: CompactConfig) -> CompactNetwork:
    if course.start_from is not None:
        return started_from(course.start_from, config, course.config.seed)
    made = fresh(config, course.config.seed)
    assert isinstance(made, CompactNetwork)
    return made


def _revive(learner: CompactNetwork, pool: Pool) -> None:
    names = revive(learner, [pool[number] for number in range(min(MEASURED, len(pool)))])
    if names and is_first():
        said.print(f"Silent convolutions that start anew: {', '.join(names)}.", soft_wrap=True)


def _shown(show: Show, config: TrainConfig) -> Callable[[Record], None]:
    def on_step(record: Record) -> None:
        done = config.progress(record.step, record.seconds)
        show(done, described(record))

    return on_step
