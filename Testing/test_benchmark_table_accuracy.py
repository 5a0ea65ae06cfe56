"""Table 2: what is marked, what stands beside it, and what is said of it."""

from dataclasses import replace

import pytest

from benchmarked import OURS, scored
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.table_accuracy import accuracy_grids


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
