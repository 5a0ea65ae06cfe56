import sys
from types import SimpleNamespace

import pytest
import torch

from fastsam3d import kernels
from fastsam3d.attention import dense_attention_plain
from fastsam3d.kernels import WRITTEN_OUT_KEYS, attend, flash_attn


@pytest.fixture(autouse=True)
def _asked_anew():
    flash_attn.cache_clear()
    yield
    flash_attn.cache_clear()


def qkv(queries, keys, dtype=torch.float32):
    random = torch.Generator().manual_seed(0)
    sizes = queries, keys, keys
    return [torch.randn(2, 3, n, 16, generator=random).to(dtype) for n in sizes]


@pytest.mark.parametrize("keys", [9, WRITTEN_OUT_KEYS, WRITTEN_OUT_KEYS + 1])
@pytest.mark.parametrize("biased", [False, True])
def test_bfloat16_on_a_cpu_rounds_and_no_more(keys, biased):
    q, k, v = qkv(40, keys, torch.bfloat16)
    bias = torch.randn(2, 3, 40, keys).bfloat16() if biased else None
    exact = [None if each is None else each.float() for each in (q, k, v, bias)]
    expected = dense_attention_plain(*exact)
    out = attend(q, k, v, bias)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), expected, rtol=0.02, atol=0.02)


def test_keys_that_minus_infinity_hides_are_as_if_they_were_not_there():
    q, k, v = qkv(5, 7)
    bias = torch.zeros(2, 1, 1, 7)
    bias[..., 4:] = -torch.inf
    torch.testing.assert_close(attend(q, k, v, bias), attend(q, k[:, :, :4], v[:, :, :4]))


@pytest.fixture
def installed(monkeypatch):
    """Put a package in flash_attn's place, let it take operands on the CPU, and count its calls."""
    calls = []

    def flash_attn_func(q, k, v):
        calls.append(q.shape)
        out = dense_attention_plain(*(x.transpose(1, 2) for x in (q, k, v)))
        return out.transpose(1, 2).contiguous()

    package = SimpleNamespace(flash_attn_func=flash_attn_func)
    monkeypatch.setitem(sys.modules, "flash_attn", package)
    monkeypatch.setattr(kernels, "suits_flash_attn", lambda q: True)
    return calls


def test_flash_attn_is_used_where_it_is_installed(installed):
    q, k, v = qkv(40, 40)
    torch.testing.assert_close(attend(q, k, v), dense_attention_plain(q, k, v))
    assert installed == [(2, 40, 3, 16)]


def test_a_bias_goes_past_flash_attn_which_takes_none(installed):
    q, k, v = qkv(40, 40)
    bias = torch.randn(2, 3, 40, 40)
    torch.testing.assert_close(attend(q, k, v, bias), dense_attention_plain(q, k, v, bias))
    assert not installed


@pytest.mark.parametrize("broken", [None, SimpleNamespace()])
def test_flash_attn_that_is_missing_or_broken_is_done_without(installed, monkeypatch, broken):
    monkeypatch.setitem(sys.modules, "flash_attn", broken)
    q, k, v = qkv(40, 40)
    torch.testing.assert_close(attend(q, k, v), dense_attention_plain(q, k, v))


def test_flash_attn_is_not_asked_on_a_cpu():
    assert not kernels.suits_flash_attn(torch.zeros(1, 1, 4, 16, dtype=torch.float16))
