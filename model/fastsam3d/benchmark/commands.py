"""What the commands of `fastsam3d benchmark` do and say."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from ..console import aside, said
from ..devices import is_first
from ..errors import InputError
from ..folders import make_folder
from ..inputs import pick_device
from .ablation import Row, Sweep
from .ablation import measure_all as measure_forms
from .ablation import planned as planned_ablation
from .ablation_dice import measure_dice, of_ours
from .accuracy import Asked, Outcome, planned, run
from .collect import accuracy_folder, note_machine
from .efficiency import Efficiency, Efforts, measure_all
from .efficiency import planned as planned_efficiency
from .entrants import BOXES
from .grids import significant
from .machine import machine
from .paper_figures import CLICKS
from .report import write_report
from .shards import part_of, shares_of
from .table_ablation import FORMS
from .table_efficiency import title_of
from .told import told

Protocol = Literal["sound", "published"]
PROTOCOLS: dict[str, tuple[Protocol, ...]] = {
    "sound": ("sound",),
    "published": ("published",),
    "both": ("sound", "published"),
}

_A = TypeVar("_A", Efforts, Sweep)
_R = TypeVar("_R", Efficiency, Row)


def efficiency(asked: Efforts) -> None:
    """Measure Table 3, row by row; of torchrun's processes the first alone.

    Raises:
        InputError: there is no such device, or the file holds something else.
    """
    if is_first():
        count = len(list(planned_efficiency(asked, "", "")))
        _measure("efficiency", asked, count, measure_all, _name_of)


def ablation(asked: Sweep) -> None:
    """Measure Table 4, row by row; of torchrun's processes the first alone.

    Raises:
        InputError: there is no such device, or the file holds something else.
    """
    if is_first():
        count = len(list(planned_ablation(asked, str(pick_device(asked.device)), "")))
        _measure("ablation", asked, count, measure_forms, _name_of_form)


def ablation_dice(rows: Path, dataset: str, protocol: str, asked: Asked) -> None:
    """Measure the Dice of our weights in each form of Table 4, whose rows are there.

    Of torchrun's processes the first does so alone.

    Args:
        rows: of Table 4.
        dataset: its name.
        protocol: of `PROTOCOLS`.
        asked: for all but clicks, methods and protocol.

    Raises:
        InputError: as `check`.
    """
    check(protocol, ())
    if not is_first():
        return
    for each in PROTOCOLS[protocol]:
        own = of_ours(replace(asked, protocol=each, clicks=CLICKS[-1]))
        chosen, _ = planned(own)
        with told(f"ablation, {each}", len(chosen.tasks) * len(FORMS)) as one:
            one.begins(f"{len(FORMS)} forms on {_objects(len(chosen.tasks))}")
            measure_dice(rows, dataset, own, one.ends)


def check(protocol: str, plans: Iterable[Asked]) -> None:
    """Refuse what cannot be measured, before hours go into something else.

    Raises:
        InputError: an unknown protocol; an unusable manifest, method or file of weights; a
            package is missing.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"Got protocol {protocol!r}; expected {', '.join(PROTOCOLS)}.")
    for asked in plans:
        for each in _by_protocol(protocol, asked):
            planned(each)


def accuracy(folder: Path, dataset: str, protocol: str, asked: Asked) -> bool:
    """Measure Table 2 on one dataset; `asked` for all but protocol and output.

    Returns:
        Whether all results are there. Of torchrun's processes the last to end finds them so.

    Raises:
        InputError: as `check`.
    """
    check(protocol, ())
    if protocol == "both" and BOXES in asked.methods and is_first():
        aside.print(
            f"{BOXES} draws its boxes round the true masks, which no user has: it is measured by "
            "the protocol published alone.",
            soft_wrap=True,
        )
    whole = False
    for each in _by_protocol(protocol, asked):
        place = accuracy_folder(folder, dataset, each.protocol)
        whole = _accuracy(folder, replace(each, output=place))
    return whole


def report(folder: Path, *, due: bool | None = None) -> None:
    """Write the report of all that a folder holds; Table 1 is in that of a new one, too.

    Args:
        folder: a benchmark's; it is made if it is not there.
        due: whether this process is to write it; None: if it is the first of torchrun's.

    Raises:
        InputError: it is a file, or a file in it holds something else.
    """
    if is_first() if due is None else due:
        _make(folder)
        said.print(str(write_report(folder, machine())), soft_wrap=True)


def _measure(
    title: str,
    asked: _A,
    count: int,
    measure: Callable[[_A, Callable[[_R], None], Callable[[_R], None]], list[_R]],
    name_of: Callable[[_R], str],
) -> None:
    """Measure a table row by row under a bar, then say what has no time."""
    _make(asked.output.parent)
    with told(title, count) as one:
        rows = measure(
            asked,
            lambda row: one.ends(f"{name_of(row)}: {_time(row)}"),
            lambda row: one.begins(name_of(row)),
        )
    for row in rows:
        if row.skipped:
            aside.print(f"Not measured: {name_of(row)}: {_time(row)}", soft_wrap=True)


def _by_protocol(protocol: str, asked: Asked) -> Iterator[Asked]:
    """Yield what each protocol measures; of both, `sound` without boxes round the true masks."""
    for each in PROTOCOLS[protocol]:
        apart = (BOXES,) if (protocol, each) == ("both", "sound") else ()
        methods = tuple(method for method in asked.methods if method not in apart)
        weights = tuple((system, path) for system, path in asked.weights if system not in apart)
        if methods:
            yield replace(asked, protocol=each, methods=methods, weights=weights)


def _accuracy(folder: Path, asked: Asked) -> bool:
    chosen, methods = ready = planned(asked)
    shares = shares_of(asked.processes, asked.device)
    _make(folder)
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:
        note_machine(folder, machine())
    objects = sum(len(part_of(chosen.tasks, share)) for share in shares)
    with told(f"accuracy, {asked.protocol}", objects * len(methods)) as one:
        one.begins(f"{', '.join(method.key for method in methods)} on {_objects(objects)}")
        outcome = run(asked, one.ends, ready)
    _tell(outcome, asked)
    return not outcome.missing


def _tell(outcome: Outcome, asked: Asked) -> None:
    """Say what the report does not show."""
    if outcome.hidden and is_first():
        beyond = f"beyond --limit {asked.limit}; call again with a higher one"
        why = "which the manifest no longer holds" if asked.limit is None else beyond
        aside.print(
            f"Measured earlier and kept, but not shown: {_objects(outcome.hidden)}, {why}.",
            soft_wrap=True,
        )
    if outcome.missing:
        aside.print(
            f"{outcome.missing} results are with other processes, and not there yet; the last of "
            "them writes the report.",
            soft_wrap=True,
        )


def _make(folder: Path) -> None:
    """Make the folder to work in.

    Raises:
        InputError: it is a file, or cannot be made.
    """
    if folder.is_file():
        raise InputError(f"{folder} is a file; give a folder, which is made if it is not there.")
    make_folder(folder)


def _name_of(row: Efficiency) -> str:
    return f"{title_of(row.system)}, {row.part}"


def _name_of_form(row: Row) -> str:
    return f"{row.geometry}, {row.tokens}³ tokens, {row.attention}"


def _objects(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"


def _time(row: Efficiency | Row) -> str:
    return row.skipped or f"{significant(row.ms_median).text} ms"
