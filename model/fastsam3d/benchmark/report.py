"""The report of a benchmark's folder: Markdown, HTML, LaTeX, CSV, JSON and pictures."""

import json
from pathlib import Path

from ..document import html, markdown
from ..whole import write_text
from . import latex
from .collect import Findings, collect
from .page import Section, notes_of, page
from .plots import efficiency_pictures
from .plots_dice import dice_pictures
from .plots_forms import form_pictures
from .plots_sweep import sweep_pictures
from .sheets import as_csv, as_record
from .styled import styled
from .table_ablation import ablation_grids, sweep_grids
from .table_accuracy import accuracy_grids
from .table_efficiency import efficiency_grids, traits_grid

NAME = "report"
LATEX = "tables.tex"
TABLES = "tables"
"""The folder of CSV files, one a table."""


def write_report(folder: Path, written_on: str) -> Path:
    """Write the report of all that a folder holds into it, and return the HTML page.

    Args:
        folder: a benchmark's; it need not be complete.
        written_on: the machine that writes.

    Raises:
        InputError: there is no such folder, or a file in it holds something else.
    """
    findings = collect(folder)
    sections = sections_of(folder, findings)
    grids = [grid for section in sections.values() for grid in (*section.grids, *section.files)]
    notes = [note for number, each in sections.items() for note in notes_of(number, each)]
    (folder / TABLES).mkdir(exist_ok=True)
    for old in (folder / TABLES).glob("table*.csv"):
        old.unlink(missing_ok=True)
    for grid in grids:
        write_text(folder / TABLES / f"{grid.name}.csv", as_csv(grid))
    write_text(folder / LATEX, latex.document(grids, notes))
    content = {
        "notes": notes,
        "tables": {grid.name: as_record(grid) for grid in grids},
        "machines": list(findings.machines),
        "written_on": written_on,
    }
    write_text(folder / f"{NAME}.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    told = page(sections, findings, written_on)
    write_text(folder / f"{NAME}.md", markdown(told))
    write_text(folder / f"{NAME}.html", styled(html(told)))
    return folder / f"{NAME}.html"


def sections_of(folder: Path, findings: Findings) -> dict[int, Section]:
    """Make each table, and draw its pictures into a folder."""
    accuracy, efficiency, ablation = findings.scored, findings.efficiency, findings.ablation
    return {
        1: Section((traits_grid(),)),
        2: Section(tuple(accuracy_grids(accuracy)), dice_pictures(folder, accuracy)),
        3: Section(tuple(efficiency_grids(efficiency)), efficiency_pictures(folder, efficiency)),
        4: Section(
            tuple(ablation_grids(ablation)),
            form_pictures(folder, ablation) + sweep_pictures(folder, ablation),
            tuple(sweep_grids(ablation)),
        ),
    }
