import re

import pytest

from benchmarked import efficiency, scored
from fastsam3d.benchmark import latex
from fastsam3d.benchmark.grids import Cell, Grid, figure, missing
from fastsam3d.benchmark.paper_figures import TIMES
from fastsam3d.benchmark.table_accuracy import accuracy_grids
from fastsam3d.benchmark.table_efficiency import efficiency_grids


@pytest.fixture
def grid():
    row = (Cell("A & B_1"), figure(0.5, 2, mark="better"), figure(0.25, 2, mark="worse"))
    return Grid("t", "50 % of x²", ("Method", "k", "l"), (row,), ("p < 0.01",))


def test_marks_become_bold_and_blue(grid):
    assert r"A \& B\_1 & \textbf{0.50} & \textcolor{blue}{0.25} \\" in latex.table(grid)


def test_letters_of_latex_are_shown_as_they_are(grid):
    text = latex.table(grid)
    assert r"\caption{50 \% of x$^2$}" in text
    assert r"\par p $<$ 0.01" in text
    assert latex.escaped("\\{}~^#$") == (
        r"\textbackslash{}\{\}\textasciitilde{}\textasciicircum{}\#\$"
    )


def test_missing_figures_say_why_below_the_table():
    grid = Grid("t", "T", ("Method", "ms"), ((Cell("SAM"), missing("took 60_000 ms")),))
    text = latex.table(grid)
    assert r"SAM & not measured \\" in text
    assert r"\par Not measured (SAM): took 60\_000 ms." in text


def test_rows_have_as_many_columns_as_the_table_declares():
    grids = [*efficiency_grids(efficiency()), *accuracy_grids([scored(patients=2)])]
    for grid in grids:
        text = latex.table(grid)
        columns = re.search(r"\\begin{tabular}{(l?r*)}", text)[1]
        rows = re.findall(r"^(.*) \\\\$", text, flags=re.M)
        assert len(rows) == 1 + len(grid.rows)
        assert {row.count(" & ") for row in rows} == {len(columns) - 1}


def test_document_opens_what_it_closes_and_ends_with_the_notes(grid):
    text = latex.document([grid, grid], [f"8.75{TIMES} of 60"])
    for name in ("table*", "tabular", "itemize"):
        assert text.count(f"\\begin{{{name}}}") == text.count(f"\\end{{{name}}}") > 0
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert r"\item 8.75$\times$ of 60" in text


def test_no_letter_is_left_that_latex_alone_cannot_set():
    grids = [*efficiency_grids(efficiency()), *accuracy_grids([scored()])]
    strange = {letter for letter in latex.document(grids) if ord(letter) > 126}
    assert strange == set()
