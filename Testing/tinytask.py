"""A task that is learnt in milliseconds, and a script that learns it: python tinytask.py OUT ...

The processes of a training, and those that are killed, run it.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn

from fastsam3d.examples import Example
from fastsam3d.loop import run
from fastsam3d.loop_config import LoopConfig
from fastsam3d.task import Task

SIDE = 4


class TinyTask(Task):
    """Two layers, of which the second is learnt in the second half alone."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.ModuleList(nn.Linear(SIDE**3, 2) for _ in range(2))

    def forward(self, examples, randoms, moment):
        images = torch.stack([one.image.float().flatten() / 255 for one in examples])
        images = images + torch.stack([0.1 * random.randn(SIDE**3) for random in randoms])
        wanted = torch.tensor([one.targets[0] for one in examples]).float()
        count = 1 if 2 * moment.iteration <= moment.total else 2
        found = sum(layer(images) for layer in self.layers[:count])
        losses = (found - wanted).square().mean(0)
        return {
            "loss": losses.mean(),
            "layer1": losses[0],
            "layer2": losses[1],
            "k": torch.tensor(float(count)),
        }


def tiny_examples(count):
    """Return examples that are told apart by their targets."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, SIDE, SIDE, SIDE), generator=generator).byte()
    return [Example(image, image, ((n % 3, n % 5),)) for n, image in enumerate(images)]


def tiny_config(**changes):
    """Return how it is learnt: 10 steps of 4, in three epochs of the 13 examples."""
    plain = {"steps": 10, "batch": 4, "warm_up": 2, "learning_rate": 0.02, "save_every": 3}
    return LoopConfig(**{**plain, "device": "cpu", "precision": "32-true", **changes})


def tiny_run(folder, on_step=lambda record: None, name="tiny", **changes):
    """Learn it; return the task and the averages."""
    task = TinyTask()
    average = run(task, tiny_examples(13), folder, name, tiny_config(**changes), on_step)
    return task, average


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--kill-at", type=int)
    options = parser.parse_args(arguments)

    def kill(record):
        if record.step == options.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("tiny", "again"):
        task, average = tiny_run(options.output, kill, name, devices=options.devices)
        rank = os.environ.get("LOCAL_RANK", "0")
        kept = {"state": task.state_dict(), "average": average}
        torch.save(kept, options.output / f"{name}-{rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1:])
