"""Weights as the panel gets them: by a process of its own, whole and checked, or not at all."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from fastsam3d.config import PRESETS
from fastsam3d.loading import build
from fastsam3d.packing import save_weights
from FastSAM3DSlicerLib import install, weights
from FastSAM3DSlicerLib.errors import UserError


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """An empty folder for weights, and no network."""
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return tmp_path


@pytest.fixture
def script(monkeypatch, tmp_path_factory):
    """Let the process do something else."""

    def script(text):
        path = tmp_path_factory.mktemp("script") / "script.py"
        path.write_text(text)
        monkeypatch.setattr(weights, "SCRIPT", path)

    return script


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A file as the authors of FastSAM3D publish it, of random weights."""
    path = tmp_path_factory.mktemp("published") / "mine.pth"
    with torch.device("meta"):
        shapes = build(PRESETS["fastsam3d"]).state_dict()
    torch.save({key: torch.zeros(value.shape) for key, value in shapes.items()}, path)
    return path


def go_on(share):
    """Let the work go on."""
    return True


def test_all_weights_have_a_source_a_licence_and_a_state():
    for name in weights.names():
        assert weights.source(name)
        assert weights.licence(name)
        assert "here" in weights.size(name)


def test_the_default_comes_first_and_is_here(default_weights):
    assert weights.names()[0] == "fastsam3d-default"
    assert weights.isHere("fastsam3d-default")
    assert not weights.isRemovable("fastsam3d-default")


def test_weights_whose_hash_nobody_published_are_told_apart():
    assert [name for name in weights.names() if weights.isUnknown(name)] == ["fastsam3d"]


def test_without_a_network_one_is_told_in_a_sentence():
    with pytest.raises(UserError, match=r"^Could not download http://127.0.0.1:9"):
        weights.fetch("sam-med3d", lambda share: True)


def test_a_download_lets_the_window_live_and_ends(script):
    script("import time; time.sleep(0.3)")
    shares = []
    assert weights.fetch("sam-med3d", lambda share: shares.append(share) or True)
    assert len(shares) > 2


def test_a_download_tells_the_share_that_has_arrived(script, folder):
    script("import time; time.sleep(0.3)")
    (folder / ".partial").mkdir()
    (folder / ".partial" / "part-0-sam_med3d_turbo.pth").write_bytes(bytes(201_000))
    shares = []
    weights.fetch("sam-med3d", lambda share: shares.append(share) or True)
    assert shares[0] == pytest.approx(0.0005)
    assert "goes on" in weights.size("sam-med3d")
    weights.remove("sam-med3d")
    assert not weights.isRemovable("sam-med3d")


def test_a_download_that_is_left_off_ends_its_process_at_once(script, monkeypatch):
    script("import time; time.sleep(600)")
    monkeypatch.setattr(weights, "GRACE_S", 0.1)
    began = time.monotonic()
    assert not weights.fetch("sam-med3d", lambda share: False)
    assert time.monotonic() - began < 5


def test_a_process_that_dies_without_a_word_is_told(script):
    script("import os; os._exit(3)")
    with pytest.raises(UserError, match="without a word"):
        weights.fetch("sam-med3d", lambda share: True)


def test_removing_what_is_not_there_is_refused_in_words():
    with pytest.raises(UserError, match="not installed"):
        weights.remove("sam-med3d")


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_a_file_from_the_disk_is_checked_copied_and_here(
    published, folder, tmp_path_factory, suffix
):
    path = tmp_path_factory.mktemp("disk") / f"mine{suffix}"
    if suffix == ".safetensors":
        save_weights(path, torch.load(published))
    else:
        shutil.copyfile(published, path)
    assert weights.take("fastsam3d", path, go_on)
    assert weights.isHere("fastsam3d")
    assert path.is_file()
    assert list((folder / ".partial").iterdir()) == []


BAD_FILES = {
    "cut short": (lambda good: good.read_bytes()[:-9000], "fastsam3d", "truncated, damaged"),
    "no weights": (lambda good: b"hello", "fastsam3d", "get it again"),
    "of another hash": (lambda good: b"hello", "sam-med3d", "get it from https://huggingface"),
}


@pytest.mark.parametrize(("content", "name", "told"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_with_cause_and_cure_and_nothing_of_it_is_kept(
    published, folder, tmp_path_factory, content, name, told
):
    path = tmp_path_factory.mktemp("disk") / "mine.pth"
    path.write_bytes(content(published))
    with pytest.raises(UserError, match=told):
        weights.take(name, path, go_on)
    assert not weights.isHere(name)
    assert [each for each in folder.rglob("*") if each.is_file()] == []


def test_a_file_of_another_network_is_refused_with_what_it_lacks(
    published, folder, tmp_path_factory
):
    state = torch.load(published)
    state.pop(next(iter(state)))
    path = tmp_path_factory.mktemp("disk") / "mine.pth"
    torch.save(state, path)
    with pytest.raises(UserError, match=r"does not hold the network fastsam3d: missing"):
        weights.take("fastsam3d", path, go_on)


def test_a_file_that_is_gone_is_told(folder):
    with pytest.raises(UserError, match=r"gone\.pth cannot be read \(.*\): choose another file"):
        weights.take("fastsam3d", folder / "gone.pth", go_on)


def test_without_torch_one_is_told_to_install_it_first(published, monkeypatch):
    monkeypatch.setattr(install, "missing", lambda: ["torch>=2.5"])
    with pytest.raises(UserError, match="checked with PyTorch: install it first"):
        weights.take("fastsam3d", published, go_on)


def test_an_import_that_is_left_off_leaves_nothing(published, folder):
    began = time.monotonic()

    def until_it_copies(share):
        copies = list(folder.glob(".partial/copy-*"))
        return not copies and time.monotonic() - began < 60

    assert not weights.take("fastsam3d", published, until_it_copies)
    assert [each for each in folder.rglob("*") if each.is_file()] == []


def test_a_process_that_has_to_be_killed_leaves_nothing_either(
    script, published, folder, monkeypatch
):
    (folder / ".partial").mkdir()
    copy = folder / ".partial" / "copy-7-FastSAM3D.pth"
    script(f"import pathlib, time; pathlib.Path({str(copy)!r}).touch(); time.sleep(600)")
    monkeypatch.setattr(weights, "GRACE_S", 0.1)
    assert not weights.take("fastsam3d", published, lambda share: not copy.exists())
    assert not copy.exists()


def _ignore_interrupts():
    """Do as a shell does to what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_the_process_ends_and_tidies_up_by_itself_once_nobody_waits_for_it(published, folder):
    command = [sys.executable, "-P", weights.SCRIPT, folder / "gone", "import", "fastsam3d"]
    done = subprocess.run(
        [*command, published],
        env=weights._environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_ignore_interrupts,
    )
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert [each for each in folder.rglob("*") if each.is_file()] == []
