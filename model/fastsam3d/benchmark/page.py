"""What the report says, in its order: tables beside the paper's, pictures, machine and versions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..document import Block, Heading, Picture, Text
from . import paper_figures as paper
from .ablation import verdicts
from .collect import Findings
from .grids import Grid, blocks
from .table_efficiency import OURS

NOT_ADDING_UP = "What does not add up in the paper"

_SECTIONS = {
    1: "Systems",
    2: "Accuracy",
    3: "Efficiency",
    4: "Sparse and flash attention",
}


@dataclass(frozen=True)
class Section:
    """What is told of one of the paper's tables; `files`: grids that are too long for the page."""

    grids: tuple[Grid, ...]
    pictures: tuple[Picture, ...] = ()
    files: tuple[Grid, ...] = ()


def page(sections: dict[int, Section], findings: Findings, written_on: str) -> list[Block]:
    """Put everything in order; `written_on`: the machine that writes the report."""
    found: list[Block] = [
        Heading("FastSAM3D benchmark: Tables 1 to 4", 1),
        Text(
            f"Figures measured here beside those that the paper prints: {paper.SOURCE}, in rows "
            '"paper". Written by `fastsam3d benchmark`. For research; not a medical device.'
        ),
    ]
    for number, section in sections.items():
        found += [Heading(_SECTIONS[number]), *_about(number, findings)]
        found += section.pictures
        for grid in section.grids:
            found += blocks(grid)
        if notes := notes_of(number, section):
            found += [Heading(NOT_ADDING_UP, 3), *map(Text, notes)]
    return [*found, *_machines(findings.machines, written_on)]


def notes_of(number: int, section: Section) -> list[str]:
    """Return what to know when comparing with one of the paper's tables."""
    measured = {
        row[0].text for grid in section.grids for row in grid.rows if OURS in (c.text for c in row)
    }
    return [note.text for note in paper.NOTES.get(number, ()) if {note.row} <= {"", *measured}]


def _about(number: int, findings: Findings) -> Iterator[Block]:
    if number == 2 and findings.untrained:
        names = ", ".join(findings.untrained)
        yield Text(f"On {names} only untrained networks ran; they have no Dice.")
    if number == 4:
        yield from map(Text, verdicts(findings.ablation))


def _machines(machines: Sequence[str], written_on: str) -> Iterator[Block]:
    yield Heading("Machine and versions")
    for machine in machines:
        yield Text(f"Measured on: {machine}.")
    if not machines:
        yield Text("Nothing was measured yet.")
    yield Text(f"Report written on: {written_on}.")
