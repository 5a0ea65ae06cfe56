import pytest
import torch
from torch.testing import assert_close

from distilling import PUBLISHED_TEACHER, TEACHER, small_presets, state_of, teacher
from fastsam3d.distill import new_student
from fastsam3d.recipes import OURS, PAPER, Setting, adapted


@pytest.fixture(scope="module", autouse=True)
def presets():
    with small_presets():
        yield


def test_our_student_starts_as_every_other_layer_of_its_teacher():
    guide = teacher(TEACHER)
    student = new_student("fastsam3d-default", guide, OURS)
    for layer, block in enumerate(student.image_encoder.blocks):
        theirs = guide.network.image_encoder.blocks[2 * layer + 1].mlp.lin1.weight
        assert_close(block.mlp.lin1.weight.detach(), theirs.detach(), rtol=0, atol=0)


def test_paper_student_starts_from_nothing_but_the_teachers_prompts_and_decoder():
    guide = teacher(PUBLISHED_TEACHER)
    student = new_student("fastsam3d", guide, PAPER)
    theirs = guide.network.state_dict()
    for key, value in student.state_dict().items():
        if key.startswith(("prompt_encoder.", "mask_decoder.")):
            assert_close(value, theirs[key], rtol=0, atol=0)
    assert not student.image_encoder.pos_embed.any()


def test_seed_decides_the_first_weights():
    first, again, other = (
        state_of(
            new_student("fastsam3d", teacher(PUBLISHED_TEACHER), adapted(PAPER, Setting(seed=n)))
        )
        for n in (1, 1, 2)
    )
    assert_close(first, again, rtol=0, atol=0)
    key = "image_encoder.patch_embed.proj.weight"
    assert not torch.equal(first[key], other[key])
