"""From the results of objects to the figures of methods: means, intervals, clicks needed, tests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .results import PUBLISHED, ObjectResult, protocol_of
from .stats import FEWEST, Comparison, Patients, bootstrap_interval, paired_wilcoxon

TARGETS = (0.80, 0.90)
"""Dice for which the clicks needed are counted."""

SHOWN_CLICKS = (1, 3, 5, 10)


@dataclass(frozen=True)
class Estimate:
    """A set's mean and its 95 % confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Reach:
    """How soon a Dice is reached: by which share of the set, after how many clicks on average.

    Both are over all objects: one that does not reach it counts with all clicks made. `clicks` is
    None if none reaches it.
    """

    dice: float
    share: float
    clicks: float | None


@dataclass(frozen=True)
class MethodSummary:
    """One method over a set. Sequences of estimates hold one a click.

    `best_dice` is the highest Dice so far. `folders` holds each folder's mean Dice a click.
    `first_seconds` and `later_seconds` are medians, of the first click with all that it has to
    prepare, and of the others; None if no such click was made.
    """

    method: str
    objects: int
    patients: int
    failures: int
    dice: tuple[Estimate, ...]
    best_dice: tuple[Estimate, ...]
    surface_dice: tuple[Estimate, ...]
    reach: tuple[Reach, ...]
    folders: dict[str, tuple[float, ...]]
    first_seconds: float | None
    later_seconds: float | None

    @property
    def is_telling(self) -> bool:
        """Tell whether there are patients enough for an interval to mean anything."""
        return self.patients >= FEWEST


@dataclass(frozen=True)
class Versus:
    """The first method's Dice against another's on the same objects, after some clicks."""

    method: str
    other: str
    clicks: int
    comparison: Comparison


@dataclass(frozen=True)
class Summary:
    """What the tables show; `shown` are the numbers of clicks they show."""

    methods: tuple[MethodSummary, ...]
    versus: tuple[Versus, ...]
    shown: tuple[int, ...]
    seed: int
    strategy: str


def summarise(results: Iterable[ObjectResult], reference: str | None = None) -> Summary:
    """Summarise each method, and compare one with each of the others.

    Means are over objects, then patients, then folders; of the protocol `published`, over objects
    alone.

    Args:
        results: of objects; methods in the order of their first result.
        reference: the method that is compared; the first by default.

    Raises:
        InputError: no results, or of different seeds, strategies or numbers of clicks, or none of
            the reference.
    """
    results = list(results)
    if not results:
        raise InputError("Got no results to summarise; evaluate at least one object.")
    if len({(r.seed, r.strategy, len(r.dice)) for r in results}) > 1:
        raise InputError(
            "Got results of different seeds, strategies or numbers of clicks; "
            "summarise each protocol by itself."
        )
    groups = [[r for r in results if r.method == name] for name in dict.fromkeys(_names(results))]
    shown = tuple(n for n in SHOWN_CLICKS if n <= len(results[0].dice))
    ours = next((g for g in groups if reference in (None, g[0].method)), None)
    if ours is None:
        raise InputError(f"Got no results of {reference} to compare with; evaluate it, too.")
    others = [group for group in groups if group is not ours]
    versus = [_versus(ours, other, n) for other in others for n in shown]
    return Summary(
        tuple(_method(group) for group in groups),
        tuple(found for found in versus if found is not None),
        shown,
        results[0].seed,
        results[0].strategy,
    )


def about_intervals(methods: Iterable[MethodSummary]) -> str:
    """Say what stands in brackets behind means, and why behind some or all of them nothing does."""
    few = sorted({method.patients for method in methods if not method.is_telling})
    why = (
        f", but none of fewer than {FEWEST} patients (here {' or '.join(map(str, few))}), where it "
        "would be little more than their extremes"
    )
    return f"in brackets the 95 % interval by bootstrap over patients{why if few else ''}"


def _names(results: Sequence[ObjectResult]) -> list[str]:
    return [result.method for result in results]


def _method(results: Sequence[ObjectResult]) -> MethodSummary:
    patients = _patients(results)
    dice = np.array([result.dice for result in results])
    surface = np.array([result.surface_dice for result in results])
    return MethodSummary(
        method=results[0].method,
        objects=len(results),
        patients=len(patients.of_patient),
        failures=sum(bool(result.failure) for result in results),
        dice=_estimates(dice, patients),
        best_dice=_estimates(np.maximum.accumulate(dice, axis=1), patients),
        surface_dice=_estimates(surface, patients),
        reach=tuple(_reach(results, patients, target) for target in TARGETS),
        folders=_folders(results),
        first_seconds=_median(result.seconds[:1] for result in results),
        later_seconds=_median(result.seconds[1:] for result in results),
    )


def _patients(results: Sequence[ObjectResult]) -> Patients:
    flat = protocol_of(results[0].strategy) == PUBLISHED
    return Patients.of([(result.folder, result.patient) for result in results], flat=flat)


def _estimates(values: NDArray[np.float64], patients: Patients) -> tuple[Estimate, ...]:
    low, high = bootstrap_interval(values, patients)
    bounds = zip(patients.set_mean(values), low, high, strict=True)
    return tuple(Estimate(float(mean), float(a), float(b)) for mean, a, b in bounds)


def _reach(results: Sequence[ObjectResult], patients: Patients, target: float) -> Reach:
    needed = [result.clicks_to(target) for result in results]
    made = [len(result.dice) if n is None else n for n, result in zip(needed, results, strict=True)]
    reached = [n is not None for n in needed]
    clicks = float(patients.set_mean(made)) if any(reached) else None
    return Reach(target, float(patients.set_mean(reached)), clicks)


def _folders(results: Sequence[ObjectResult]) -> dict[str, tuple[float, ...]]:
    means = {}
    for folder in sorted({result.folder for result in results}):
        inside = [result for result in results if result.folder == folder]
        mean = _patients(inside).set_mean([result.dice for result in inside])
        means[folder] = tuple(float(value) for value in mean)
    return means


def _median(seconds: Iterable[Sequence[float]]) -> float | None:
    values = [value for some in seconds for value in some]
    return median(values) if values else None


def _versus(
    ours: Sequence[ObjectResult], theirs: Sequence[ObjectResult], clicks: int
) -> Versus | None:
    known = {(r.case, r.label): r for r in theirs}
    pairs = [(r, known[r.case, r.label]) for r in ours if (r.case, r.label) in known]
    if not pairs:
        return None
    mine, other = ([r.dice[clicks - 1] for r in side] for side in zip(*pairs, strict=True))
    comparison = paired_wilcoxon(mine, other, _patients([r for r, _ in pairs]))
    return Versus(ours[0].method, theirs[0].method, clicks, comparison)
