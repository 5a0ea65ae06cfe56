import pytest
import torch

from fastsam3d.attention import (
    AxisTables,
    Padding,
    _recompose,
    _segments,
    dense_attention,
    dense_attention_plain,
    relative_bias,
    relative_bias_plain,
    sparse_attention,
    sparse_attention_plain,
    windowed_attention,
    windowed_attention_plain,
)
from fastsam3d.errors import InputError


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def qkv(tokens, channels=8):
    return (normal(2, 3, tokens, channels, seed=part) for part in range(3))


def test_fused_dense_attention_equals_its_definition():
    q, k, v = qkv(20)
    bias = normal(2, 3, 20, 20, seed=3)
    torch.testing.assert_close(dense_attention(q, k, v), dense_attention_plain(q, k, v))
    torch.testing.assert_close(dense_attention(q, k, v, bias), dense_attention_plain(q, k, v, bias))


@pytest.mark.parametrize(("segment", "ratio"), [(64, 4), (16, 8), (128, 2), (4, 1)])
def test_fused_sparse_attention_equals_its_definition(segment, ratio):
    q, k, v = qkv(512)
    fused = sparse_attention(q, k, v, segment=segment, ratio=ratio)
    plain = sparse_attention_plain(q, k, v, segment=segment, ratio=ratio)
    torch.testing.assert_close(fused, plain)


def test_sparse_attention_over_one_segment_of_all_tokens_is_dense():
    q, k, v = qkv(512)
    sparse = sparse_attention(q, k, v, segment=512, ratio=1)
    torch.testing.assert_close(sparse, dense_attention_plain(q, k, v))


@pytest.mark.parametrize("attention", [sparse_attention, sparse_attention_plain])
def test_each_token_sees_every_fourth_of_its_span_and_comes_back_to_its_place(attention):
    alike, places = torch.zeros(1, 1, 16, 1), torch.arange(16.0).view(1, 1, 16, 1)
    means = attention(alike, alike, places, segment=2, ratio=4).flatten()
    first = [2.0, 3.0, 4.0, 5.0]
    assert means.tolist() == [*first, *first, *(8 + mean for mean in first * 2)]


@pytest.mark.parametrize("attention", [sparse_attention, sparse_attention_plain])
def test_tokens_that_do_not_fill_the_spans_are_refused(attention):
    with pytest.raises(InputError, match="100 tokens, which is not a multiple of"):
        attention(*qkv(100))


def test_relative_bias_is_the_published_sum_term_by_term():
    grid = 3
    q, tables = normal(1, 1, grid**3, 4), AxisTables(*normal(3, 2 * grid - 1, 4, seed=1))
    bias = relative_bias(q, tables, grid).view((grid,) * 6)
    cube = q.view(grid, grid, grid, 4)
    for d, h, w, d2, h2, w2 in torch.cartesian_prod(*(torch.arange(grid),) * 6).tolist():
        expected = (
            cube[d, h, w] @ tables.d[d - w2 + grid - 1]
            + cube[d, h, d2] @ tables.h[h - w2 + grid - 1]
            + cube[d, h, h2] @ tables.w[h2 - w2 + grid - 1]
        )
        torch.testing.assert_close(bias[d, h, w, d2, h2, w2], expected)


@pytest.mark.parametrize("strength", [0.1, 1.0, 4.0])
@pytest.mark.parametrize(("grid", "window"), [(3, 5), (2, 7), (4, 5)])
def test_cheap_windowed_attention_equals_the_padded_one(grid, window, strength):
    q, k, v = qkv(grid**3)
    padding = Padding(*(normal(3, 8, seed=part) for part in (3, 4, 5)))
    tables = AxisTables(*strength * normal(3, 2 * window - 1, 8, seed=6))
    cheap = windowed_attention(q, k, v, padding, tables, grid)
    padded = windowed_attention_plain(q, k, v, padding, tables, grid)
    assert (cheap - padded).norm() < 1e-4 * padded.norm()


def test_segments_of_tokens_that_lie_one_after_the_other_are_cut_and_joined_without_a_copy():
    tokens = normal(2, 512, 3, 8)  # as a linear layer puts them out
    x = tokens.transpose(1, 2)
    segments = _segments(x, segment=64, ratio=4)
    assert segments.shape == (4, 12, 64, 8)
    assert segments.data_ptr() == tokens.data_ptr()
    joined = _recompose(segments, 2, 3)
    assert joined.data_ptr() == tokens.data_ptr()
    assert torch.equal(joined, x)


def test_relative_positions_equal_their_definition():
    q = normal(2, 3, 64, 8)
    tables = AxisTables(*(normal(7, 8, seed=axis) for axis in range(3)))
    torch.testing.assert_close(relative_bias(q, tables, 4), relative_bias_plain(q, tables, 4))
