"""What a dataset tells beside Table 2: clicks needed, time, and the Dice of each organ."""

from collections.abc import Iterator

from ..results import ObjectResult
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
            "Objects that do not reach a Dice count with all clicks made; a dash where none does. "
            "Times are medians.",
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
