"""What a dataset tells beside Table 2: clicks needed, time, and the Dice of each organ."""

from collections.abc import Iterator

from ..results import PUBLISHED, ObjectResult
from ..summary import MethodSummary
from .grids import Cell, Grid, clicks, figure, missing
from .scored import Scored


def effort(scored: Scored, name: str) -> Grid:
    """Show how many clicks and seconds each method needs."""
    reached = [f"{reach.dice:.2f}" for reach in scored.summary.methods[0].reach]
    head = [text for dice in reached for text in (f"Clicks to {dice}", f"Reached {dice}")]
    return Grid(
        name,
        f"{scored.title}: clicks needed and time",
        ("Method", *head, "First click, s", "Later clicks, s"),
        tuple(
            (Cell(scored.titles[name]), *_effort(method)) for name, method in scored.methods.items()
        ),
        (
            "Objects that do not reach a Dice count with all clicks made; a dash where none does.",
            _how_timed(scored),
        ),
    )


def organs(scored: Scored, name: str) -> Grid:
    """Show each organ's Dice after the last click."""
    last = len(scored.results[0].dice)
    groups: dict[str, list[ObjectResult]] = {}
    for result in scored.results:
        groups.setdefault(result.name or f"label {result.label}", []).append(result)
    return Grid(
        name,
        f"{scored.title}: Dice of each organ after {clicks(last)}",
        ("Organ", "Objects", *(scored.titles[method] for method in scored.methods)),
        tuple((Cell(organ), *_organ(scored, own)) for organ, own in sorted(groups.items())),
        ("Means over objects.",),
    )


def _how_timed(scored: Scored) -> str:
    several = f": up to {scored.processes} processes worked at once" if scored.processes > 1 else ""
    sound = scored.protocol != PUBLISHED
    shared = " Objects of one image share what is computed of it, so that a first click may be "
    return (
        f"Times are medians, and not controlled as those of Table 3 are{several}."
        f"{f'{shared}quicker than a user sees.' if sound else ''}"
    )


def _effort(method: MethodSummary) -> Iterator[Cell]:
    for reach in method.reach:
        yield figure(reach.clicks, 1)
        yield Cell(f"{reach.share:.0%}", reach.share)
    yield figure(method.first_seconds, 2)
    yield figure(method.later_seconds, 2)


def _organ(scored: Scored, own: list[ObjectResult]) -> Iterator[Cell]:
    yield figure(len({(result.case, result.label) for result in own}), 0)
    for method in scored.methods:
        dice = [result.dice[-1] for result in own if result.method == method]
        none = missing("not every method has been at its objects yet")
        yield figure(sum(dice) / len(dice), 3) if dice else none
