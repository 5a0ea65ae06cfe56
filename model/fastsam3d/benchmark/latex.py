"""Tables for LaTeX, with booktabs; marks become bold and blue as in the paper's Table 2.

A table too wide for the page is shrunk, none is enlarged; one too long for a page becomes several.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from .grids import Cell, Grid

PREAMBLE = r"% Needs \usepackage{amssymb, booktabs, graphicx, textcomp, xcolor} and UTF-8."

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "²": r"$^2$",
    "³": r"$^3$",
    "✓": r"$\checkmark$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "▲": r"\textbf{bold}",
    "▼": r"\textcolor{blue}{blue}",
    "|": r"\textbar{}",
    "<": r"$<$",
    ">": r"$>$",
    "[": "{[}",
    "*": "{*}",
    "`": r"\textasciigrave{}",
}
_WIDTH = r"\ifdim\width>\linewidth\linewidth\else\width\fi"
_MOST_ROWS = 40
"""Of a table on one page."""

_CODE = re.compile(r"`([^`]+)`")
_MARKS = {"": "{}", "better": r"\textbf{{{}}}", "worse": r"\textcolor{{blue}}{{{}}}"}


def document(grids: Iterable[Grid], notes: Iterable[str] = ()) -> str:
    """Render grids one after the other, and notes as a list, to be input."""
    parts = [PREAMBLE, *(part for grid in grids for part in tables(grid))]
    if items := "".join(f"\\item {escaped(note)}\n" for note in notes):
        parts.append(f"\\begin{{itemize}}\n{items}\\end{{itemize}}")
    return "\n\n".join(parts) + "\n"


def tables(grid: Grid) -> Iterator[str]:
    """Render a grid as floating tables of so many rows as fit on a page, notes below the last."""
    starts = range(0, len(grid.rows), _MOST_ROWS) or range(1)
    for number, start in enumerate(starts, 1):
        one = len(starts) == 1
        yield _table(
            f"{grid.title}{'' if one else f' ({number} of {len(starts)})'}",
            f"{grid.name}{'' if number == 1 else f'-{number}'}",
            grid.head,
            grid.rows[start : start + _MOST_ROWS],
            grid.remarks if number == len(starts) else (),
        )


def escaped(text: str) -> str:
    """Write a text so that LaTeX shows it as it is; what stands between `backticks` is code."""
    plain_and_code = _CODE.split(text)
    plain = map(_escaped, plain_and_code[::2])
    code = (rf"\texttt{{{_escaped(each).replace('--', '-{}-')}}}" for each in plain_and_code[1::2])
    return "".join(part for pair in zip_longest(plain, code, fillvalue="") for part in pair)


def _table(
    title: str,
    label: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    remarks: Sequence[str],
) -> str:
    lines = "".join(f"{_row(map(_cell, row))}\n" for row in rows)
    notes = "".join(f"\\par {escaped(note)}\n" for note in remarks)
    below = f"{{\\footnotesize\\raggedright\n{notes}\\par}}\n" if notes else ""
    return (
        "\\begin{table*}\n\\centering\n"
        f"\\caption{{{escaped(title)}}}\n\\label{{tab:{label}}}\n"
        f"\\resizebox{{{_WIDTH}}}{{!}}{{%\n"
        f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}\n\\toprule\n"
        f"{_row(map(escaped, head))}\n\\midrule\n{lines}\\bottomrule\n"
        f"\\end{{tabular}}}}\n{below}\\end{{table*}}"
    )


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def _cell(cell: Cell) -> str:
    return _MARKS[cell.mark].format(escaped(cell.text))


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
