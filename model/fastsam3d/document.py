"""A report as blocks: headings, texts, tables and pictures, written as Markdown and as HTML."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from .whole import write_text

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1d24; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #d5d9e0; padding: .3rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
"""


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the report's own."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table; the first column says what a row is about."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A PNG file beside the report, and what it shows."""

    path: Path
    shows: str


Block = Heading | Text | Table | Picture


def called(path: str) -> str:
    """Return a file's or folder's name alone, since a report may be read on other machines."""
    return Path(path).absolute().name


def write_both(folder: Path, name: str, blocks: Sequence[Block]) -> tuple[Path, Path]:
    """Write NAME.md, which refers to its pictures, and NAME.html, which holds them.

    Raises:
        InputError: one of them cannot be written.
    """
    texts = {f"{name}.md": markdown(blocks), f"{name}.html": html(blocks)}
    for file, text in texts.items():
        write_text(folder / file, text)
    return folder / f"{name}.md", folder / f"{name}.html"


def markdown(blocks: Sequence[Block]) -> str:
    """Render blocks as Markdown."""
    return "\n\n".join(_as_markdown(block) for block in blocks) + "\n"


def html(blocks: Sequence[Block]) -> str:
    """Render blocks as an HTML file that needs no other."""
    title = next((block.text for block in blocks if isinstance(block, Heading)), "Report")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head><body>\n"
        + "\n".join(_as_html(block) for block in blocks)
        + "\n</body></html>\n"
    )


def _as_markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Text):
        return block.text
    if isinstance(block, Picture):
        return f"![{block.shows}]({block.path.name})"
    align = ["---", *["---:"] * (len(block.head) - 1)]
    lines = [block.head, align, *([_cell(value) for value in row] for row in block.rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _as_html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Text):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Picture):
        data = base64.b64encode(block.path.read_bytes()).decode()
        return f'<p><img alt="{escape(block.shows)}" src="data:image/png;base64,{data}"></p>'
    rows = [_row("th", block.head), *(_row("td", row) for row in block.rows)]
    return "<table>\n" + "\n".join(rows) + "\n</table>"


def _row(kind: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells) + "</tr>"
