"""What the commands of `fastsam3d benchmark` do and say."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from ..bars import Show, bar
from ..console import aside, said
from ..devices import is_first
from ..errors import InputError
from ..folders import make_folder
from ..inputs import pick_device
from .ablation import Row, Sweep
from .ablation import measure_all as measure_forms
from .ablation import planned as planned_ablation
from .ablation_dice import measure_dice, of_ours
from .accuracy import Asked, planned, run
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

Protocol = Literal["sound", "published"]
PROTOCOLS: dict[str, tuple[Protocol, ...]] = {
    "sound": ("sound",),
    "published": ("published",),
    "both": ("sound", "published"),
}


DEFAULT = "fastsam3d-default"

_A = TypeVar("_A", Efforts, Sweep)
_R = TypeVar("_R", Efficiency, Row)


def efficiency(asked: Efforts) -> None:
    """Measure Table 3, row by row; of torchrun's processes the first alone.

    Raises:
        InputError: there is no such device, or the file holds something else.
    """
    if is_first():
        count = len(list(planned_efficiency(asked, "", "")))
        _measure("efficiency", asked, count, measure_all, _said_of)


def ablation(asked: Sweep) -> None:
    """Measure Table 4, row by row; of torchrun's processes the first alone.

    Raises:
        InputError: there is no such device, or the file holds something else.
    """
    if is_first():
        count = len(list(planned_ablation(asked, str(pick_device(asked.device)), "")))
        _measure("ablation", asked, count, measure_forms, _said_of_form)


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
        with bar(f"ablation, {each}", len(chosen.tasks) * len(FORMS)) as show:
            measure_dice(rows, dataset, own, _Told(show).one)


def check(protocol: str, plans: Iterable[Asked]) -> None:
    """Refuse what cannot be measured, before hours go into something else.

    Raises:
        InputError: an unknown protocol; an unusable manifest, method or file of weights.
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


def dataset_of(manifest: Path, name: str | None = None) -> str:
    """Name a manifest, by default after its folder.

    Raises:
        InputError: the name cannot be that of a folder.
    """
    place = manifest.resolve()
    chosen = name or (place.name if place.is_dir() else place.parent.name)
    if Path(chosen).name != chosen or chosen.startswith("."):
        raise InputError(
            f"Got the name {chosen!r} for a dataset; give one without / that does not begin with a "
            "dot."
        )
    return chosen


def datasets_of(manifests: Iterable[Path]) -> list[str]:
    """Name manifests after their folders.

    Raises:
        InputError: a name is not that of a folder, or two are the same.
    """
    names: dict[str, Path] = {}
    for manifest in manifests:
        name = dataset_of(manifest)
        if name in names:
            raise InputError(
                f"Got two datasets called {name!r}, {names[name]} and {manifest}; rename a folder, "
                "or call `fastsam3d benchmark accuracy` for each, with --name."
            )
        names[name] = manifest
    return list(names)


def weights_of(given: Iterable[str]) -> tuple[tuple[str, Path], ...]:
    """Read "SYSTEM=FILE" texts.

    Raises:
        InputError: one is none of these.
    """
    return tuple(map(_weight, given))


def methods_of(named: Sequence[str], weights: Iterable[tuple[str, Path]]) -> tuple[str, ...]:
    """List what is measured: what was named, and systems with weights; ours if nothing was."""
    methods = tuple(dict.fromkeys([*named, *(system for system, _ in weights)]))
    return methods or (DEFAULT,)


def report(folder: Path, *, due: bool | None = None) -> None:
    """Write the report of all that a folder holds.

    Args:
        folder: a benchmark's.
        due: whether this process is to write it; None: if it is the first of torchrun's.

    Raises:
        InputError: there is no such folder, or a file in it holds something else.
    """
    if is_first() if due is None else due:
        said.print(str(write_report(folder, machine())), soft_wrap=True)


def _measure(
    title: str,
    asked: _A,
    count: int,
    measure: Callable[[_A, Callable[[_R], None]], list[_R]],
    said_of: Callable[[_R], str],
) -> None:
    """Measure a table row by row under a bar, then say what has no time."""
    make_folder(asked.output.parent)
    with bar(title, count) as show:
        told = _Told(show)
        rows = measure(asked, lambda row: told.one(said_of(row)))
    for row in rows:
        if row.skipped:
            aside.print(f"Not measured: {said_of(row)}", soft_wrap=True)


def _by_protocol(protocol: str, asked: Asked) -> Iterator[Asked]:
    """Yield what each protocol measures; of both, `sound` without boxes round the true masks."""
    for each in PROTOCOLS[protocol]:
        apart = (BOXES,) if (protocol, each) == ("both", "sound") else ()
        methods = tuple(method for method in asked.methods if method not in apart)
        weights = tuple((system, path) for system, path in asked.weights if system not in apart)
        if methods:
            yield replace(asked, protocol=each, methods=methods, weights=weights)


def _accuracy(folder: Path, asked: Asked) -> bool:
    chosen, methods = planned(asked)
    make_folder(folder)
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:
        note_machine(folder, machine())
    shares = shares_of(asked.processes, asked.device)
    count = sum(len(part_of(chosen.tasks, share)) for share in shares) * len(methods)
    with bar(f"accuracy, {asked.protocol}", count) as show:
        outcome = run(asked, _Told(show).one)
    if outcome.missing:
        aside.print(
            f"{outcome.missing} results are with other processes, and not there yet; the last of "
            "them writes the report.",
            soft_wrap=True,
        )
    return not outcome.missing


def _weight(text: str) -> tuple[str, Path]:
    system, sign, path = text.partition("=")
    if not (system and sign and path):
        raise InputError(f"Got --weights {text}; expected a system and a file, as sam=FILE.")
    return system, Path(path)


class _Told:
    """Counts what is done for a bar."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._done = 0

    def one(self, text: str) -> None:
        self._done += 1
        self._show(self._done, text)


def _said_of(row: Efficiency) -> str:
    return f"{title_of(row.system)}, {row.part}: {_time(row)}"


def _said_of_form(row: Row) -> str:
    return f"{row.geometry}, {row.tokens}³ tokens, {row.attention}: {_time(row)}"


def _time(row: Efficiency | Row) -> str:
    return row.skipped or f"{significant(row.ms_median).text} ms"
