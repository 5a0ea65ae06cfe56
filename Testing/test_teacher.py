import pytest
import torch
from torch.testing import assert_close

from distilling import PUBLISHED_TEACHER, STUDENT, TEACHER, drawn, network, state_of, teacher
from fastsam3d.config import PRESETS
from fastsam3d.errors import InputError
from fastsam3d.intensity import normalise
from fastsam3d.packing import save_weights
from fastsam3d.teacher import load_teacher, seen_by


@pytest.mark.parametrize(
    ("preset", "config"), [("fastsam3d-teacher", TEACHER), ("sam-med3d", PUBLISHED_TEACHER)]
)
def test_file_of_weights_becomes_the_teacher_that_it_is_of(tmp_path, monkeypatch, preset, config):
    monkeypatch.setitem(PRESETS, preset, config)
    path, made = tmp_path / "any-name.safetensors", network(config)
    save_weights(path, made.state_dict())
    loaded = load_teacher(str(path)).network
    assert loaded.config == config
    assert_close(state_of(loaded), state_of(made), rtol=2e-3, atol=1e-4)


def test_checkpoint_in_the_authors_form_becomes_a_teacher(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "sam-med3d", PUBLISHED_TEACHER)
    path, made = tmp_path / "published.pth", network(PUBLISHED_TEACHER)
    torch.save({"model_state_dict": made.state_dict()}, path)
    assert_close(state_of(load_teacher(str(path)).network), state_of(made))


def test_teacher_that_is_no_file_no_preset_or_of_none_is_told(tmp_path):
    with pytest.raises(InputError, match="expected a file of weights or one of"):
        load_teacher("nobody")
    with pytest.raises(InputError, match="No weights belong to a preset 'fastsam3d-teacher'"):
        load_teacher("fastsam3d-teacher")
    path = tmp_path / "other.safetensors"
    save_weights(path, network(STUDENT).state_dict())
    with pytest.raises(InputError, match="holds no network of the presets"):
        load_teacher(str(path))


def test_teacher_preset_is_what_a_student_of_the_default_can_follow():
    own, default = PRESETS["fastsam3d-teacher"], PRESETS["fastsam3d-default"]
    assert (own.depth, default.depth) == (12, 6)
    assert (own.width, own.embedding) == (default.width, default.embedding)
    assert (own.plain_layers, own.attention, own.slope) == (0, "dense", 0.1)


def test_teachers_weights_are_frozen():
    assert not any(value.requires_grad for value in teacher(TEACHER).network.parameters())


@pytest.mark.parametrize("config", [STUDENT, PUBLISHED_TEACHER], ids=["own", "published"])
def test_images_are_normalised_as_sessions_normalise_patches(config):
    made, image = network(config), (drawn(1)[0].image.float() / 255 - 0.2).clamp(0, 0.3)
    expected = torch.from_numpy(normalise(image.numpy(), made.normalisation))
    assert_close(seen_by(made, [image])[0, 0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("values", [0.0, 0.5, (0.0, 1.0)], ids=str)
def test_flat_images_stay_finite_and_small(values):
    image = torch.zeros(128, 128, 128)
    image[:64] = values[1] if isinstance(values, tuple) else values
    if not isinstance(values, tuple):
        image[:] = values
    assert float(seen_by(network(PUBLISHED_TEACHER), [image]).abs().max()) < 2
