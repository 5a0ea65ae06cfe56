import re
from dataclasses import replace

import pytest

from benchmarked import OURS, efficiency, form, scored, write_folder
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.efficiency import SPARSE_FLASH
from fastsam3d.benchmark.page import Section, notes_of
from fastsam3d.benchmark.report import write_report
from fastsam3d.benchmark.table_ablation import ablation_grids
from fastsam3d.benchmark.table_accuracy import accuracy_grids
from fastsam3d.benchmark.table_efficiency import efficiency_grids


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    write_folder(folder)
    write_report(folder, "another machine")
    return folder


@pytest.fixture(scope="module")
def html(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_page_needs_no_other_file(html, folder):
    sources = re.findall(r'src="([^"]*)"', html)
    assert len(sources) == len(list(folder.glob("*.png"))) == 6
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', html))


def test_page_begins_with_links_to_all_its_headings_in_their_order(html):
    contents = html[html.index("<nav>") : html.index("</nav>")]
    linked = re.findall(r'<a href="#(.*?)">(.*?)</a>', contents)
    assert linked == re.findall(r'<h[23] id="(.*?)">(.*?)</h[23]>', html)
    assert len(dict(linked)) == len(linked) > 20
    assert contents.count("<li>") == contents.count("</li>") == len(linked)
    assert contents.count("<ul>") == contents.count("</ul>") == 1 + 4  # machines have no tables


def test_commands_are_set_as_code(html, folder):
    assert "`" not in html
    assert "<code>fastsam3d benchmark accuracy</code>" in html
    assert "`fastsam3d benchmark accuracy`" in (folder / "report.md").read_text(encoding="utf-8")


def test_page_has_every_table_in_the_papers_order(html):
    headings = re.findall(r"<h2 .*?>(.*?)</h2>", html)
    assert headings == [
        "Systems", "Accuracy", "Efficiency", "Sparse and flash attention",
        "Machine and versions",
    ]  # fmt: skip
    titles = re.findall(r"<h3 .*?>(Table \d)", html)
    assert titles == sorted(titles)
    assert set(titles) == {f"Table {n}" for n in (1, 2, 3, 4)}


def test_notes_on_what_does_not_add_up_stand_in_the_page_once(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    notes = [note for some in paper.NOTES.values() for note in some]
    assert len(notes) >= 11
    counts = {note: text.count(note.text) for note in notes}
    assert {note.row for note, n in counts.items() if n != 1} == {"FastSAM3D (sparse, flash)"}
    assert set(counts.values()) == {0, 1}


def test_note_of_a_row_stands_where_the_row_does():
    rows = efficiency()
    encoder = next(one for one in rows if (one.system, one.part) == ("fastsam3d", "encoder"))
    variant = replace(encoder, system="fastsam3d" + SPARSE_FLASH)

    def of_rows(measured):
        found = notes_of(3, Section(tuple(efficiency_grids(measured))))
        return [note[: note.index(" here")] for note in found if note.startswith("The row ")]

    both = ["The row FastSAM3D", "The row FastSAM3D (sparse, flash)"]
    assert of_rows([*rows, variant]) == both
    assert of_rows(rows) == ["The row FastSAM3D"]
    assert of_rows([]) == []


def test_what_was_neither_measured_nor_printed_has_no_row_and_is_named_once():
    grid = next(accuracy_grids([scored(methods=(OURS,), patients=2)]))
    assert [row[0].text for row in grid.rows] == ["FastSAM3D, default"]
    (said,) = [note for note in grid.remarks if note.startswith("Not measured")]
    assert said.startswith("Not measured (SAM; MobileSAM; TinySAM; MedSAM; SAM-Med2D; SAM-Med3D;")
    assert "give its official weights" in said


def test_table_of_which_nothing_was_measured_keeps_its_rows():
    rows = [form("flash", "fastsam3d-default", 8, ms_median=None, skipped="no memory",
                 gflops_published=None, gflops_exact=None)]  # fmt: skip
    grid = list(ablation_grids(rows))[1]
    assert (grid.name, len(grid.rows)) == ("table4-fastsam3d-default-8-cpu", 4)


def test_sweep_is_a_picture_on_the_page_and_not_a_long_table(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "sweep-published-8-cpu.png" in text
    assert "w 128, r 2" not in text


def test_page_says_what_sparse_attention_saves(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "published, 8³ tokens, cpu: sparse and flash takes 0.86 of the time" in text


def test_page_says_whose_figures_the_papers_are_and_that_it_is_for_research(html):
    assert paper.SOURCE in html
    assert "For research; not a medical device." in html


def test_markdown_tells_the_same_as_the_page(html, folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^#+ ", text, flags=re.M)) == len(re.findall(r"<h\d", html))
    assert len(re.findall(r"^\| ---", text, flags=re.M)) == html.count("<table>")
