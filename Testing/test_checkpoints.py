import argparse
import os
import pickle
import zipfile
from collections import Counter

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from fastsam3d import checkpoints, packing, registry, store
from fastsam3d.config import PRESETS, ModelConfig
from fastsam3d.errors import InputError
from fastsam3d.loading import build

ENCODER = {"patch_embed.proj.weight": (4, 1, 2, 2, 2), "neck.0.weight": (3, 4, 1, 1, 1)}
REST = {"prompt_encoder.no_mask_embed.weight": (1, 3), "mask_decoder.iou_token.weight": (1, 3)}
WHOLE = {"image_encoder." + key: shape for key, shape in ENCODER.items()} | REST
TINY = ModelConfig(attention=("none",), heads=1, shortcut=False, width=8, embedding=48)


def weights(shapes, seed=0):
    random = torch.Generator().manual_seed(seed)
    return {key: torch.randn(shape, generator=random) for key, shape in shapes.items()}


def training_state(state):
    """What a published file holds: the weights, and what the training left beside them."""
    return {
        "epoch": 17,
        "model_state_dict": state,
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
        "lr_scheduler": {"milestones": Counter([120, 180]), "last_epoch": np.int64(17)},
        "losses": [np.float64(0.25), np.float32(0.125)],
        "best": {"device": torch.device("cpu")},
        "args": argparse.Namespace(task_name="union_train", gpu_ids=[0, 1], lr=8e-4),
    }


class RunsACommand:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def refused(path):
    with pytest.raises(InputError) as caught:
        checkpoints.read_state(path)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    assert "weights_only" not in message
    return message


@pytest.fixture
def store_folder(tmp_path, monkeypatch):
    folder = tmp_path / "store"
    folder.mkdir()
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "whole.pth"
    torch.save(training_state(weights(WHOLE, seed=1)), path)
    return path


@pytest.fixture
def encoder_alone(tmp_path):
    path = tmp_path / "encoder.pth"
    torch.save(weights(ENCODER, seed=2), path)
    return path


def test_whole_network_is_found_under_model_state_dict(whole):
    assert_close(checkpoints.load_state("fastsam3d", whole), weights(WHOLE, seed=1), rtol=0, atol=0)


def test_numbers_pickled_by_numpy_1_are_let_in_too(whole, tmp_path):
    older = tmp_path / "older.pth"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(older, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"numpy._core.", b"numpy.core."))
    assert_close(checkpoints.read_state(older), weights(WHOLE, seed=1), rtol=0, atol=0)


def test_file_from_before_torch_wrote_archives_is_read(tmp_path):
    path = tmp_path / "legacy.pth"
    state = training_state(weights(WHOLE))
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert_close(checkpoints.read_state(path), weights(WHOLE), rtol=0, atol=0)


def test_plain_state_dict_is_read_as_it_is(tmp_path):
    path = tmp_path / "plain.pth"
    torch.save(weights(WHOLE), path)
    assert_close(checkpoints.load_state("sam-med3d", path), weights(WHOLE), rtol=0, atol=0)


def test_half_precision_is_loaded_as_float32(tmp_path):
    path = tmp_path / "half.pth"
    torch.save({key: value.half() for key, value in weights(WHOLE).items()}, path)
    state = checkpoints.read_state(path)
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert_close(state, weights(WHOLE), rtol=2**-11, atol=2**-25)


def test_our_own_safetensors_is_read(tmp_path):
    path = tmp_path / "own.safetensors"
    packing.save_weights(path, weights(WHOLE))
    state = checkpoints.load_state("fastsam3d-default", path)
    assert_close(state, weights(WHOLE), rtol=2**-11, atol=2**-25)


def test_encoder_alone_is_joined_with_the_other_parts_of_a_whole(encoder_alone, whole):
    state = checkpoints.join_encoder(
        checkpoints.read_state(encoder_alone), checkpoints.read_state(whole)
    )
    checkpoints.check_state(state, WHOLE)
    expected = weights(ENCODER, seed=2)["neck.0.weight"]
    assert_close(state["image_encoder.neck.0.weight"], expected, rtol=0, atol=0)
    key = "mask_decoder.iou_token.weight"
    assert_close(state[key], weights(WHOLE, seed=1)[key], rtol=0, atol=0)


@pytest.mark.usefixtures("store_folder")
def test_encoder_alone_takes_the_decoder_from_the_store(encoder_alone, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "sam-med3d", TINY)
    entry = registry.Entry("sam-med3d", "sam-med3d", "teacher.pth", "none", repo="a/b")
    monkeypatch.setattr(registry, "ENTRIES", (entry,))
    teacher = build(TINY).state_dict()
    torch.save(teacher, path := tmp_path / "teacher.pth")
    store.import_file("sam-med3d", path, trust_first_use=True)
    state = checkpoints.load_state("fastsam3d", encoder_alone)
    key = "mask_decoder.iou_token.weight"
    assert_close(state[key], teacher[key], rtol=0, atol=0)
    expected = weights(ENCODER, seed=2)["neck.0.weight"]
    assert_close(state["image_encoder.neck.0.weight"], expected, rtol=0, atol=0)


@pytest.mark.usefixtures("store_folder")
def test_encoder_alone_without_a_decoder_says_which_weights_to_get(encoder_alone):
    with pytest.raises(InputError, match=r"alone.*`fastsam3d weights get sam-med3d`"):
        checkpoints.load_state("fastsam3d", encoder_alone)


@pytest.mark.usefixtures("store_folder")
def test_missing_weights_name_the_command_that_gets_them():
    with pytest.raises(InputError, match="`fastsam3d weights get sam-med3d`"):
        checkpoints.load_state("sam-med3d")


def test_hostile_pickle_is_refused_and_does_nothing(tmp_path):
    trace = tmp_path / "trace"
    state = weights(WHOLE) | {"bias": RunsACommand(f"touch {trace}")}
    torch.save(training_state(state), path := tmp_path / "hostile.pth")
    assert "system" in refused(path)
    assert not trace.exists()


def test_hostile_pickle_beside_good_weights_is_refused_too(tmp_path):
    trace = tmp_path / "trace"
    document = training_state(weights(WHOLE)) | {"hook": RunsACommand(f"touch {trace}")}
    torch.save(document, path := tmp_path / "hostile.pth")
    assert "system" in refused(path)
    assert not trace.exists()


def test_hostile_pickle_without_an_archive_does_nothing(tmp_path):
    trace = tmp_path / "trace"
    path = tmp_path / "hostile.pth"
    path.write_bytes(pickle.dumps(RunsACommand(f"touch {trace}"), protocol=2))
    refused(path)
    assert not trace.exists()


@pytest.mark.parametrize("kept", [0, 10, 900, -100])
def test_truncated_file_is_refused(whole, kept):
    whole.write_bytes(whole.read_bytes()[:kept])
    assert "truncated" in refused(whole)


def test_truncated_safetensors_is_refused(tmp_path):
    path = tmp_path / "own.safetensors"
    packing.save_weights(path, weights(WHOLE))
    path.write_bytes(path.read_bytes()[:-10])
    assert "truncated" in refused(path)


def test_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "notes.pth"
    path.write_text("These are no weights.")
    refused(path)


def test_dictionary_without_weights_is_refused_by_key(tmp_path):
    torch.save({"epoch": 3, "state": weights(WHOLE)}, path := tmp_path / "other.pth")
    assert "'epoch'" in refused(path)


def test_missing_file_is_named(tmp_path):
    refused(tmp_path / "absent.pth")


def test_weights_of_another_network_are_not_taken_for_published_ones():
    with pytest.raises(InputError, match=r"resnet.pth.*'layer1.0.weight'"):
        checkpoints.check_published({"layer1.0.weight": torch.zeros(1)}, "fastsam3d", "resnet.pth")


@pytest.mark.parametrize("preset", ["fastsam3d", "sam-med3d"])
def test_a_published_network_is_taken_whole_and_as_an_encoder_alone(preset):
    shapes = checkpoints.expected_shapes(preset)
    whole = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    encoder = {
        key.removeprefix(checkpoints.ENCODER): value
        for key, value in whole.items()
        if key.startswith(checkpoints.ENCODER)
    }
    checkpoints.check_published(whole, preset, "a.pth")
    checkpoints.check_published(encoder, preset, "a.pth")


def test_the_teacher_is_not_taken_for_the_student():
    shapes = checkpoints.expected_shapes("sam-med3d")
    teacher = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    told = r"^a\.pth does not hold the network fastsam3d: unknown 'image_encoder\.blocks"
    with pytest.raises(InputError, match=told):
        checkpoints.check_published(teacher, "fastsam3d", "a.pth")


def test_unknown_keys_are_named():
    with pytest.raises(InputError, match=r"do not fit the network: unknown 'blocks.9.bias', 'z';"):
        checkpoints.check_state(weights(WHOLE | {"blocks.9.bias": (1,), "z": (1,)}), WHOLE)


def test_missing_keys_are_named_and_counted():
    expected = WHOLE | {f"mask_decoder.{n}": (1,) for n in range(4)}
    told = r"missing 'mask_decoder.0', 'mask_decoder.1', 'mask_decoder.2' and 1 more; choose"
    with pytest.raises(InputError, match=told):
        checkpoints.check_state(weights(WHOLE), expected)


def test_wrong_shape_is_named_with_both_shapes():
    key = "mask_decoder.iou_token.weight"
    with pytest.raises(InputError, match=rf"'{key}' is \(4, 3\), not \(1, 3\)"):
        checkpoints.check_state(weights(WHOLE | {key: (4, 3)}), WHOLE)


def test_weights_that_fit_pass():
    checkpoints.check_state(weights(WHOLE), WHOLE)
