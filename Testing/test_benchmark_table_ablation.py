"""Table 4: the paper's rows stay, and what was swept has a file of its own."""

import pytest

from benchmarked import form, forms
from fastsam3d.benchmark.table_ablation import ablation_grids, sweep_grids


def test_papers_table_4_stays_whatever_was_measured():
    for rows in ([], forms(geometry="fastsam3d-default"), forms(tokens=16), [form("plain")]):
        grids = {grid.name: grid for grid in ablation_grids(rows)}
        name = next(name for name in grids if name.startswith("table4-published-8"))
        printed = [line for line in grids[name].rows if line[1].text == "paper"]
        assert [line[2].text for line in printed] == ["10", "6", "9", "3"]
        assert [name for name in grids if name.startswith("table4-published-8")] == [name]


@pytest.mark.parametrize(("sizes", "count"), [([], 0), ([(64, 4)], 0), ([(64, 4), (32, 4)], 1)])
def test_only_several_segment_lengths_or_dilations_have_a_table_of_their_own(sizes, count):
    sparse = [form(name, segment=w, dilation=r) for w, r in sizes for name in ("sparse", "flash")]
    assert len(list(sweep_grids([form("plain"), *sparse]))) == count
