"""Train a teacher and distil a student of it on a GPU: python train_pair.py PACK.npz OUT ...

Four stages, one after the other: the teacher learns from clicks at half the resolution and then at
the whole, the student follows its layers, then its masks. Examples are made on the device, as in
train_default.py. See README.md.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from pieces import INDEX, halved, read_pieces, write_pieces
from regions import separate_on_device, supervoxels_on_device
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from train_default import Examples
from volumes import read_pack

from fastsam3d.config import PRESETS
from fastsam3d.console import aside
from fastsam3d.cube import SIZE
from fastsam3d.curve import Record, open_log
from fastsam3d.data import Sources
from fastsam3d.growth import fresh, seed_from, started_from
from fastsam3d.inputs import pick_device
from fastsam3d.logits import LogitConfig, LogitTask
from fastsam3d.loop_config import LoopConfig
from fastsam3d.model import CompactNetwork
from fastsam3d.optimizer import make_optimizer
from fastsam3d.order import sample_random
from fastsam3d.packing import save_weights
from fastsam3d.progressive import FeatureTask
from fastsam3d.synthetic import Random
from fastsam3d.task import Task
from fastsam3d.teacher import load_teacher
from fastsam3d.train import ClickTask

TEACHER, STUDENT = "fastsam3d-teacher", "fastsam3d-default"
STAGES = ("coarse", "teacher", "feature", "logits")
GOES_ON = {"coarse": "teacher", "feature": "logits"}
"""Stages after which the same network learns on in another."""

WARM_UP = 100
"""Steps of each run over which the rate rises: the optimiser's moments are not kept."""


@dataclass
class Stage:
    """One of `STAGES`: what learns, how, and how far it is."""

    name: str
    network: CompactNetwork
    task: Task
    config: LoopConfig
    step: int = 0
    seconds: float = 0.0

    @property
    def progress(self) -> float:
        """Return the share that is done."""
        return self.config.progress(self.step, self.seconds, examples=1)


def main(arguments: list[str] | None = None) -> int:
    """Go on for --seconds, from stage to stage; saves at times and at the end."""
    started = time.monotonic()
    options = _parse(arguments)
    deadline = started + options.seconds
    device = pick_device(options.device)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    folder: Path = options.output
    if options.resume not in (None, folder):
        _copy(options.resume, folder)
    sources = Sources(
        read_pack(options.pack, device),
        separate=separate_on_device,
        supervoxels=supervoxels_on_device,
    )
    examples = Examples(sources, options.capacity, options.fresh)
    while time.monotonic() < deadline and (name := _next_stage(folder)) is not None:
        _go_on(_open(name, options), examples, folder, device, deadline, options.save_seconds)
    aside.print(f"Next: {_next_stage(folder) or 'nothing, it is done'}.")
    return 0


def _copy(source: Path, folder: Path) -> None:
    """Copy an earlier run's files, which may be read-only; the copies are not."""
    for path in (path for path in source.rglob("*") if path.is_file()):
        copy = folder / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _next_stage(folder: Path) -> str | None:
    """Tell the stage to go on with, by what lies in the folder; None at the end."""
    if _weights(folder, STUDENT).exists():
        return None
    there = [name for name in STAGES if (folder / name / INDEX).exists()]
    return there[-1] if there else STAGES[0]


def _weights(folder: Path, preset: str) -> Path:
    return folder / f"{preset}.safetensors"


def _open(name: str, options: argparse.Namespace) -> Stage:
    """Make a stage as it starts, or as it was saved."""
    seconds = getattr(options, f"{name}_seconds")
    config = LoopConfig(
        steps=options.steps_each,
        seconds=None if options.steps_each else seconds,
        batch=options.batch,
        learning_rate=options.student_rate if name in STAGES[2:] else options.learning_rate,
        warm_up=0,
        seed=options.seed + STAGES.index(name),
    )
    objects, folder = options.objects, options.output
    if name in ("coarse", "teacher"):
        network, size = _teacher(options), SIZE // 2 if name == "coarse" else SIZE
        stage = Stage(name, network, ClickTask(network, objects, (1, 2, 3, 5), size), config)
    else:
        teacher = load_teacher(str(_weights(folder, TEACHER)))
        network = fresh(PRESETS[STUDENT], options.seed)
        masks = LogitConfig(objects=objects)
        task = (
            FeatureTask(network, teacher)
            if name == "feature"
            else LogitTask(network, teacher, masks)
        )
        stage = Stage(name, network, task, config)
    if (folder / name / INDEX).exists():
        tensors, stage.step, stage.seconds = read_pieces(folder / name)
        network.load_state_dict(tensors)
    return stage


def _teacher(options: argparse.Namespace) -> CompactNetwork:
    config = PRESETS[TEACHER]
    if options.start_from is not None:
        return started_from(options.start_from, config, options.seed)
    return fresh(config, options.seed)


def _go_on(
    stage: Stage,
    examples: Examples,
    folder: Path,
    device: torch.device,
    deadline: float,
    save_seconds: float,
) -> None:
    """Learn until the deadline or the stage's end; keep the average, to go on from."""
    stage.task.to(device).to(memory_format=torch.channels_last_3d)
    stage.task.bring(device)
    average = AveragedModel(stage.network, multi_avg_fn=get_ema_multi_avg_fn(stage.config.average))
    folder.mkdir(parents=True, exist_ok=True)
    log, saved = open_log(folder / f"{stage.name}.csv", stage.step), time.monotonic()
    for record in _steps(stage, average, examples, device, deadline):
        log(record)
        if time.monotonic() - saved > save_seconds:
            _save(folder, stage, average.module)
            saved = time.monotonic()
    _save(folder, stage, average.module)
    if stage.progress >= 1:
        _finish(folder, stage, average.module)
    aside.print(f"{stage.name}: step {stage.step}, {stage.seconds:.0f} s.")


def _steps(
    stage: Stage,
    average: AveragedModel,
    examples: Examples,
    device: torch.device,
    deadline: float,
) -> Iterator[Record]:
    optimizer = make_optimizer(stage.task, stage.config)
    began, first = time.monotonic() - stage.seconds, stage.step
    while time.monotonic() < deadline and stage.progress < 1:
        rate = stage.config.rate(stage.step, stage.progress)
        rate *= min(1.0, (stage.step - first + 1) / WARM_UP)
        values = _learn(stage, optimizer, examples, device, rate)
        average.update_parameters(stage.network)
        stage.step, stage.seconds = stage.step + 1, time.monotonic() - began
        yield Record(stage.step, stage.seconds, values, rate)


def _learn(
    stage: Stage,
    optimizer: torch.optim.Optimizer,
    examples: Examples,
    device: torch.device,
    rate: float,
) -> dict[str, float]:
    config, step = stage.config, stage.step
    drawn = examples.draw(config.batch, Random.seeded(config.seed, step, device=device))
    randoms = [sample_random(config.seed, step, n, device) for n in range(config.batch)]
    moment = config.moment(step, stage.seconds, config.batch)
    for group in optimizer.param_groups:
        group["lr"] = rate
    # The cache would keep what the clicks without gradients cast, and cut off the last click's.
    with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
        values = stage.task(drawn, randoms, moment)
    values["loss"].backward()
    torch.nn.utils.clip_grad_norm_(stage.task.parameters(), 1.0, error_if_nonfinite=True)
    optimizer.step()
    optimizer.zero_grad()
    numbers = torch.stack([value.detach().float() for value in values.values()]).tolist()
    return dict(zip(values, numbers, strict=True))


def _save(folder: Path, stage: Stage, average: CompactNetwork) -> None:
    write_pieces(folder / stage.name, halved(average), stage.step, stage.seconds)


def _finish(folder: Path, stage: Stage, average: CompactNetwork) -> None:
    """Write what the next stage starts from, then delete the state, in an order that may be cut."""
    if stage.name in GOES_ON:
        write_pieces(folder / GOES_ON[stage.name], halved(average), 0, 0.0)
    else:
        preset = TEACHER if stage.name == "teacher" else STUDENT
        save_weights(_weights(folder, preset), average.state_dict(), int8=True)
    if stage.name == "teacher":
        student = fresh(PRESETS[STUDENT], stage.config.seed)
        seed_from(student, average.cpu())
        write_pieces(folder / "feature", halved(student), 0, 0.0)
    shutil.rmtree(folder / stage.name)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("pack", type=Path)
    add("output", type=Path)
    add("--seconds", type=float, required=True, help="of this run")
    add("--coarse-seconds", type=float, default=600.0, help="of all runs together")
    add("--teacher-seconds", type=float, default=400.0)
    add("--feature-seconds", type=float, default=150.0)
    add("--logits-seconds", type=float, default=400.0)
    add("--steps-each", type=int, help="of each stage, instead of seconds")
    add("--resume", type=Path, help="a folder that an earlier run wrote, if not OUT")
    add("--start-from", type=Path, help="weights that the teacher grows from")
    add("--save-seconds", type=float, default=120.0)
    add("--batch", type=int, default=16, help="patches a step")
    add("--objects", type=int, default=4, help="objects of each patch")
    add("--fresh", type=int, default=4, help="new examples a step")
    add("--capacity", type=int, default=8192, help="examples kept; each takes 2.4 MB")
    add("--learning-rate", type=float, default=1e-3, help="of the teacher")
    add("--student-rate", type=float, default=5e-4)
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
