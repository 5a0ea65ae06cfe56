"""Table 3: rows of variants, and what is said of few slices and few runs."""

from dataclasses import replace

import pytest

from benchmarked import efficiency
from fastsam3d.benchmark.efficiency import SPARSE_FLASH
from fastsam3d.benchmark.table_efficiency import efficiency_grids

VARIANT = "FastSAM3D (sparse, flash)"


@pytest.fixture
def rows():
    """Measurements of the paper's systems, and of FastSAM3D's encoder in another form."""
    found = efficiency()
    encoder = next(one for one in found if (one.system, one.part) == ("fastsam3d", "encoder"))
    return [*found, replace(encoder, system="fastsam3d" + SPARSE_FLASH, ms_median=10.0)]


def cells(grid):
    return [dict(zip(grid.head, line, strict=True)) for line in grid.rows]


def variant(rows):
    grid = next(efficiency_grids(rows))
    (line,) = [line for line in cells(grid) if line["Method"].text == VARIANT]
    return {name: cell.text for name, cell in line.items()}


def test_accelerations_of_a_variant_are_with_the_decoder_of_its_system(rows):
    line = variant(rows)
    assert (line["Encoder, ms"], line["Decoder, ms"]) == ("10.0", "-")
    teacher_ms, student_decoder_ms = 900, 50
    assert float(line["Acceleration to 3D"][:-1]) == teacher_ms / (10 + student_decoder_ms)


def test_accelerations_of_a_variant_without_time_are_missing(rows):
    *others, late = rows
    line = variant([*others, replace(late, ms_median=None, skipped="took longer than 60 s")])
    assert line["Acceleration to 3D"] == "not measured"


def test_table_says_how_to_time_all_slices(rows):
    grid = next(efficiency_grids(rows))
    assert any("4 of the slices" in note and "`--slices 128`" in note for note in grid.notes)


@pytest.mark.parametrize(("runs", "low"), [(1, "-"), (2, "-"), (3, "10.0")])
def test_fewer_runs_than_three_have_no_spread(rows, runs, low):
    one = replace(rows[-1], ms_low=10.0, ms_high=12.0, runs=runs)
    *_, details = efficiency_grids([one])
    (line,) = cells(details)
    assert (line["Median, ms"].text, line["5th percentile, ms"].text) == ("10.0", low)
    assert (line["95th percentile, ms"].text == "-") == (low == "-")
    assert details.notes == (("Percentiles need 3 runs.",) if low == "-" else ())
