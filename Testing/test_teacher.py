from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from distilling import (
    PUBLISHED,
    PUBLISHED_TEACHER,
    STUDENT,
    TEACHER,
    drawn,
    network,
    state_of,
    teacher,
)
from fastsam3d.augmentation import Shown, varied
from fastsam3d.config import PRESETS
from fastsam3d.errors import InputError
from fastsam3d.examples import Intensities, make_example
from fastsam3d.packing import save_weights
from fastsam3d.pool import Pool
from fastsam3d.synthetic import Random
from fastsam3d.teacher import load_teacher, seen_by, suited

FLIPS = [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


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
    with pytest.raises(InputError, match="there is no such file; expected a file of weights or"):
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


def ct():
    """A body in air, with soft tissue, a little bone and a screw: (128, 128, 128) in HU."""
    axis = torch.arange(128.0) - 64
    out = (axis[:, None, None] ** 2 + 2 * axis[:, None] ** 2 + axis**2).sqrt()
    tissue = 40 + 30 * torch.randn(out.shape, generator=torch.Generator().manual_seed(0))
    image = torch.where(out < 50, tissue, -1000.0)
    image[60:72, 60:68, 40:90] = torch.linspace(200, 1400, 50)
    image[70, 70, 50:60] = 3000
    return image


def kept_in_a_pool(image, folder, *, is_ct):
    pool = Pool(folder)
    plain = make_example(image, torch.zeros(64, 64, 64, dtype=torch.uint8), split=False)
    pool.append(replace(plain, intensities=Intensities.of(image, is_ct=is_ct)))
    return Pool(folder)[0]


def shown_to(network, show):
    """Return what a network's encoder is given meanwhile."""
    given = []
    hook = network.image_encoder.register_forward_pre_hook(lambda _, inputs: given.append(*inputs))
    show()
    hook.remove()
    return given[0][0, 0]


@pytest.mark.parametrize(
    ("config", "is_ct", "clamped", "tolerance"),
    [
        (STUDENT, True, False, 0.02),
        (PUBLISHED, True, False, 0.002),
        (PUBLISHED_TEACHER, True, True, 0.002),
        (PUBLISHED_TEACHER, False, False, 0.002),
    ],
    ids=["own", "FastSAM3D", "SAM-Med3D", "SAM-Med3D, no CT"],
)
def test_distillation_shows_a_patch_as_a_session_does(config, is_ct, clamped, tolerance, tmp_path):
    guide, image = teacher(config), ct()
    example = kept_in_a_pool(image, tmp_path, is_ct=is_ct)
    shown = varied(example, Random.seeded(0), "none")[0]
    distilled = shown_to(guide.network, lambda: guide.embedding([shown]))
    guide.network.ct_clamp = clamped
    in_session = shown_to(guide.network, lambda: guide.network.embed_patch(image.numpy()))
    assert_close(distilled, in_session, rtol=0.001, atol=tolerance)


def test_flipped_patch_keeps_its_intensities_and_they_move_with_it(tmp_path):
    example, network_ = kept_in_a_pool(ct(), tmp_path, is_ct=True), network(PUBLISHED)
    straight = seen_by(network_, [varied(example, Random.seeded(0), "none")[0]])[0, 0]
    seen = set()
    for seed in range(4):
        shown, _ = varied(example, Random.seeded(seed), "flips")
        axes = [n for n in FLIPS if torch.equal(example.image.flip(n).float() / 255, shown.image)]
        assert_close(seen_by(network_, [shown])[0, 0], straight.flip(axes[0]), rtol=0, atol=1e-5)
        seen.add(axes[0])
    assert len(seen) > 1


def test_published_network_without_a_scans_intensities_is_refused_and_our_own_sees_on():
    bare = replace(drawn(1)[0], intensities=None)
    recoloured = varied(drawn(1)[0], Random.seeded(0), "all")[0]
    for shown in (varied(bare, Random.seeded(0), "none")[0], recoloured):
        assert seen_by(network(STUDENT), [shown]).shape == (1, 1, 128, 128, 128)
        with pytest.raises(InputError, match="without the scans' own intensities"):
            seen_by(network(PUBLISHED), [shown])


@pytest.mark.parametrize(
    ("pair", "asked", "shown"),
    [
        ((STUDENT, TEACHER), "all", "all"),
        ((STUDENT, PUBLISHED_TEACHER), "all", "flips"),
        ((PUBLISHED, TEACHER), "all", "flips"),
        ((PUBLISHED, PUBLISHED_TEACHER), "none", "none"),
    ],
    ids=["own", "published teacher", "published student", "unvaried"],
)
def test_patches_are_recoloured_and_turned_for_our_own_networks_alone(pair, asked, shown):
    assert suited(asked, *map(network, pair)) == shown


@pytest.mark.parametrize("values", [(0.0, 0.0), (0.5, 0.5), (0.0, 1.0)], ids=str)
def test_flat_images_stay_finite_and_small(values):
    image = torch.full((128,) * 3, values[0])
    image[:64] = values[1]
    shown = Shown(image, Intensities.of(image))
    assert float(seen_by(network(PUBLISHED_TEACHER), [shown]).abs().max()) < 2
