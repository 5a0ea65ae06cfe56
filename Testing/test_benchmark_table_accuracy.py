"""Table 2: what is marked, what stands beside it, and what is said of it."""

import csv
import io
from dataclasses import replace

import pytest

from benchmarked import OURS, scored
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.sheets import as_csv, as_record
from fastsam3d.benchmark.table_accuracy import accuracy_grids
from fastsam3d.stats import FEWEST


def cells(grid):
    return [dict(zip(grid.head, line, strict=True)) for line in grid.rows]


def test_best_so_far_is_tested_and_marked_by_itself():
    one = scored(methods=(OURS, "fast-marching"))
    first = [r if r.method == OURS else replace(r, dice=(0.95, *r.dice[1:])) for r in one.results]
    grids = {grid.name: grid for grid in accuracy_grids([replace(one, results=tuple(first))])}
    marks = [
        cells(grids[f"table2-dev-sound-{name}"])[-1]["10 clicks"].mark
        for name in ("dice", "best-dice", "surface-dice")
    ]
    assert marks == ["worse", "better", ""]
    assert any("Wilcoxon" in note for note in grids["table2-dev-sound-best-dice"].notes)


def test_papers_figures_stand_beside_those_of_its_own_protocol_alone():
    for strategy, printed in (("centre", {}), ("published", paper.DICE["AMOS"])):
        one = scored("amos22", strategy, patients=2)
        assert one.printed == printed
        figures = {line["Figures"].text for line in cells(next(iter(accuracy_grids([one]))))}
        assert ("paper" in figures) == bool(printed)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("amos22", "AMOS"), ("ts", "TotalSegmentator"), ("TS_v2", "TotalSegmentator"),
        ("my-ts", "TotalSegmentator"), ("totalsegmentator", "TotalSegmentator"),
        ("brats21", "BraTS 2021"), ("scouts", ""), ("hearts2", ""), ("dev", ""),
        *zip(paper.NAMES, paper.DATASETS, strict=True),
    ],
)  # fmt: skip
def test_datasets_are_known_by_their_names(name, known):
    assert scored(name, "published", patients=1).paper_name == known


def test_table_of_an_unknown_dataset_says_how_to_name_it():
    def said(dataset, strategy):
        grid = next(accuracy_grids([scored(dataset, strategy, patients=1)]))
        return any("`--name amos|totalsegmentator|brats`" in note for note in grid.notes)

    assert said("dev", "published")
    assert not said("ts", "published")
    assert not said("dev", "centre")


def test_table_says_what_its_protocol_left_out_and_that_the_other_leaves_out_something_else():
    left_out = (("a", "label 3: 9 voxels, below 200 voxels"), ("b", "no label map"))
    sound, published = (
        next(accuracy_grids([scored(strategy=name, patients=1, left_out=left_out)])).notes[1]
        for name in ("centre", "published")
    )
    assert sound == (
        "Left out: 1 object below 200 voxels, 1 case with no label map; "
        "`accuracy/dev-sound/accuracy.json` names each. This protocol leaves out objects below 200 "
        "voxels, and the other those below 10 mm³, so that they may have different objects."
    )
    assert (
        "This protocol leaves out objects below 10 mm³, and the other those below 200" in published
    )


@pytest.mark.parametrize(("patients", "interval"), [(FEWEST - 1, False), (FEWEST, True)])
def test_intervals_are_given_from_as_many_patients_as_tests_are(patients, interval):
    grid = next(accuracy_grids([scored(methods=(OURS,), patients=patients)]))
    (line,) = cells(grid)
    assert (line["1 click"].interval is not None) == interval
    assert (" to " in line["1 click"].text) == interval
    assert ("none of fewer than 6 patients (here 5)" in grid.notes[0]) == (not interval)


def test_table_says_what_its_methods_are_called_in_files():
    grid = next(accuracy_grids([scored(methods=(OURS, "region-growing"), patients=1)]))
    assert f"`{OURS}` is FastSAM3D, default" in grid.notes[0]
    assert "`region-growing` is Region growing (SimpleITK)" in grid.notes[0]


def test_file_has_bounds_counts_and_words_in_columns_of_their_own():
    grid = next(accuracy_grids([scored(methods=(OURS, "fast-marching"))]))
    best, other = csv.DictReader(io.StringIO(as_csv(grid)))
    low, mean, high = (float(best[f"1 click{kind}"]) for kind in (", low", "", ", high"))
    assert low < mean < high
    assert (best["Failures"], best["Failures, of"], best["Note"]) == ("0", "48", "")
    assert other["Note"] == "worse (1 click; 3 clicks; 5 clicks; 10 clicks)"
    numbers = [text for name, text in best.items() if name[0].isdigit() or "Failures" in name]
    assert all(map(float, numbers[:-2]))
    record = as_record(grid)["rows"][1]["10 clicks"]
    assert record["mark"] == "worse"
    assert record["low"] < record["value"] < record["high"]


@pytest.mark.parametrize(
    ("dataset", "strategy", "left"),
    [
        ("dev", "centre", ["amos", "totalsegmentator", "brats"]),
        ("amos", "centre", ["amos", "totalsegmentator", "brats"]),
        ("amos", "published", ["totalsegmentator", "brats"]),
    ],
)
def test_papers_tables_of_what_was_not_measured_stay(dataset, strategy, left):
    names = [grid.name for grid in accuracy_grids([scored(dataset, strategy, patients=2)])]
    assert names[5:] == [f"table2-{name}" for name in left]


def test_times_say_how_many_processes_shared_the_machine():
    def notes(**more):
        grids = {grid.name: grid for grid in accuracy_grids([scored(patients=2, **more)])}
        (effort,) = [grid for name, grid in grids.items() if name.endswith("-effort")]
        return effort.notes[-1]

    alone, several = notes(processes=1), notes(processes=4)
    assert "not controlled as those of Table 3 are." in alone
    assert "Table 3 are: up to 4 processes worked at once." in several
    assert several.endswith("a first click may be quicker than a user sees.")
    assert "quicker" not in notes(strategy="published")
