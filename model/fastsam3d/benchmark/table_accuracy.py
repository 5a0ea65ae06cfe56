"""Table 2: Dice after some clicks, of each dataset and protocol."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..dataset_labels import SMALLEST_MM3
from ..plan import SMALLEST_OBJECT
from ..results import PUBLISHED
from ..stats import BETTER_BELOW
from ..summary import Estimate, MethodSummary, Versus, about_intervals
from ..tables import counted_left_out
from . import paper_figures as paper
from .accuracy import DESCRIPTION
from .grids import DASH, SIGNS, Cell, Grid, Mark, clicks, figure, missing, texts, without_empty_rows
from .scored import Scored, system_of
from .systems import SYSTEMS
from .table_efficiency import OURS, PAPER
from .table_methods import effort, organs

_NOT_EVALUATED = "not evaluated here; give its official weights to `fastsam3d benchmark accuracy`"
_UNTRAINED = "ran with random weights, and an untrained network has no Dice"
_NOT_THE_PAPERS = (
    "The paper's figures stand beside a dataset that is named as one of the paper's; if this is "
    f"one of them, name it so: `--name {'|'.join(paper.NAMES)}`."
)
_SCORES = {
    "dice": "Dice at the k-th click",
    "best_dice": "best Dice of k clicks",
    "surface_dice": "surface Dice at 2 mm at the k-th click",
}

Marks = Mapping[tuple[str, int], Mark]
"""By method and number of clicks."""


def accuracy_grids(scored: Sequence[Scored]) -> Iterator[Grid]:
    """Show Table 2 of each dataset and protocol, and the paper's where there is none beside it."""
    for one in scored:
        name = f"table2-{one.name}"
        for score in _SCORES:
            yield _table2(one, score, f"{name}-{score.replace('_', '-')}")
        yield effort(one, f"{name}-effort")
        yield organs(one, f"{name}-organs")
    compared = {one.paper_name for one in scored}
    yield from (_unmeasured(name) for name in paper.DATASETS if name not in compared)


def _table2(scored: Scored, score: str, name: str) -> Grid:
    shown, marks = scored.summary.shown, _marks(_tests(scored, score))
    printed = {} if score == "surface_dice" else scored.printed
    rows: dict[str, list[tuple[Cell, ...]]] = {key: [] for key in SYSTEMS}
    for method, summary in scored.methods.items():
        about = texts(scored.titles[method], OURS)
        row = (*about, *_scores(summary, score, shown, marks))
        rows.setdefault(system_of(method), []).append(row)
    for key, system in SYSTEMS.items():
        if not rows[key]:
            why = _UNTRAINED if key in scored.untrained else _NOT_EVALUATED
            rows[key].append((*texts(system.title, OURS), *(missing(why),) * (len(shown) + 1)))
        if key in printed:
            rows[key].append(_paper_row(system.title, printed[key], shown))
    found = Grid(
        name,
        f"Table 2: {scored.title}: {_SCORES[score]}",
        ("Method", "Figures", *map(clicks, shown), "Failures"),
        tuple(row for some in rows.values() for row in some),
        tuple(_notes(scored, marks)),
    )
    return without_empty_rows(found)


def _scores(
    method: MethodSummary, score: str, shown: Sequence[int], marks: Marks
) -> Iterator[Cell]:
    estimates: Sequence[Estimate] = getattr(method, score)
    for n in shown:
        found = estimates[n - 1]
        mean = figure(found.mean, 3, mark=marks.get((method.method, n), ""))
        if method.is_telling:
            text = f"{mean.text} ({found.low:.3f} to {found.high:.3f})"
            mean = replace(mean, text=text, interval=(found.low, found.high))
        yield mean
    yield Cell(f"{method.failures} of {method.objects}", method.failures, of=method.objects)


def _paper_row(title: str, dice: paper.Dice, shown: Sequence[int]) -> tuple[Cell, ...]:
    printed = dict(zip(paper.CLICKS, dice, strict=True))
    return (*texts(title, PAPER), *(figure(printed.get(n), 3) for n in shown), DASH)


def _tests(scored: Scored, score: str) -> Sequence[Versus]:
    tests = {"dice": lambda: scored.summary.versus, "best_dice": lambda: scored.best_versus}
    return tests[score]() if score in tests else ()


def _marks(tests: Sequence[Versus]) -> Marks:
    """Tell which methods are better or worse than the reference."""
    signs: dict[tuple[str, int], Mark] = {}
    for versus in tests:
        found = versus.comparison
        if found.p < BETTER_BELOW and found.difference:
            signs[versus.other, versus.clicks] = "worse" if found.difference > 0 else "better"
    return signs


def _notes(scored: Scored, marks: Marks) -> Iterator[str]:
    if not scored.finished:
        yield (
            "Unfinished: methods may have different objects, as the last column counts; the same "
            "command goes on."
        )
    yield _how_measured(scored)
    yield _which_objects(scored)
    if scored.protocol == PUBLISHED:
        yield (
            "By the published protocol the patch is centred on the true object and Dice is of the "
            "patch alone: not what a user gets. Published 3D networks get the newest click alone, "
            "with their previous answer; our own networks, classical tools and networks for "
            "slices get all clicks so far."
        )
        if not scored.paper_name:
            yield _NOT_THE_PAPERS
    if marks:
        yield (
            f"{SIGNS['better'].strip()}: better, {SIGNS['worse'].strip()}: worse than "
            f"{scored.titles[scored.reference]}: Wilcoxon over patients, p < {BETTER_BELOW}."
        )


def _how_measured(scored: Scored) -> str:
    summary = scored.summary
    most = max(summary.methods, key=lambda method: method.objects)
    groups = "" if scored.protocol == PUBLISHED else ", then patients, then folders"
    files = "; ".join(f"`{name}` is {title}" for name, title in scored.titles.items())
    return (
        f"{most.objects} objects of {most.patients} patients; clicks {summary.strategy}, seed "
        f"{summary.seed}. Means over objects{groups}; {about_intervals(summary.methods)}. A failed "
        f"click keeps the mask before it. In files: {files}."
    )


def _which_objects(scored: Scored) -> str:
    """Say what does not count by this protocol, and what that left out."""
    least = [f"{SMALLEST_OBJECT} voxels", f"{SMALLEST_MM3} mm³"]
    own, other = reversed(least) if scored.protocol == PUBLISHED else least
    found = ""
    if scored.left_out:
        place = f"`accuracy/{scored.name}/{DESCRIPTION}` names each"
        found = f"Left out: {counted_left_out(scored.left_out)}; {place}. "
    return (
        f"{found}This protocol leaves out objects below {own}, and the other those below {other}, "
        "so that they may have different objects."
    )


def _unmeasured(dataset: str) -> Grid:
    why = missing(
        f"`fastsam3d benchmark accuracy --protocol published` measures it, on a manifest of "
        f"{dataset}"
    )
    rows: list[tuple[Cell, ...]] = []
    for key, system in SYSTEMS.items():
        rows.append((*texts(system.title, OURS), *(why,) * len(paper.CLICKS)))
        if dice := paper.DICE[dataset].get(key):
            rows.append(_paper_row(system.title, dice, paper.CLICKS)[:-1])
    head = ("Method", "Figures", *map(clicks, paper.CLICKS))
    name = f"table2-{dataset.split()[0].lower()}"
    return without_empty_rows(Grid(name, f"Table 2: {dataset}", head, tuple(rows)))
