import re

import pytest

from benchmarked import write_folder
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.report import write_report


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
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(sources) == len(list(folder.glob("*.png"))) == 5
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_page_has_every_table_in_the_papers_order(html):
    headings = re.findall(r"<h2>(.*?)</h2>", html)
    assert headings == [
        "Systems", "Accuracy", "Efficiency", "Sparse and flash attention",
        "Machine and versions",
    ]  # fmt: skip
    titles = re.findall(r"<h3>(Table \d)", html)
    assert titles == sorted(titles)
    assert set(titles) == {f"Table {n}" for n in (1, 2, 3, 4)}


def test_notes_on_what_does_not_add_up_stand_in_the_page_once(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    notes = [note for some in paper.NOTES.values() for note in some]
    assert len(notes) >= 11
    assert [text.count(note) for note in notes] == [1] * len(notes)


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
    assert len(re.findall(r"^#+ ", text, flags=re.M)) == len(re.findall(r"<h\d>", html))
    assert len(re.findall(r"^\| ---", text, flags=re.M)) == html.count("<table>")
