import base64

import pytest

from fastsam3d.document import Heading, Picture, Table, Text, called, html, markdown, write_both

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def blocks(tmp_path):
    (tmp_path / "dot.png").write_bytes(PNG)
    return [
        Heading("A & B", 1),
        Text("Some <text>."),
        Table(["", "Dice"], [["a|b", "0.5"]]),
        Picture(tmp_path / "dot.png", "a dot"),
    ]


def test_markdown_refers_to_its_pictures(blocks):
    text = markdown(blocks)
    assert text.startswith("# A & B\n\nSome <text>.\n\n|  | Dice |\n| --- | ---: |\n")
    assert "| a\\|b | 0.5 |" in text
    assert "![a dot](dot.png)" in text


def test_html_holds_its_pictures_and_escapes_what_it_says(blocks):
    text = html(blocks)
    assert "<title>A &amp; B</title>" in text
    assert "<p>Some &lt;text&gt;.</p>" in text
    assert "<tr><td>a|b</td><td>0.5</td></tr>" in text
    assert f'src="data:image/png;base64,{base64.b64encode(PNG).decode()}"' in text
    assert "dot.png" not in text


def test_files_and_folders_are_called_by_their_names_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ("/home/me/scans/", "../teacher.pth", "sam-med3d", ".")
    assert [called(path) for path in given] == ["scans", "teacher.pth", "sam-med3d", tmp_path.name]


def test_both_are_written_whole(blocks, tmp_path):
    paths = write_both(tmp_path, "report", blocks)
    assert [path.name for path in paths] == ["report.md", "report.html"]
    assert paths[0].read_text(encoding="utf-8") == markdown(blocks)
    assert {path.name for path in tmp_path.iterdir()} == {"dot.png", "report.md", "report.html"}
