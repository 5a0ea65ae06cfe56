import os
from dataclasses import replace

import pytest
import torch
from torch.profiler import profile
from torch.testing import assert_close

from distilling import PUBLISHED, STUDENT, network, small_presets
from fastsam3d.attention import dense_attention_plain, sparse_attention_plain
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.forms import (
    GEOMETRIES,
    USUAL,
    config_of,
    encoder,
    sizes_of,
    sparse_written_out,
    use_form,
)
from fastsam3d.benchmark.measure import count
from fastsam3d.benchmark.table_ablation import FORMS
from fastsam3d.config import CompactConfig
from fastsam3d.encoder import Attention
from fastsam3d.errors import InputError

GFLOPS = {
    ("published", 8): (49.476, 46.657),
    ("published", 16): (576.197, 373.260),
    ("fastsam3d-default", 8): (13.820, 12.881),
    ("fastsam3d-default", 16): (170.691, 103.046),
}
"""All operations of the encoder with dense and with sparse attention, w 64, r 4."""

ARGUMENTS = {"geometry": "fastsam3d-default", "tokens": 8}


@pytest.fixture
def small():
    with small_presets():
        yield


def counted(geometry, tokens, form, **sizes):
    return count(encoder("meta", geometry=geometry, tokens=tokens, form=form, **sizes))


def kernels(part):
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it talks, from its first use on for good
    with profile() as trace:
        part.run()
    return {event.key for event in trace.key_averages() if "scaled_dot_product" in event.key}


@pytest.mark.parametrize("sizes", [(64, 4), (16, 1), (128, 2), (32, 8)])
def test_segments_all_at_once_are_what_one_after_the_other_is(sizes):
    segment, ratio = sizes
    q, k, v = torch.randn(3, 2, 3, 512, 8)
    found = sparse_written_out(q, k, v, segment=segment, ratio=ratio)
    assert_close(found, sparse_attention_plain(q, k, v, segment=segment, ratio=ratio))


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_one_of_two_definitions_with_its_segments_and_dilation(form):
    attention = Attention(16, 2, sparse=True)
    q, k, v = torch.randn(3, 1, 2, 512, 8)
    use_form(attention, form, (32, 2))
    expected = (
        sparse_attention_plain(q, k, v, segment=32, ratio=2)
        if form.startswith("sparse")
        else dense_attention_plain(q, k, v)
    )
    assert_close(attention.attend(q, k, v), expected)


@torch.inference_mode()
def test_flash_changes_no_embedding_and_sparse_does():
    made, image = network(STUDENT).eval(), torch.randn(1, 1, 128, 128, 128)
    found = {}
    for form in FORMS:
        use_form(made, form)
        found[form] = made.encode(image).tokens
    assert_close(found["plain"], found["flash"])
    assert_close(found["sparse"], found["sparse+flash"])
    assert not torch.allclose(found["sparse"], found["plain"], atol=1e-3)


def test_flash_runs_in_a_fused_kernel_and_the_others_write_their_logits_out(small):
    for form in FORMS:
        found = kernels(encoder("cpu", **ARGUMENTS, form=form))
        if "flash" in form:
            assert "aten::_scaled_dot_product_flash_attention_for_cpu" in found
        else:
            assert found == set()


def test_flash_does_not_turn_into_plain_attention_without_a_word(small, monkeypatch):
    part = encoder("cpu", **ARGUMENTS, form="flash")
    monkeypatch.setattr(Attention, "attend", with_a_bias_that_learns)
    with pytest.raises(RuntimeError, match="No available kernel"):
        part.run()


def with_a_bias_that_learns(attention, q, k, v):
    with torch.inference_mode(mode=False), torch.enable_grad():
        q, k, v = (each.clone() for each in (q, k, v))
        bias = torch.zeros(q.shape[2], q.shape[2], requires_grad=True)
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)


@pytest.mark.parametrize("form", FORMS)
def test_published_counts_are_those_that_the_paper_prints(form):
    found = counted("published", 8, form).published / 1e9
    assert found == pytest.approx(paper.ABLATION[form].gflops, abs=0.1)
    assert round(found, 3) == (21.935 if "flash" in form else 23.143)


@pytest.mark.parametrize(("setting", "gflops"), GFLOPS.items())
def test_sparse_attention_saves_operations_and_flash_none(setting, gflops):
    dense, sparse = gflops
    for form in FORMS:
        expected = sparse if form.startswith("sparse") else dense
        assert round(counted(*setting, form).exact / 1e9, 3) == expected


def test_longer_segments_cost_more_and_dilation_costs_nothing():
    exact = [counted(**ARGUMENTS, form="sparse", segment=w, dilation=1).exact for w in (16, 512)]
    assert exact[0] < exact[1] == counted(**ARGUMENTS, form="plain").exact
    dilated = counted(**ARGUMENTS, form="sparse", segment=16, dilation=8)
    assert dilated.exact == exact[0]


def test_geometries_are_the_presets_without_relative_positions():
    assert config_of("published", 8).attention == ("none", "none", *["dense"] * 4)
    assert config_of("fastsam3d-default", 8) == replace(CompactConfig(), attention="dense")
    assert [config_of(name, 16).patch_size for name in GEOMETRIES] == [256, 256]
    names = dict(
        encoder("meta", geometry="published", tokens=8, form="flash").network.named_parameters()
    )
    assert not [name for name in names if "rel_pos" in name]


def test_the_small_published_geometry_runs_in_every_form(small):
    assert config_of("published", 4).width == PUBLISHED.width
    shapes = {
        encoder("cpu", geometry="published", tokens=4, form=form, segment=8, dilation=2).run().shape
        for form in FORMS
    }
    assert shapes == {(1, PUBLISHED.embedding, 4, 4, 4)}


def test_sizes_are_those_whose_product_divides_the_tokens():
    assert list(sizes_of(8, (256, 512), range(1, 9))) == [(256, 1), (256, 2), (512, 1)]
    assert list(sizes_of(16, (512,), range(1, 9))) == [(512, 1), (512, 2), (512, 4), (512, 8)]
    assert list(sizes_of(4, USUAL[:1], USUAL[1:])) == []


def test_a_segment_that_does_not_divide_the_tokens_is_refused_in_flash(small):
    part = encoder("cpu", **ARGUMENTS, form="sparse+flash", segment=100, dilation=1)
    with pytest.raises(InputError, match="not a multiple of segment"):
        part.run()
