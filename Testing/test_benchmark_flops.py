import pytest
import torch
from torch import nn

from distilling import PUBLISHED_TEACHER, network
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.as_published import work_as_published
from fastsam3d.benchmark.flops import count_exact, count_published
from fastsam3d.benchmark.measure import count
from fastsam3d.benchmark.parts import part_of, system_part
from fastsam3d.benchmark.systems import SYSTEMS

EXACT = {
    "sam": ((369.006, 972.1), (2.983, 3.62)),
    "mobilesam": ((36.743, 77.5), (2.983, 3.62)),
    "tinysam": ((36.743, 77.5), (2.983, 3.62)),
    "medsam": ((369.006, 972.1), (2.983, 3.62)),
    "sam-med2d": ((32.080, 69.0), (0.206, 0.267)),
    "sam-med3d": ((89.452, 368.6), (2.832, 1.459)),
    "fastsam3d": ((21.935, 49.55), (2.832, 1.459)),
}
"""GFLOPs of encoder and decoder, as the paper counts them and all of them."""

DIGITS = {972.1: 1, 3.62: 2, 77.5: 1, 69.0: 1, 368.6: 1, 49.55: 2}


def counted(system, part):
    with torch.device("meta"):
        return count(system_part("meta", system=system, part=part))


@pytest.mark.parametrize("system", EXACT)
def test_counts_are_those_of_the_published_code(system):
    for part, (published, exact) in zip(("encoder", "decoder"), EXACT[system], strict=True):
        found = counted(system, part)
        assert round(found.published / 1e9, 3) == published
        assert round(found.exact / 1e9, DIGITS.get(exact, 3)) == exact
        printed = getattr(paper.EFFICIENCY[system], part).gflops
        assert found.published / 1e9 == pytest.approx(printed, abs=0.1 if printed > 1 else 0.01)


def test_every_system_of_the_paper_is_counted():
    assert list(EXACT) == list(paper.EFFICIENCY)
    assert set(EXACT) < set(SYSTEMS)


def test_with_adapters_or_the_projection_after_attention_there_are_more():
    adapted = system_part("meta", system="sam-med2d", part="encoder")
    image = torch.empty(1, 3, 256, 256, device="meta")
    assert round(count_published(adapted.module, image) / 1e9, 2) == 65.16
    assert round(count_exact(adapted.module, image) / 1e9, 1) == 91.7
    assert any("65.2" in note.text and "91.7" in note.text for note in paper.NOTES[3])
    plain = system_part("meta", system="fastsam3d", part="encoder")
    patch = torch.empty(1, 1, 128, 128, 128, device="meta")
    assert round(count_published(plain.module, patch) / 1e9, 3) == 23.143
    assert counted("fastsam3d", "encoder").published == (
        count_published(plain.module, patch) - 4 * 512 * 768**2
    )


def test_without_adapters_sam_med2d_has_its_published_operations():
    from fastsam3d.benchmark.sam_med2d import build_sam_med2d

    with torch.device("meta"):
        network = build_sam_med2d(adapters=False).eval().requires_grad_(requires_grad=False)
    bare = count(part_of(network, "encoder"))
    assert round(bare.published / 1e9, 3) == 32.080
    assert round(bare.exact / 1e9, 1) == 69.0


def test_the_published_form_of_the_teacher_counts_the_same():
    usual, padded = (
        count(system_part("meta", system="sam-med3d", part="encoder", padded=padded))
        for padded in (False, True)
    )
    assert usual == padded


def test_a_transposed_convolution_counts_as_if_every_output_saw_its_whole_kernel():
    layer = nn.ConvTranspose3d(6, 5, 2, 2)
    image = torch.zeros(1, 6, 4, 4, 4)
    assert count_published(layer, image) == 5 * 8**3 * 6 * 2**3
    assert count_exact(layer, image) == 2 * 5 * 8**3 * 6


def test_a_convolution_of_groups_counts_what_an_output_sees():
    assert count_published(nn.Conv2d(6, 6, 3, groups=6), torch.zeros(1, 6, 5, 5)) == 6 * 9 * 9


def test_a_norm_counts_four_an_element_and_only_if_it_is_torchs_own():
    class OtherNorm(nn.LayerNorm):
        pass

    x = torch.zeros(2, 8)
    assert count_published(nn.LayerNorm(8), x) == 64
    assert count_published(OtherNorm(8), x) == 0


def test_attention_between_modules_counts_in_the_exact_convention_alone():
    class Attention(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x)

    x = torch.zeros(1, 2, 16, 8, device="meta")
    assert count_published(Attention(), x) == 0
    assert count_exact(Attention(), x) == 2 * 2 * (16 * 16 * 8) * 2


def test_counting_leaves_no_hooks_behind():
    layer = nn.Linear(2, 2)
    count_published(layer, torch.zeros(1, 2))
    assert not layer._forward_hooks


@torch.inference_mode()
def test_work_as_published_changes_no_embedding_and_answers_with_all_masks():
    made = network(PUBLISHED_TEACHER).eval().requires_grad_(requires_grad=False)
    image = torch.randn(1, 1, 128, 128, 128)
    before = made.encode(image)
    click, label = torch.full((1, 1, 3), 64.0), torch.ones(1, 1)
    single, _ = made.decode(before, click, label)
    work_as_published(made)
    torch.testing.assert_close(made.encode(image), before, rtol=1e-4, atol=1e-4)
    every, _ = made.decode(before, click, label)
    assert every.shape[1] == 4
    torch.testing.assert_close(every[:, :1], single)
