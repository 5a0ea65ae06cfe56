import shutil
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch.testing import assert_close

from fastsam3d import learn, packing
from fastsam3d.cli import main
from fastsam3d.config import PRESETS, CompactConfig
from fastsam3d.errors import InputError
from fastsam3d.growth import fresh
from fastsam3d.learn import Course
from fastsam3d.loading import load_model
from fastsam3d.pool import Pool
from fastsam3d.prepare import prepare
from fastsam3d.supply import EXAMPLES, announced
from fastsam3d.train import TrainConfig

TINY = CompactConfig(width=16, depth=3, heads=2, embedding=32, middle=8, fine=8)


@pytest.fixture
def manifest(tmp_path):
    return make_manifest(tmp_path)


def make_manifest(folder):
    """Fill a folder with a manifest of one labelled scan."""
    labels = np.zeros((24, 40, 36), np.uint8)
    labels[6:18, 8:30, 10:20] = 1
    scan = labels * 100 + np.random.default_rng(0).normal(0, 5, labels.shape)
    for name, array in (("scan", scan.astype(np.float32)), ("label", labels)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / f"{name}.nrrd"))
    path = folder / "manifest.csv"
    path.write_text("case,image,label\none,scan.nrrd,label.nrrd\n")
    return path


def contents(pool):
    return [(pool[n].image, pool[n].objects, pool[n].targets) for n in range(len(pool))]


def test_examples_are_the_same_however_often_interrupted(manifest, tmp_path):
    whole, halved = Pool(tmp_path / "whole"), Pool(tmp_path / "halved")
    assert list(prepare(whole, 4, manifest, workers=0)) == [1, 2, 3, 4]
    assert next(iter(prepare(halved, 4, manifest, workers=0))) == 1
    assert list(prepare(halved, 4, manifest, workers=0)) == [2, 3, 4]
    assert list(prepare(halved, 4, manifest, workers=0)) == []
    assert_close(contents(halved), contents(whole), rtol=0, atol=0)


def test_other_processes_prepare_the_same(manifest, tmp_path):
    here, there = Pool(tmp_path / "here"), Pool(tmp_path / "there")
    list(prepare(here, 2, manifest, workers=0, seed=3))
    list(prepare(there, 2, manifest, workers=1, seed=3))
    assert_close(contents(there), contents(here), rtol=0, atol=0)


@pytest.fixture
def course(manifest, tmp_path):
    config = TrainConfig(steps=2, objects=1, clicks=(1,), device="cpu", precision="32-true")
    return Course(manifest, tmp_path / "run", 2, config, workers=0)


def test_course_ends_with_averaged_weights_in_half_precision(course, monkeypatch):
    averages = []
    real = learn.train
    monkeypatch.setattr(learn, "train", lambda *a: averages.append(real(*a)) or averages[-1])
    path = learn.run(course, TINY)
    assert path == course.folder / "fastsam3d-default.safetensors"
    assert len(Pool(course.folder / EXAMPLES)) == 2
    (average,) = averages
    assert_close(packing.load_weights(path), average.state_dict(), rtol=2e-3, atol=1e-6)


def test_teacher_grows_from_the_weights_of_the_default(course, tmp_path, monkeypatch, capsys):
    deep = replace(TINY, depth=6, plain_layers=0, attention="dense", slope=0.1)
    monkeypatch.setitem(PRESETS, "fastsam3d-default", TINY)
    monkeypatch.setitem(PRESETS, "fastsam3d-teacher", deep)
    start = tmp_path / "start.safetensors"
    packing.save_weights(start, fresh(TINY, 5).state_dict())
    learners, real = [], learn.train
    monkeypatch.setattr(
        learn, "train", lambda network, *rest: learners.append(network) or real(network, *rest)
    )
    path = learn.run(replace(course, preset="fastsam3d-teacher", start_from=start))
    assert path.name == "fastsam3d-teacher.safetensors"
    assert "--preset fastsam3d-teacher --checkpoint" in capsys.readouterr().out
    assert learners[0].config == deep
    assert load_model("fastsam3d-teacher", checkpoint=path, device="cpu").config == deep


def test_only_our_own_networks_are_trained(course):
    with pytest.raises(InputError, match="expected one of fastsam3d-default, fastsam3d-teacher"):
        learn.run(replace(course, preset="sam-med3d"))


def test_seed_decides_the_first_weights():
    state = torch.get_rng_state()
    first, again, other = (fresh(TINY, seed).state_dict() for seed in (1, 1, 2))
    assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first["image_encoder.pos_embed"], other["image_encoder.pos_embed"])
    assert torch.equal(torch.get_rng_state(), state)


def test_folder_that_cannot_be_written_is_told(course, tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match="choose another"):
        learn.run(course, TINY)


def test_command_passes_on_what_was_typed(manifest, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(learn, "run", asked.append)
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(
            f"train {manifest} --out {out} --examples 7 --steps 9 --devices 2 "
            "--precision 16-mixed --workers 0".split()
        )
    assert ended.value.code == 0
    (course,) = asked
    assert (course.manifest, course.folder, course.examples) == (manifest, out, 7)
    assert (course.config.steps, course.config.seconds, course.config.devices) == (9, None, 2)
    assert course.config.precision == "16-mixed"


def test_command_without_a_length_says_so_and_writes_nothing(manifest, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", str(manifest), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert "needs a length" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_sparse_attention_at_half_the_resolution_is_refused_before_anything_is_made(tmp_path):
    config = TrainConfig(steps=1, patch_size=64, device="cpu")
    course = Course(tmp_path / "no.csv", tmp_path / "out", 2, config)
    with pytest.raises(InputError, match="train fastsam3d-teacher at 64, and distil it"):
        learn.run(course)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training that came to its end after one step, and its course."""
    folder = tmp_path_factory.mktemp("trained")
    config = TrainConfig(steps=1, objects=1, clicks=(1,), device="cpu", precision="32-true")
    made = Course(make_manifest(folder), folder / "run", 2000, config, workers=0)
    learn.run(made, TINY)
    return made


def test_no_more_examples_are_prepared_than_the_steps_can_show(trained):
    assert len(Pool(trained.folder / EXAMPLES)) == 1


def test_disk_that_examples_take_is_the_first_that_is_said(course, capsys):
    learn.run(replace(course, config=replace(course.config, steps=1)), TINY)
    assert capsys.readouterr().err.startswith("1 example, some 2 MB on disk; --examples changes")
    assert announced(2000, None) == "2000 examples, some 5 GB on disk; --examples changes it."
    assert announced(2000, 1.5).startswith("2000 examples, some 13 GB")


def test_folder_of_another_training_is_refused(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "fastsam3d-default", TINY)
    other = make_manifest(tmp_path)
    told = "holds another training, with another manifest; choose another folder. It has manifest "
    with pytest.raises(InputError, match=told):
        learn.run(replace(trained, manifest=other), TINY)
    start = tmp_path / "start.safetensors"
    packing.save_weights(start, fresh(TINY, 5).state_dict())
    with pytest.raises(InputError, match=r"another start_from; .* It has start_from none; asked"):
        learn.run(replace(trained, start_from=start), TINY)
    config = replace(trained.config, seed=3, patch_size=64)
    dense = replace(TINY, attention="dense")
    told = r"another patch_size and seed; .* It has patch_size 128 and seed 0; asked for: .* 3\."
    with pytest.raises(InputError, match=told):
        learn.run(replace(trained, config=config), dense)


def test_length_and_machine_may_be_others_when_a_training_goes_on(trained):
    config = replace(trained.config, steps=None, seconds=1e-9, precision="bf16-mixed", save_every=9)
    learn.run(replace(trained, config=config, int8=True, examples=1, workers=1), TINY)


def test_training_from_before_there_were_notes_goes_on_and_gets_one(trained, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(trained.folder, old)
    noted = (old / learn.NOTE).read_text()
    (old / learn.NOTE).unlink()
    learn.run(replace(trained, folder=old), TINY)
    assert (old / learn.NOTE).read_text() == noted


def test_folder_of_a_distillation_is_refused(course):
    course.folder.mkdir()
    (course.folder / "distillation.json").touch()
    with pytest.raises(InputError, match="holds a distillation by `fastsam3d distill`; choose"):
        learn.run(course, TINY)


def test_manifest_that_is_not_there_is_told_before_anything_is_made(course):
    with pytest.raises(InputError, match="gone"):
        learn.run(replace(course, manifest=course.manifest.with_name("gone.csv")), TINY)
    assert not course.folder.exists()
