"""Attention over the tokens of a cube: dense, 3D sparse, and in the teacher's padded windows.

Queries, keys and values are (B, heads, N, c), the N = g³ tokens in row-major order of the grid.
The functions named `..._plain` are the definitions in plain torch; the others give the same numbers
through the fused kernels of `kernels`.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .errors import InputError
from .kernels import attend


def dense_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attend from every query to every key.

    Args:
        q: (B, heads, N, c), unscaled.
        k: (B, heads, M, c).
        v: (B, heads, M, c).
        bias: (B, heads, N, M), added to the scaled logits.

    Returns:
        (B, heads, N, c).
    """
    return attend(q, k, v, bias)


def dense_attention_plain(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """Define `dense_attention`: softmax(q kᵀ / √c + bias) v."""
    logits = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return (logits if bias is None else logits + bias).softmax(-1) @ v


def sparse_attention(
    q: Tensor, k: Tensor, v: Tensor, *, segment: int = 64, ratio: int = 4
) -> Tensor:
    """Attend within 3D sparse segments (FastSAM3D, eq. 3), all of them at once.

    The tokens are cut into spans of `segment` · `ratio`; in a span, the `ratio` interleaved
    sequences of `segment` tokens attend to themselves. Outputs come back at their tokens' places.

    Args:
        q: (B, heads, N, c), unscaled.
        k: like q.
        v: like q.
        segment: w, the tokens of one sparse segment.
        ratio: r, the step from one token of a segment to the next.

    Returns:
        (B, heads, N, c).

    Raises:
        InputError: if N is not a multiple of `segment` · `ratio`.
    """
    _check_spans(q.shape[2], segment, ratio)
    B, heads = q.shape[:2]
    q, k, v = (_segments(x, segment, ratio) for x in (q, k, v))
    return _recompose(attend(q, k, v), B, heads)


def sparse_attention_plain(
    q: Tensor, k: Tensor, v: Tensor, *, segment: int = 64, ratio: int = 4
) -> Tensor:
    """Define `sparse_attention`: one sparse segment after the other."""
    _check_spans(q.shape[2], segment, ratio)
    out = torch.empty_like(v)
    span = segment * ratio
    for start in range(0, q.shape[2], span):
        for offset in range(ratio):
            own = slice(start + offset, start + span, ratio)
            out[:, :, own] = dense_attention_plain(q[:, :, own], k[:, :, own], v[:, :, own])
    return out


def _check_spans(tokens: int, segment: int, ratio: int) -> None:
    if tokens % (segment * ratio):
        raise InputError(
            f"Sparse attention got {tokens} tokens, which is not a multiple of segment · ratio = "
            f"{segment} · {ratio}: choose a segment and ratio whose product divides them."
        )


def _segments(x: Tensor, segment: int, ratio: int) -> Tensor:
    """Bring (B, heads, N, c) to (B · spans, r · heads, w, c): a span's sequences side by side.

    Where a token's channels follow the one's before, as in the fused kernels' outputs, that copies
    nothing, nor does the way back.
    """
    # (B, N, heads, c) -> (B, spans, w, r, heads, c)
    batch, heads, _, channels = x.shape
    spans = x.transpose(1, 2).view(batch, -1, segment, ratio, heads, channels)
    return spans.flatten(0, 1).flatten(2, 3).transpose(1, 2)


def _recompose(x: Tensor, batch: int, heads: int) -> Tensor:
    # (B * spans, r * heads, w, c) -> (B, N, heads, c) -> (B, heads, N, c)
    return x.transpose(1, 2).reshape(batch, -1, heads, x.shape[-1]).transpose(1, 2)


class AxisTables(NamedTuple):
    """Learnt relative positions of the three axes, each (2S - 1, c) for a side of S tokens."""

    d: Tensor
    h: Tensor
    w: Tensor


class Padding(NamedTuple):
    """Query, key and value of a padding token, each (heads, c)."""

    q: Tensor
    k: Tensor
    v: Tensor


def relative_bias(q: Tensor, tables: AxisTables, grid: int) -> Tensor:
    """Return the (B, heads, N, N) bias the published weights were trained with.

    With R_a[x, y] = table_a[x - y + S - 1], the bias of query (d, h, w) and key (d', h', w') is
    q(d, h, w)·R_d[d, w'] + q(d, h, d')·R_h[h, w'] + q(d, h, h')·R_w[h', w']. It is not the usual
    sum of three axes: the published code broadcasts its last two terms over other axes than meant.

    Args:
        q: (B, heads, grid³, c), unscaled.
        tables: for a side of `grid`.
        grid: tokens along a side.
    """
    return _sum_of_terms(*_bias_terms(_on_grid(q, grid), tables, grid))


def relative_bias_plain(q: Tensor, tables: AxisTables, grid: int) -> Tensor:
    """Define `relative_bias`: each query with each row of R_a, the three terms added up."""
    cube = _on_grid(q, grid)
    r_d, r_h, r_w = (_by_offset(table) for table in tables)
    a = torch.einsum("bndhwc,dxc->bndhwx", cube, r_d)
    b = torch.einsum("bndhzc,hxc->bndhzx", cube, r_h)
    c = torch.einsum("bndhyc,yxc->bndhyx", cube, r_w)
    total = a[:, :, :, :, :, None, None] + b[:, :, :, :, None, :, None] + c[:, :, :, :, None, None]
    return total.reshape(*q.shape[:2], grid**3, grid**3)


def windowed_attention(
    q: Tensor, k: Tensor, v: Tensor, padding: Padding, tables: AxisTables, grid: int
) -> Tensor:
    """Attend in one window that is larger than the grid, without computing its padding.

    All padded keys are alike, so they act as one more key whose logit has log C added, where C is
    the sum of exp(bias) over the padded places. Equal to padding the grid to the window's side.

    Args:
        q: (B, heads, grid³, c), unscaled.
        k: like q.
        v: like q.
        padding: what q, k and v are at a padded place.
        tables: for the window's side.
        grid: tokens along a side, fewer than along the window's.

    Returns:
        (B, heads, grid³, c).
    """
    q_grid = _on_grid(q, grid)
    missing = (len(tables.d) + 1) // 2 - grid
    pad = padding.q[:, None, None, None].expand(len(q), -1, grid, grid, missing, -1)
    a, b, c = _bias_terms(torch.cat([q_grid, pad], 4), tables, grid)
    inside = _sum_of_terms(a[..., :grid], b[..., :grid, :grid], c[..., :grid, :grid])
    bias = torch.cat([inside, _log_sum_of_padding(a, b, c, grid)[..., None]], -1)
    k, v = (_append(x, extra) for x, extra in ((k, padding.k), (v, padding.v)))
    return dense_attention(q, k, v, bias)


def windowed_attention_plain(
    q: Tensor, k: Tensor, v: Tensor, padding: Padding, tables: AxisTables, grid: int
) -> Tensor:
    """Define `windowed_attention`: pad the grid to the window, attend, drop the padding."""
    side = (len(tables.d) + 1) // 2
    q, k, v = (_padded(x, extra, grid, side) for x, extra in zip((q, k, v), padding, strict=True))
    out = dense_attention_plain(q, k, v, relative_bias_plain(q, tables, side))
    return _on_grid(out, side)[:, :, :grid, :grid, :grid].flatten(2, 4)


def _padded(x: Tensor, extra: Tensor, grid: int, side: int) -> Tensor:
    # (B, heads, grid³, c), (heads, c) -> (B, heads, side³, c)
    cube = extra[None, :, None, None, None].repeat(len(x), 1, side, side, side, 1)
    cube[:, :, :grid, :grid, :grid] = _on_grid(x, grid)
    return cube.flatten(2, 4)


def _on_grid(x: Tensor, grid: int) -> Tensor:
    # (B, heads, grid³, c) -> (B, heads, grid, grid, grid, c)
    return x.reshape(*x.shape[:2], grid, grid, grid, -1)


def _append(x: Tensor, extra: Tensor) -> Tensor:
    # (B, heads, N, c), (heads, c) -> (B, heads, N + 1, c)
    return torch.cat([x, extra[None, :, None].expand(len(x), -1, -1, -1)], 2)


def _bias_terms(row: Tensor, tables: AxisTables, grid: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return a[d, h, w, w'], b[d, h, d', w'] and c[d, h, h', w'], each (B, heads, ...).

    Args:
        row: (B, heads, g, g, S, c), the queries along w, with padding up to the tables' side S.
        tables: for a side of S tokens.
        grid: tokens along a side, g.
    """
    side = row.shape[4]
    # To every entry of the three tables, in one product: batches of matrices would repeat them.
    likeness = F.linear(row.flatten(0, -2), torch.cat(tables)).view(*row.shape[:-1], -1)
    places = _places(grid, side, row.device)
    terms = likeness.gather(-1, places.expand(*row.shape[:2], *places.shape))
    a, b, c = terms.chunk(3, -1)
    return a[:, :, :, :, :grid], b, c


def _by_offset(table: Tensor) -> Tensor:
    # (2S - 1, c) -> (S, S, c)
    side = torch.arange((len(table) + 1) // 2, device=table.device)
    return table[side[:, None] - side + len(side) - 1]


@cache
def _places(grid: int, side: int, device: torch.device) -> Tensor:
    """Return where in the tables one after the other the three terms are, (g, g, S, 3 S)."""
    entries = 2 * side - 1
    with torch.inference_mode(mode=False):  # learning may use it, too
        n = torch.arange(side, device=device)
        offset = n[:, None] - n + side - 1
        shape = grid, grid, side, side
        a = offset[:grid, None, None].expand(shape)
        b = offset[None, :grid, None].expand(shape) + entries
        c = offset.expand(shape) + 2 * entries
        return torch.cat([a, b, c], -1)


def _sum_of_terms(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Add the terms of `_bias_terms` up to (B, heads, g³, g³)."""
    grid = a.shape[2]
    by_key = b[..., None, :].expand(*b.shape[:-1], grid, -1)  # (B, heads, d, h, d', h', w')
    by_query = a[..., None, :] + c[:, :, :, :, None]  # (B, heads, d, h, w, h', w')
    # Two axes as one: a wide inner loop is what this takes its time by.
    total = by_key.flatten(5)[:, :, :, :, None] + by_query.flatten(5)[..., None, :]
    return total.view(*a.shape[:2], grid**3, grid**3)


def _log_sum_of_padding(a: Tensor, b: Tensor, c: Tensor, grid: int) -> Tensor:
    """Return log C, (B, heads, g³): padded are w' >= g, and of the rest d' >= g or h' >= g."""
    b_in, b_out = b[..., :grid, :].logsumexp(-2), b[..., grid:, :].logsumexp(-2)
    c_in, c_out = c[..., :grid, :].logsumexp(-2), c[..., grid:, :].logsumexp(-2)
    c_all = torch.logaddexp(c_in, c_out)
    some = torch.logaddexp(b_out + c_all, b_in + c_out)
    every = torch.logaddexp(b_in, b_out) + c_all
    weight = torch.cat([some[..., :grid], every[..., grid:]], -1)  # (B, heads, d, h, w')
    return (a + weight[..., None, :]).logsumexp(-1).flatten(2)


class Forms(NamedTuple):
    """One way to compute the three attentions, and relative positions."""

    dense: Callable[..., Tensor]
    sparse: Callable[..., Tensor]
    windowed: Callable[..., Tensor]
    relative: Callable[..., Tensor]


FUSED = Forms(dense_attention, sparse_attention, windowed_attention, relative_bias)
PLAIN = Forms(
    dense_attention_plain, sparse_attention_plain, windowed_attention_plain, relative_bias_plain
)
