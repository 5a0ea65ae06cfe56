"""Table 4: what sparse and flash attention are worth, and where sparsity begins to pay."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from . import paper_figures as paper
from .grids import DASH, Cell, Grid, clicks, figure, missing, significant, texts, without_empty_rows
from .paper_figures import TIMES
from .table_efficiency import OURS, PAPER

FORMS = {
    "plain": "neither",
    "flash": "flash",
    "sparse": "sparse",
    "sparse+flash": "sparse and flash",
}
"""The rows of Table 4, and what they are called."""

_HEAD = (
    "Attention", "Figures", "Median, ms", "5th percentile, ms", "95th percentile, ms",
    "GFLOPs as in the paper", f"GFLOPs, 2 {TIMES} MAC", "GB",
)  # fmt: skip
_USUAL = (64, 4)
_NONE_YET = "`fastsam3d benchmark ablation` measures it"
_NO_DICE = "`fastsam3d benchmark ablation --manifest` measures it with our weights, on"
_WHOSE_DICE = (
    "Dice is of fastsam3d-default's weights in each form, and of no published ones: those need "
    "relative positions, which sparse attention cannot use and flash attention does not take."
)
_PUBLISHED = "published"
"""The geometry of which the paper's figures are."""


@dataclass(frozen=True)
class Form:
    """One measurement of an encoder: a row of ablation.jsonl, with the fields of `Efficiency`.

    Attributes:
        form: of `FORMS`.
        geometry: the network's name, or "published".
        tokens: a side.
        segment, dilation: w and r of sparse attention; None of dense.
        dice: by dataset, after 1, 3, 5 and 10 clicks; empty where no weights exist.
    """

    form: str
    geometry: str
    tokens: int
    device: str
    segment: int | None = None
    dilation: int | None = None
    ms_median: float | None = None
    ms_low: float | None = None
    ms_high: float | None = None
    gflops_published: float | None = None
    gflops_exact: float | None = None
    peak_mb: float | None = None
    skipped: str = ""
    machine: str = ""
    dice: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def attention(self) -> str:
        """Name the form with its segment length and dilation."""
        sizes = "" if self.segment is None else f", w {self.segment}, r {self.dilation}"
        return f"{FORMS[self.form]}{sizes}"


class Group(NamedTuple):
    """Measurements of one geometry with so many tokens a side on one device."""

    geometry: str
    tokens: int
    device: str

    @property
    def title(self) -> str:
        """Say what they are of."""
        where = f", {self.device}" if self.device else ""
        return f"{self.geometry}, {self.tokens}³ tokens{where}"

    @property
    def name(self) -> str:
        """Return what files of them are called after."""
        return "-".join(filter(None, (self.geometry, f"{self.tokens}", self.device)))

    @property
    def is_the_papers(self) -> bool:
        """Tell whether the paper's times, GFLOPs and memory are of this geometry and size."""
        return (self.geometry, self.tokens) == (_PUBLISHED, 8)


def series(forms: Iterable[Form]) -> dict[Group, list[Form]]:
    """Part measurements into those that can be compared."""
    groups: dict[Group, list[Form]] = {}
    for one in forms:
        groups.setdefault(Group(one.geometry, one.tokens, one.device), []).append(one)
    return groups


def ablation_grids(forms: Sequence[Form]) -> Iterator[Grid]:
    """Show Table 4 of each geometry, number of tokens and device, the paper's always; then Dice.

    Sparse forms are shown as by the published code's w and r, if these were measured.
    """
    groups = series(forms)
    if not any(group.is_the_papers for group in groups):
        groups = {Group(_PUBLISHED, 8, ""): [], **groups}
    for group, own in groups.items():
        yield _table4(group, one_of_each(own))
    yield _dice(forms)


def sweep_grids(forms: Sequence[Form]) -> Iterator[Grid]:
    """Show every w and r that was measured, if there were several."""
    for group, own in series(forms).items():
        if len({(one.segment, one.dilation) for one in own if one.segment is not None}) < 2:
            continue
        title = f"Segment lengths and dilations: {group.title}"
        yield Grid(f"table4-{group.name}-sweep", title, _HEAD, tuple(map(_cost_row, own)))


def _table4(group: Group, own: Sequence[Form]) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    for form, words in FORMS.items():
        found = [one for one in own if one.form == form]
        rows += [_cost_row(one) for one in found]
        if not found:
            rows.append((*texts(words, OURS), *(missing(_NONE_YET),) * 6))
        if group.is_the_papers:
            rows.append(_paper_row(form, words))
    machines = dict.fromkeys(one.machine for one in own if one.machine)
    where = [f"Measured on: {machine}." for machine in machines]
    printed = [f"The paper's figures: {paper.GPU}."] if group.is_the_papers else []
    title = f"Table 4: encoder of {group.title}"
    grid = Grid(f"table4-{group.name}", title, _HEAD, tuple(rows), (*printed, *where))
    return without_empty_rows(grid)


def one_of_each(own: Sequence[Form]) -> list[Form]:
    """Pick one measurement of each form; of a sparse one by the published code's w and r if any."""
    usual = [one for one in own if (one.segment, one.dilation) in ((None, None), _USUAL)]
    first = {one.form: one for one in reversed([*usual, *own])}
    return list(first.values())


def _cost_row(one: Form) -> tuple[Cell, ...]:
    times: tuple[Cell, ...] = (missing(one.skipped),) * 3
    memory = missing(one.skipped)
    if not one.skipped:
        times = tuple(map(significant, (one.ms_median, one.ms_low, one.ms_high)))
        memory = significant(None if one.peak_mb is None else one.peak_mb / 1000)
    counts = (significant(one.gflops_published, 4), significant(one.gflops_exact, 4))
    return (*texts(one.attention, OURS), *times, *counts, memory)


def _paper_row(form: str, words: str) -> tuple[Cell, ...]:
    found = paper.ABLATION[form]
    costs = (figure(found.ms, 0), DASH, DASH, figure(found.gflops, 1), DASH, figure(found.gb, 2))
    return (*texts(words, PAPER), *costs)


def _dice(forms: Sequence[Form]) -> Grid:
    """Show the Dice of each form beside the paper's, dataset by dataset."""
    datasets = dict.fromkeys((*paper.DATASETS, *(name for one in forms for name in one.dice)))
    rows = [row for name in datasets for form in FORMS for row in _dice_rows(forms, name, form)]
    head = ("Attention", "Dataset", "Figures", *map(clicks, paper.CLICKS))
    title = "Table 4: Dice of each form"
    return without_empty_rows(Grid("table4-dice", title, head, tuple(rows), (_WHOSE_DICE,)))


def _dice_rows(forms: Sequence[Form], dataset: str, form: str) -> Iterator[tuple[Cell, ...]]:
    own = [one for one in forms if one.form == form and dataset in one.dice]
    for one in own:
        about = texts(f"{one.attention} ({one.geometry})", dataset, OURS)
        yield (*about, *(figure(value, 3) for value in one.dice[dataset]))
    if not own:
        why = missing(f"{_NO_DICE} {dataset}")
        yield (*texts(FORMS[form], dataset, OURS), *(why,) * len(paper.CLICKS))
    if dataset in paper.DATASETS:
        printed = paper.ABLATION[form].dice[dataset]
        yield (*texts(FORMS[form], dataset, PAPER), *(figure(value, 3) for value in printed))
