"""What the forms of attention do to the Dice of our weights (Table 4's left half).

The same weights run in each form. They were trained with sparse attention, so dense forms differ:
that is what changing the form afterwards does, and not what training with it would give.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from ..claim import claim
from ..config import CompactConfig
from ..errors import InputError
from ..evaluate import Settings as SoundSettings
from ..evaluate import evaluate_object
from ..folders import make_folder
from ..methods import SessionMethod
from ..plan import Scan
from ..results import PUBLISHED, ObjectResult, Records, read_results
from ..session import Session
from ..summary import summarise
from . import paper_figures as paper
from . import published
from .ablation import Row, Sweep, read_rows
from .ablation import planned as planned_rows
from .accuracy import Asked, manifest_file, planned
from .entrants import network_of
from .forms import OURS, TRAINED_TOKENS, USUAL, use_form
from .rows import keep
from .shards import OnDone
from .sound import Evaluate
from .table_ablation import FORMS

_RECORDS, _NOTE = "records.jsonl", "asked.json"


def of_ours(asked: Asked) -> Asked:
    """Narrow what is asked for to our weights."""
    own = tuple((system, path) for system, path in asked.weights if system == OURS)
    return replace(asked, methods=(OURS,), weights=own)


def check_rows(asked: Sweep) -> None:
    """Refuse a sweep that leaves Dice without rows to stand in, before it is measured.

    Raises:
        InputError: neither the file nor the sweep has a row of each form, or the file holds
            something else.
    """
    rows = [*read_rows(asked.output), *(row for row, _ in planned_rows(asked, "", ""))]
    _row_of_each(rows, asked.output)


def measure_dice(
    path: Path, dataset: str, asked: Asked, on_done: OnDone = lambda case: None
) -> None:
    """Evaluate our weights in each form, and write their Dice into rows that are there.

    Args:
        path: the file of rows; results go to a folder `ablation` beside it.
        dataset: its name.
        asked: see `dice_of_forms`; its output does not count.
        on_done: likewise.

    Raises:
        InputError: as `dice_of_forms` and `add_dice`, before anything is evaluated.
    """
    _row_of_each(read_rows(path), path)
    place = path.parent / "ablation" / f"{dataset}-{asked.protocol}"
    dice = dice_of_forms(replace(asked, output=place), on_done)
    add_dice(path, called(dataset, asked.protocol), dice)


def dice_of_forms(
    asked: Asked, on_done: OnDone = lambda case: None
) -> dict[str, tuple[float, ...]]:
    """Evaluate our weights in each form; results are kept in the folder as they come.

    Args:
        asked: as for `benchmark accuracy`; methods and processes do not count.
        on_done: called for each result, of this call or an earlier one, with its case.

    Returns:
        The set's mean Dice after 1, 3, 5 and 10 clicks, by form.

    Raises:
        InputError: too few clicks; an unusable manifest or file of weights; the folder holds
            something else.
    """
    if asked.clicks < paper.CLICKS[-1]:
        raise InputError(f"Got {asked.clicks} clicks; give {paper.CLICKS[-1]}, as Table 4 shows.")
    results: dict[str, list[ObjectResult]] = {form: [] for form in FORMS}
    for form, result in _evaluated(of_ours(asked)):
        results[form].append(result)
        on_done(result.case)
    summary = summarise(result for of_form in results.values() for result in of_form)
    return {
        form: tuple(found.dice[n - 1].mean for n in paper.CLICKS)
        for form, found in zip(FORMS, summary.methods, strict=True)
    }


def add_dice(path: Path, dataset: str, dice: Mapping[str, tuple[float, ...]]) -> None:
    """Write the Dice of our weights in each form into one row of that form.

    Args:
        path: the file of rows.
        dataset: what tables call it.
        dice: after 1, 3, 5 and 10 clicks, by form.

    Raises:
        InputError: a form has no row yet, or the file holds something else.
    """
    rows: dict[Hashable, Row] = {row.key: row for row in read_rows(path)}
    for form, row in _row_of_each(list(rows.values()), path).items():
        keep(path, rows, replace(row, dice={**row.dice, dataset: dice[form]}))


def called(dataset: str, protocol: str) -> str:
    """Return what Table 4 calls a dataset: by the paper's name where figures can be compared."""
    known = paper.known_as(dataset)
    return known if known and protocol == PUBLISHED else f"{dataset}, {protocol}"


def _row_of_each(rows: Sequence[Row], path: Path) -> dict[str, Row]:
    """Find a row of our weights' own size in each form."""
    own = [row for row in rows if (row.geometry, row.tokens) == (OURS, TRAINED_TOKENS)]
    usual = [r for r in own if (r.segment, r.dilation) in ((None, None), USUAL)]
    found = {row.form: row for row in reversed(usual)}
    if absent := [form for form in FORMS if form not in found]:
        raise InputError(
            f"{path} has no row of {OURS} with {TRAINED_TOKENS}³ tokens and attention "
            f"{absent[0]!r}, where Dice would stand; measure that first, with --geometry {OURS} "
            f"--tokens {TRAINED_TOKENS}."
        )
    return found


def _evaluated(asked: Asked) -> Iterator[tuple[str, ObjectResult]]:
    """Yield each object's result in each form."""
    chosen, (entrant,) = planned(asked)
    settings = asked.settings
    make_folder(asked.output)
    about = {"manifest": str(manifest_file(asked.manifest)), "protocol": asked.protocol}
    there = bool(read_results(asked.output / _RECORDS))
    claim(asked.output / _NOTE, about | asdict(settings), "ablation", binding=there)
    records = Records(asked.output / _RECORDS)
    network = network_of(entrant, asked.device)
    names = {form: f"{entrant.name} {form}" for form in FORMS}
    evaluators = {form: _evaluator(name, network, settings) for form, name in names.items()}
    scan_of = lru_cache(maxsize=1)(Scan)
    for task in chosen.tasks:
        for form, name in names.items():
            of_object = (name, task.row.case, task.label.value)
            result = records.get((*of_object, settings.clicks, settings.seed, settings.strategy))
            if result is None:
                use_form(network, form)
                result = evaluators[form](task, scan_of(task.row))
                records.add(result)
            yield form, result


def _evaluator(name: str, network: Any, settings: published.Settings | SoundSettings) -> Evaluate:
    if isinstance(settings, SoundSettings):
        method = SessionMethod(name, partial(Session, network))
        return lambda task, scan: evaluate_object(method, task, scan, settings)[0]
    remembers = isinstance(network.config, CompactConfig)
    contestant = published.Volumetric(name, network, remembers=remembers)
    return partial(published.evaluate_object, contestant, settings=settings)
