from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from distilling import PUBLISHED, PUBLISHED_TEACHER, STUDENT, TEACHER, drawn, network
from fastsam3d.config import PRESETS
from fastsam3d.errors import InputError
from fastsam3d.growth import (
    PARTS,
    activity,
    grown,
    inheritance,
    revive,
    seed_from,
    started_from,
)
from fastsam3d.model import CompactNetwork
from fastsam3d.packing import save_weights

DEEP = replace(STUDENT, depth=6, plain_layers=0)


@torch.no_grad()
def answer(network):
    torch.manual_seed(3)
    embedding = network.embed(torch.randn(1, 1, 128, 128, 128))
    points, labels = torch.tensor([[[60.0, 50.0, 40.0]]]), torch.ones(1, 1, dtype=torch.long)
    return network.answer_all(embedding, points, labels, None)


@pytest.mark.parametrize("depth", [3, 6, 9])
def test_grown_network_answers_exactly_as_the_old_one(depth):
    old = network(STUDENT)
    assert_close(answer(grown(old, replace(DEEP, depth=depth))), answer(old), rtol=0, atol=0)


def test_grown_network_learns_in_its_new_layers_too():
    new = grown(network(STUDENT), DEEP)
    embedding = new.embed(torch.randn(1, 1, 128, 128, 128))
    embedding.fine.square().mean().backward()
    for block in new.image_encoder.blocks:
        assert block.attn.proj.weight.grad.any()
        assert block.mlp.lin2.weight.grad.any()


def test_grown_network_is_no_part_of_the_old_one():
    old = network(STUDENT)
    new = grown(old, DEEP)
    with torch.no_grad():
        new.mask_decoder.mix.weight.zero_()
    assert old.mask_decoder.mix.weight.any()


def test_student_seeded_by_what_grew_from_it_is_the_old_one():
    old, student = network(STUDENT), network(STUDENT, seed=5)
    seed_from(student, grown(old, DEEP))
    assert_close(student.state_dict(), old.state_dict(), rtol=0, atol=0)


def test_student_takes_only_the_parts_that_are_asked_for():
    student, teacher = network(PUBLISHED), network(PUBLISHED_TEACHER, seed=1)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    seed_from(student, teacher, ("prompt_encoder.", "mask_decoder."))
    for key, value in student.state_dict().items():
        source = before if key.startswith("image_encoder.") else teacher.state_dict()
        assert_close(value, source[key], rtol=0, atol=0)


def test_what_was_copied_is_told():
    student, guide = network(STUDENT), network(TEACHER, seed=1)
    keys = seed_from(student, guide)
    assert (
        keys["image_encoder.blocks.1.mlp.lin1.weight"] == "image_encoder.blocks.3.mlp.lin1.weight"
    )
    other = network(replace(TEACHER, width=32, embedding=32, middle=8, fine=8))
    assert not any(".blocks." in key for key in seed_from(network(STUDENT), other))
    count = sum(key.startswith("image_encoder.") for key in student.state_dict())
    copied = sum(key.startswith("image_encoder.") for key in keys)
    assert f"{copied} of {count} tensors of its image encoder" in inheritance(student, guide, PARTS)
    told = inheritance(network(PUBLISHED), guide, PARTS[1:])
    assert told == inheritance(student, guide, ())
    assert told.startswith("Nothing of the teacher's")


def test_depths_that_do_not_fit_leave_the_layers_and_copy_the_rest():
    student, guide = network(replace(STUDENT, depth=4)), network(TEACHER, seed=1)
    keys = seed_from(student, guide)
    assert "mask_decoder.mix.weight" in keys
    assert not any(".blocks." in key for key in keys if key.startswith("image_encoder."))


def test_what_has_another_shape_stays():
    student = network(replace(STUDENT, width=32))
    seed_from(student, network(TEACHER, seed=1))
    own = network(replace(STUDENT, width=32)).state_dict()
    assert_close(student.image_encoder.pos_embed, own["image_encoder.pos_embed"])


def test_networks_of_other_sizes_are_refused():
    with pytest.raises(InputError, match="other sizes"):
        grown(network(STUDENT), replace(DEEP, width=32))
    with pytest.raises(InputError, match="of 4 and of 3 layers"):
        grown(network(STUDENT), replace(DEEP, depth=4))


def silenced(name):
    made = network(STUDENT)
    block = made.get_submodule(name)
    with torch.no_grad():
        block.conv.weight.zero_()
        block.conv.bias.fill_(-1)
    return made


@pytest.mark.parametrize("name", ["image_encoder.middle_in", "mask_decoder.fine_out.1"])
def test_silent_convolution_is_revived_and_the_answer_stays(name):
    made = silenced(name)
    assert isinstance(made, CompactNetwork)
    before, others = answer(made), activity(made, drawn(1))
    assert others.pop(name) == 0
    assert revive(made, drawn(1)) == [name]
    assert_close(answer(made), before)
    assert activity(made, drawn(1))[name] > 0.2
    assert min(others.values()) > 0.2


def test_lively_network_is_left_as_it_is():
    made = network(STUDENT)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    assert revive(made, drawn(1)) == []
    assert_close(made.state_dict(), before, rtol=0, atol=0)
    assert not any(module._forward_hooks for module in made.modules())


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of a trained student's weights."""
    monkeypatch.setitem(PRESETS, "fastsam3d-default", STUDENT)
    path = tmp_path / "old.safetensors"
    save_weights(path, network(STUDENT).state_dict())
    return path


def test_weights_are_gone_on_from_as_they_are_or_grown(weights):
    same = started_from(weights, STUDENT, 0)
    deep = started_from(weights, DEEP, 0)
    assert (same.config, deep.config) == (STUDENT, DEEP)
    assert_close(answer(deep), answer(same), rtol=0, atol=0)
    assert all(value.requires_grad for value in deep.parameters())


def test_published_weights_are_nothing_to_start_from(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "fastsam3d", PUBLISHED)
    path = tmp_path / "published.safetensors"
    save_weights(path, network(PUBLISHED).state_dict())
    with pytest.raises(InputError, match="start from one of our own"):
        started_from(path, DEEP, 0)
