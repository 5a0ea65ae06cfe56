import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from fastsam3d.benchmark import ceilings, speed, speed_table
from fastsam3d.benchmark.ceilings import Ceilings, least_ms, measured
from fastsam3d.benchmark.speed import (
    DECODE,
    ENCODE,
    MASK,
    PARTS,
    Pace,
    Speed,
    actions,
    bits,
    speeds,
)
from fastsam3d.cli import main
from fastsam3d.config import PRESETS
from fastsam3d.errors import InputError
from fastsam3d.loading import build
from fastsam3d.plain import make_plain
from smallnets import small_networks as small_networks

QUICK = Pace(runs=1, seconds=0)
NAMES = ("fastsam3d", "fastsam3d-default")
ROW = Speed("fastsam3d", ENCODE, "random", "a GPU", "float16", 0.5, 4.0, 0.0012, 0.1)


@pytest.fixture(autouse=True)
def _small(small_networks, monkeypatch):
    """Measure small networks, all of them with random weights."""
    monkeypatch.setattr(speed, "_weights", drawn)


def drawn(name):
    torch.manual_seed(0)
    return build(PRESETS[name]).state_dict(), "random"


def test_every_part_is_measured_in_both_forms():
    found = list(speeds(NAMES, "cpu", QUICK))
    assert [(row.network, row.part) for row in found] == [
        (name, part) for name in NAMES for part in PARTS
    ]
    assert all(row.ms > 0 and row.plain_ms > 0 and row.limit_ms > 0 for row in found)
    assert all(row.error < 0.01 for row in found if row.part == ENCODE)
    assert {row.weights for row in found} == {"random"}


def test_the_plain_form_can_be_left_out():
    found = list(speeds(("fastsam3d",), "cpu", QUICK, plain=False))
    assert {(row.plain_ms, row.error, row.gain) for row in found} == {(None, None, None)}


def test_an_unknown_network_is_refused():
    with pytest.raises(InputError, match="Got the network 'sam'; expected fastsam3d, sam-med3d"):
        list(speeds(("sam",), "cpu", QUICK))


@pytest.mark.parametrize("name", NAMES)
def test_the_fast_form_gives_the_plain_form_s_numbers(name):
    torch.manual_seed(0)
    fast = build(PRESETS[name]).eval().requires_grad_(requires_grad=False)
    plain = build(PRESETS[name]).eval().requires_grad_(requires_grad=False)
    plain.load_state_dict(fast.state_dict())
    make_plain(plain)
    wanted = actions(plain, replayed=False)
    for part, action in actions(fast).items():
        found = [each.float() for each in action()]
        expected = [each.float() for each in wanted[part]()]
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_the_mask_is_that_of_the_logits_between_their_cells():
    logits = torch.randn(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    inside = F.interpolate(logits, size=(32,) * 3, mode="trilinear") > 0
    packed = bits(logits, 32)
    assert packed.numel() * 8 == inside.numel()
    eighths = torch.stack([(packed >> (7 - n)) & 1 for n in range(8)], 1).flatten()
    assert torch.equal(eighths.bool(), inside.flatten())


def test_the_limit_is_the_longer_of_arithmetic_and_memory():
    device = Ceilings("a GPU", {torch.float16: 1e12}, 1e9)
    assert least_ms(2 * 10**9, 10**3, torch.float16, device) == pytest.approx(2.0)
    assert least_ms(2 * 10**9, 10**7, torch.float16, device) == pytest.approx(10.0)


def test_a_device_s_best_is_measured_once_in_each_of_its_precisions(monkeypatch):
    monkeypatch.setattr(ceilings, "candidates", lambda device: ("bfloat16",))
    first = measured(torch.device("cpu"))
    assert set(first.operations) == {torch.float32, torch.bfloat16}
    assert min(first.operations.values()) > 0
    assert first.bytes_moved > 0
    assert measured(torch.device("cpu")) is first


def test_figures_have_three_digits_and_missing_ones_none():
    assert speed_table.cells(ROW) == (
        "float16", "0.5", "4", "8.0 x", "0.1", "0.12 %",
    )  # fmt: skip
    bare = speed_table.cells(replace(ROW, ms=1234.5, plain_ms=None, error=None))
    assert bare == ("float16", "1234", "", "", "0.1", "")


def test_the_command_prints_a_line_a_part_and_writes_them(capsys, monkeypatch, tmp_path):
    path = tmp_path / "speed.json"
    arguments = ["--network", "fastsam3d", "--device", "cpu", "--runs", "1", "--json", str(path)]
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", "speed", *arguments])
    assert not ended.value.code
    said = capsys.readouterr().out
    for text in (ENCODE, DECODE, MASK, "Random weights, which are as fast: fastsam3d", "limit"):
        assert text in said
    rows = json.loads(path.read_text())["speeds"]
    assert [row["part"] for row in rows] == list(PARTS)
    assert rows[0]["gain"] == pytest.approx(rows[0]["plain_ms"] / rows[0]["ms"])
