"""Small teachers, students and examples for the tests of distillation."""

from contextlib import contextmanager

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from fastsam3d.config import PRESETS, CompactConfig, ModelConfig
from fastsam3d.examples import Example, Intensities
from fastsam3d.loading import build
from fastsam3d.packing import save_weights
from fastsam3d.synthetic import Random
from fastsam3d.teacher import Teacher

STUDENT = CompactConfig(width=16, depth=3, heads=2, embedding=16, middle=4, fine=4)
TEACHER = CompactConfig(
    width=16, depth=6, plain_layers=0, attention="dense", heads=2, embedding=16, middle=4, fine=4
)
PUBLISHED = ModelConfig(("none", "relative"), heads=2, shortcut=False, width=16, embedding=48)
PUBLISHED_TEACHER = ModelConfig(
    ("padded", "relative") * 2, heads=2, shortcut=True, width=16, embedding=48, clamps_ct=True
)


SMALL = {
    "fastsam3d-default": STUDENT,
    "fastsam3d-teacher": TEACHER,
    "fastsam3d": PUBLISHED,
    "sam-med3d": PUBLISHED_TEACHER,
}


@contextmanager
def small_presets():
    """Make the presets small meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for name, config in SMALL.items():
            patch.setitem(PRESETS, name, config)
        yield


def network(config, seed=0):
    """Make a network whose weights, biases and tables are all random."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = build(config)
        for value in made.parameters():
            if not value.any():
                torch.nn.init.normal_(value, std=0.02)
    return made


def teacher(config, seed=1):
    return Teacher(network(config, seed))


def drawn(count):
    return [_box_and_block(seed) for seed in range(count)]


def _box_and_block(seed):
    """Return a patch with two bright objects, one of them long, in noise."""
    random = Random.seeded(seed)
    corner = [random.integer(4, 20) for _ in range(3)]
    objects = torch.zeros(64, 64, 64, dtype=torch.uint8)
    objects[tuple(slice(c, c + n) for c, n in zip(corner, (16, 24, 12), strict=True))] = 1
    objects[48:60, 8:56, 44:58] = 2
    bright = torch.tensor([40, 170, 110], dtype=torch.uint8)[objects.long()]
    for axis in range(3):
        bright = bright.repeat_interleave(2, axis)
    noise = torch.randint(0, 50, bright.shape, generator=random.generator, dtype=torch.uint8)
    image = bright + noise
    kept = Intensities.of(image.float())
    return Example(image, objects, ((1,), (2,), (1, 2)), intensities=kept)


def randoms(count, step=0):
    return [Random.seeded(step, number) for number in range(count)]


def state_of(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


def make_desk(folder):
    """Fill a folder with a manifest of one labelled scan, and a teacher's weights."""
    labels = np.zeros((24, 40, 36), np.uint8)
    labels[6:18, 8:30, 10:20] = 1
    scan = labels * 100 + np.random.default_rng(0).normal(0, 5, labels.shape)
    for name, array in (("scan", scan.astype(np.float32)), ("label", labels)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / f"{name}.nrrd"))
    (folder / "manifest.csv").write_text("case,image,label\none,scan.nrrd,label.nrrd\n")
    save_weights(folder / "teacher.safetensors", network(TEACHER, seed=1).state_dict())
    return folder
