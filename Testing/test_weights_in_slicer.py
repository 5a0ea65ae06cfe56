"""Weights as the panel fetches them: in a process of its own, whole and checked, or not at all."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import pytest

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from FastSAM3DSlicerLib import weights
from FastSAM3DSlicerLib.errors import UserError


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """An empty folder for weights, and no network."""
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return tmp_path


def code(monkeypatch, text):
    """Let the process do something else."""
    monkeypatch.setattr(weights, "CODE", text)


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


def test_a_download_lets_the_window_live_and_ends(monkeypatch):
    code(monkeypatch, "import time; time.sleep(0.3)")
    shares = []
    assert weights.fetch("sam-med3d", lambda share: shares.append(share) or True)
    assert len(shares) > 2


def test_a_download_tells_the_share_that_has_arrived(monkeypatch, folder):
    code(monkeypatch, "import time; time.sleep(0.3)")
    (folder / ".partial").mkdir()
    (folder / ".partial" / "part-0-sam_med3d_turbo.pth").write_bytes(bytes(201_000))
    shares = []
    weights.fetch("sam-med3d", lambda share: shares.append(share) or True)
    assert shares[0] == pytest.approx(0.0005)
    assert "goes on" in weights.size("sam-med3d")
    weights.remove("sam-med3d")
    assert not weights.isRemovable("sam-med3d")


def test_a_download_that_is_left_off_ends_its_process_at_once(monkeypatch, folder):
    code(monkeypatch, "import time; time.sleep(600)")
    assert not weights.fetch("sam-med3d", lambda share: False)


def test_a_process_that_dies_without_a_word_is_told(monkeypatch):
    code(monkeypatch, "import os; os._exit(3)")
    with pytest.raises(UserError, match="without a word"):
        weights.fetch("sam-med3d", lambda share: True)


def test_removing_what_is_not_there_is_refused_in_words():
    with pytest.raises(UserError, match="not installed"):
        weights.remove("sam-med3d")
