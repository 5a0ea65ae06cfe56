import re

import pytest

from benchmarked import efficiency, scored, write_folder
from fastsam3d.benchmark import latex
from fastsam3d.benchmark.grids import Cell, Grid, figure, missing
from fastsam3d.benchmark.paper_figures import TIMES
from fastsam3d.benchmark.report import write_report
from fastsam3d.benchmark.table_accuracy import accuracy_grids
from fastsam3d.benchmark.table_efficiency import efficiency_grids


@pytest.fixture
def grid():
    row = (Cell("A & B_1"), figure(0.5, 2, mark="better"), figure(0.25, 2, mark="worse"))
    return Grid("t", "50 % of x²", ("Method", "k", "l"), (row,), ("p < 0.01",))


def table(grid):
    (text,) = latex.tables(grid)
    return text


def test_marks_become_bold_and_blue(grid):
    assert r"A \& B\_1 & \textbf{0.50} & \textcolor{blue}{0.25} \\" in table(grid)


def test_letters_of_latex_are_shown_as_they_are(grid):
    text = table(grid)
    assert r"\caption{50 \% of x$^2$}" in text
    assert r"\par p $<$ 0.01" in text
    assert latex.escaped("\\{}~^#$") == (
        r"\textbackslash{}\{\}\textasciitilde{}\textasciicircum{}\#\$"
    )


def test_missing_figures_say_why_below_the_table():
    grid = Grid("t", "T", ("Method", "ms"), ((Cell("SAM"), missing("took 60_000 ms")),))
    text = table(grid)
    assert r"SAM & not measured \\" in text
    assert r"\par Not measured (SAM): took 60\_000 ms." in text


def test_rows_have_as_many_columns_as_the_table_declares():
    grids = [*efficiency_grids(efficiency()), *accuracy_grids([scored(patients=2)])]
    for grid in grids:
        text = "\n".join(latex.tables(grid))
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


def long_grid(count):
    rows = tuple((Cell(f"organ {n}"), figure(n, 0)) for n in range(count))
    return Grid("t", "T", ("Organ", "Dice"), rows, ("A note.",))


@pytest.mark.parametrize(("count", "sizes"), [(40, [40]), (70, [40, 30]), (0, [0])])
def test_table_longer_than_a_page_becomes_several_with_the_notes_below_the_last(count, sizes):
    parts = list(latex.tables(long_grid(count)))
    rows = [re.findall(r"^organ (\d+) &", part, flags=re.M) for part in parts]
    assert [len(some) for some in rows] == sizes
    assert [int(number) for some in rows for number in some] == list(range(count))
    assert ["A note." in part for part in parts] == [False] * (len(parts) - 1) + [True]
    captions = [re.search(r"\\caption{(.*)}", part)[1] for part in parts]
    assert captions == (["T"] if len(parts) == 1 else ["T (1 of 2)", "T (2 of 2)"])
    assert len({re.search(r"\\label{(.*)}", part)[1] for part in parts}) == len(parts)
    assert {part.count("Organ & Dice") for part in parts} == {1}


def test_table_is_shrunk_to_the_page_and_never_enlarged(grid):
    only_shrunk = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
    assert only_shrunk in table(grid)


def test_code_keeps_its_dashes_and_a_row_cannot_begin_with_an_option():
    assert latex.escaped("`a --name x_1` and `b`, so") == (
        r"\texttt{a -{}-name x\_1} and \texttt{b}, so"
    )
    assert latex.escaped("a ` b") == r"a \textasciigrave{} b"
    assert latex.escaped("[x]*|") == r"{[}x]{*}\textbar{}"


def test_every_group_and_environment_of_a_whole_report_is_closed(tmp_path):
    write_folder(tmp_path)
    write_report(tmp_path, "here")
    text = (tmp_path / "tables.tex").read_text(encoding="utf-8")
    opened = []
    for kind, name in re.findall(r"\\(begin|end){(.*?)}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    bare = re.sub(r"\\[%&_#$]", "", text.replace(latex.PREAMBLE, "").replace("{!}{%\n", ""))
    assert not re.search(r"[%#_~^`]", re.sub(r"\$[^$]*\$|\\label{.*}", "", bare))


def test_no_letter_is_left_that_latex_alone_cannot_set():
    grids = [*efficiency_grids(efficiency()), *accuracy_grids([scored()])]
    strange = {letter for letter in latex.document(grids) if ord(letter) > 126}
    assert strange == set()
