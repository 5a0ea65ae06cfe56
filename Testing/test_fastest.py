import json
import math

import pytest
import torch

from fastsam3d import fastest
from fastsam3d.config import ModelConfig
from fastsam3d.doctor import precision_form
from fastsam3d.fastest import Trial, best, candidates, kept, measure
from fastsam3d.loading import build

SMALL = ModelConfig(
    attention=("relative",), heads=2, shortcut=True, width=16, embedding=48, patch_size=32
)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def user_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "fastsam3d"


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build(SMALL).eval().requires_grad_(requires_grad=False)


@pytest.fixture
def measured(monkeypatch):
    """Let a CPU have bfloat16, and count what is measured."""
    counted = []

    def counting(network, others):
        counted.append(others)
        return [Trial("float32", 9.0, 0.0), Trial("bfloat16", 4.0, 0.004)]

    monkeypatch.setattr(fastest, "candidates", lambda device: ("bfloat16",))
    monkeypatch.setattr(fastest, "measure", counting)
    return counted


def test_the_fastest_of_those_that_are_as_good_is_chosen():
    slow, fast = Trial("float32", 9.0, 0.0), Trial("bfloat16", 4.0, 0.009)
    assert best([slow, fast]) == "bfloat16"
    assert best([slow, Trial("bfloat16", 10.0, 0.001)]) == "float32"
    assert best([slow, Trial("bfloat16", 4.0, 0.011), Trial("float16", 1.0, math.inf)]) == "float32"


def test_of_equally_fast_precisions_the_most_exact_is_chosen():
    close = [Trial("bfloat16", 1.0, 0.006), Trial("float16", 1.05, 0.001)]
    assert best([Trial("float32", 3.0, 0.0), *close]) == "float16"
    assert best([Trial("float32", 1.08, 0.0), *close]) == "float32"


def test_a_precision_that_the_device_cannot_do_is_left_out(network, monkeypatch):
    def fail(network, precision):
        raise RuntimeError("no kernel for Half")

    monkeypatch.setattr(fastest, "cast", fail)
    trials = measure(network, ("float16",))
    assert trials[1] == Trial("float16", math.inf, math.inf)
    assert best(trials) == "float32"


def test_a_precision_in_which_the_embedding_overflows_is_refused(network):
    network.image_encoder.pos_embed.fill_(1e6)
    trials = {trial.precision: trial for trial in measure(network, ("float16",))}
    assert trials["float16"].error == math.inf


def test_the_network_that_is_measured_stays_as_it_is(network):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    trials = measure(network, ("bfloat16",))
    assert [trial.precision for trial in trials] == ["float32", "bfloat16"]
    assert all(trial.ms > 0 for trial in trials)
    assert 0 < trials[1].error < 0.02
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])


def test_it_is_measured_once_and_kept(network, measured):
    assert fastest.fastest(network, "small") == "bfloat16"
    assert fastest.fastest(network, "small") == "bfloat16"
    assert len(measured) == 1


def test_other_weights_threads_and_names_are_measured_anew(network, measured):
    fastest.fastest(network, "small")
    fastest.fastest(network, "large")
    network.image_encoder.pos_embed.add_(1)
    fastest.fastest(network, "small")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        fastest.fastest(network, "small")
    finally:
        torch.set_num_threads(threads)
    assert len(measured) == len(kept()) == 4


def test_a_device_without_half_precision_is_not_measured(network, measured, monkeypatch):
    monkeypatch.setattr(fastest, "candidates", lambda device: ())
    assert fastest.fastest(network, "small") == "float32"
    assert not measured


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": [{"precision": "float32"}]}', "\0"])
def test_a_damaged_file_is_measured_again(network, measured, user_folder, text):
    user_folder.mkdir()
    (user_folder / "precision.json").write_text(text)
    assert fastest.fastest(network, "small") == "bfloat16"
    assert len(json.loads((user_folder / "precision.json").read_text())) == 1


def test_where_nothing_can_be_kept_it_is_measured_each_time(network, measured, user_folder):
    user_folder.write_text("a file in the folder's place")
    assert [fastest.fastest(network, "small") for _ in range(2)] == ["bfloat16"] * 2
    assert len(measured) == 2


def test_apple_gpus_compute_in_float32():
    assert candidates(torch.device("mps")) == ()


def test_doctor_says_what_was_measured(network, measured, monkeypatch):
    assert "measured at the first use" in precision_form("small", "cpu")
    fastest.fastest(network, "small")
    told = precision_form("small", "cpu")
    assert "small on cpu: bfloat16" in told
    assert "float32 9 ms, bfloat16 4 ms (0.4 % off)" in told
    assert f"delete {fastest.file()} to measure again" in told
    monkeypatch.setattr(fastest, "candidates", lambda device: ())
    assert precision_form("small", "cpu") == "small on cpu: float32"
