import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from distilling import SMALL, STUDENT, TEACHER, small_presets
from fastsam3d.curve import read_log
from fastsam3d.data import TrainingVolume
from fastsam3d.loading import build, load_model
from fastsam3d.packing import load_weights, save_weights
from fastsam3d.taps import depth

NAMES = ("pieces", "regions", "train_default", "train_pair", "volumes")
STEPS = 2
TEACHING = ("coarse", "teacher")


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch, small_presets():
        patch.syspath_prepend(str(Path(__file__).parent / "device"))
        yield {name: importlib.import_module(name) for name in NAMES}
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pack(scripts, tmp_path_factory):
    labels = torch.zeros(24, 40, 36, dtype=torch.int16)
    labels[6:18, 8:30, 10:20] = 1
    image = labels.float() * 100 + torch.randn(labels.shape, generator=torch.Generator())
    volume = TrainingVolume(image, labels, torch.eye(4).double(), "set")
    path = tmp_path_factory.mktemp("pack") / "pack.npz"
    scripts["volumes"].write_pack(path, [scripts["volumes"].shrink(volume, 1.25)])
    return path


def go_on(scripts, pack, folder, *more, seconds=300):
    sizes = {"batch": 2, "objects": 1, "fresh": 1, "capacity": 2, "steps-each": STEPS}
    common = [f"--{name}={value}" for name, value in sizes.items()]
    arguments = [str(pack), str(folder), "--device=cpu", f"--seconds={seconds}", *common, *more]
    assert scripts["train_pair"].main(arguments) == 0


@pytest.fixture(scope="module")
def done(scripts, pack, tmp_path_factory):
    """The folders of a pair that was trained in two runs: the second's, and the first's."""
    first, second = (tmp_path_factory.mktemp(name) for name in ("first", "second"))
    train_pair = scripts["train_pair"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_pair, "_next_stage", until("feature", train_pair._next_stage))
        go_on(scripts, pack, first)
    for path in first.rglob("*"):
        path.chmod(0o555)
    go_on(scripts, pack, second, "--resume", str(first))
    return second, first


def until(last, real):
    """Tell the next stage only until `last` is begun."""
    return lambda folder: None if (found := real(folder)) == last else found


def test_rehearsal_leads_from_volumes_over_a_teacher_to_a_student(done):
    folder, _ = done
    for stage, values in (
        ("coarse", {"loss", "iou"}),
        ("teacher", {"loss", "iou"}),
        ("feature", {"loss", "layer3", "k"}),
        ("logits", {"truth", "teacher_iou"}),
    ):
        log = read_log(folder / f"{stage}.csv")
        assert [record.step for record in log] == [1, STEPS]
        assert values <= set(log[0].values)
    for preset in ("fastsam3d-teacher", "fastsam3d-default"):
        path = folder / f"{preset}.safetensors"
        assert load_model(preset, checkpoint=path, device="cpu").config == SMALL[preset]


def test_a_finished_stage_leaves_what_the_next_one_starts_from_and_no_more(done):
    folder, first = done
    left = {str(path.relative_to(first)) for path in first.rglob("*") if path.is_file()}
    state = {f"feature/{name}" for name in ("index.json", "state-0000000-0.part")}
    assert left == {"coarse.csv", "teacher.csv", "fastsam3d-teacher.safetensors", *state}
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_student_starts_as_every_other_layer_of_the_teacher(scripts, done):
    _, first = done
    student, step, _ = scripts["pieces"].read_pieces(first / "feature")
    teacher = load_weights(first / "fastsam3d-teacher.safetensors")
    assert step == 0
    for layer in range(depth(build(STUDENT).image_encoder)):
        mine = student[f"image_encoder.blocks.{layer}.mlp.lin1.bias"]
        theirs = teacher[f"image_encoder.blocks.{2 * layer + 1}.mlp.lin1.bias"]
        assert_close(mine.float(), theirs, rtol=1e-3, atol=1e-5)


def test_teacher_learns_at_half_the_resolution_first(scripts):
    options = scripts["train_pair"]._parse(["pack", "out", "--seconds=1"])
    sizes = [scripts["train_pair"]._open(name, options).task.patch_size for name in TEACHING]
    assert sizes == [64, 128]


def test_run_that_is_done_does_nothing_more(scripts, pack, done, tmp_path):
    folder = shutil.copytree(done[0], tmp_path / "again")
    before = (folder / "logits.csv").read_text()
    go_on(scripts, pack, folder)
    assert (folder / "logits.csv").read_text() == before


def test_run_without_time_leaves_the_state_as_it_was(scripts, pack, done, tmp_path):
    folder = shutil.copytree(done[0], tmp_path / "short")
    (folder / "fastsam3d-default.safetensors").unlink()
    go_on(scripts, pack, folder, seconds=0)
    assert not (folder / "fastsam3d-default.safetensors").exists()


def test_teacher_may_grow_from_a_shallower_network(scripts, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, build(STUDENT).state_dict())
    options = scripts["train_pair"]._parse(["pack", "out", "--seconds=1", f"--start-from={path}"])
    assert scripts["train_pair"]._teacher(options).config == TEACHER


def test_pieces_of_any_tensors_come_back(scripts, tmp_path):
    pieces, tensors = scripts["pieces"], {"a": torch.arange(5.0), "b": torch.ones(2, 3)}
    paths = pieces.write_pieces(tmp_path, tensors, 7, 1.5, piece_bytes=50)
    assert len(paths) > 2
    back, step, seconds = pieces.read_pieces(tmp_path)
    assert_close(back, tensors)
    assert (step, seconds) == (7, 1.5)
    assert json.loads((tmp_path / "index.json").read_text())["step"] == 7
