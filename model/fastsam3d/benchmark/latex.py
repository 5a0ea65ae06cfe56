"""Tables for LaTeX, with booktabs; marks become bold and blue as in the paper's Table 2."""

from collections.abc import Iterable

from .grids import Cell, Grid

PREAMBLE = r"% Needs \usepackage{amssymb, booktabs, graphicx, xcolor} and UTF-8."

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
    "<": r"$<$",
    ">": r"$>$",
}
_MARKS = {"": "{}", "better": r"\textbf{{{}}}", "worse": r"\textcolor{{blue}}{{{}}}"}


def document(grids: Iterable[Grid], notes: Iterable[str] = ()) -> str:
    """Render grids one after the other, and notes as a list, to be input."""
    parts = [PREAMBLE, *map(table, grids)]
    if items := "".join(f"\\item {escaped(note)}\n" for note in notes):
        parts.append(f"\\begin{{itemize}}\n{items}\\end{{itemize}}")
    return "\n\n".join(parts) + "\n"


def table(grid: Grid) -> str:
    """Render a grid as a floating table as wide as the page, with its notes below it."""
    rows = "\n".join(_row(map(_cell, row)) for row in grid.rows)
    notes = "".join(f"\\par {escaped(note)}\n" for note in grid.remarks)
    return (
        "\\begin{table*}\n\\centering\n"
        f"\\caption{{{escaped(grid.title)}}}\n\\label{{tab:{grid.name}}}\n"
        "\\resizebox{\\linewidth}{!}{%\n"
        f"\\begin{{tabular}}{{l{'r' * (len(grid.head) - 1)}}}\n\\toprule\n"
        f"{_row(map(escaped, grid.head))}\n\\midrule\n{rows}\n\\bottomrule\n"
        f"\\end{{tabular}}}}\n{{\\footnotesize\\raggedright\n{notes}}}\n\\end{{table*}}"
    )


def escaped(text: str) -> str:
    """Write a text so that LaTeX shows it as it is."""
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def _cell(cell: Cell) -> str:
    return _MARKS[cell.mark].format(escaped(cell.text))


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
