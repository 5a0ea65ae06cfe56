"""What a benchmark's folder holds: measurements of efficiency, ablation and accuracy."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from ..lines import add_line, drop_cut_line, whole_lines
from ..results import read_results
from .ablation import Row
from .ablation import read_rows as read_forms
from .accuracy import DESCRIPTION, RECORDS, RESULTS
from .efficiency import Efficiency, read_rows
from .entrants import is_untrained
from .scored import Scored, system_of
from .shards import found, most_processes

EFFICIENCY = "efficiency.jsonl"
ABLATION = "ablation.jsonl"
ACCURACY = "accuracy"
"""The folder with one for each dataset and protocol, `NAME-PROTOCOL`."""

MACHINES = "machines.jsonl"


@dataclass(frozen=True)
class Findings:
    """All that was measured; untrained: datasets where no trained method ran."""

    efficiency: tuple[Efficiency, ...] = ()
    ablation: tuple[Row, ...] = ()
    scored: tuple[Scored, ...] = ()
    untrained: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()


def collect(folder: Path) -> Findings:
    """Read all that a folder holds; what is not there was not measured.

    Raises:
        InputError: there is no such folder, or a file in it holds something else.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; run a benchmark into it first.")
    efficiency = read_rows(folder / EFFICIENCY)
    ablation = read_forms(folder / ABLATION)
    every = [_scored(path) for path in accuracy_folders(folder)]
    noted = [str(row.get("machine", "")) for row in _objects(folder / MACHINES)]
    machines = [*(row.machine for row in efficiency), *(row.machine for row in ablation), *noted]
    return Findings(
        tuple(efficiency),
        tuple(ablation),
        tuple(one for one in every if one.results),
        tuple(one.dataset for one in every if one.untrained and not one.results),
        tuple(dict.fromkeys(filter(None, machines))),
    )


def note_machine(folder: Path, machine: str) -> None:
    """Keep the name of a machine that accuracy was measured on."""
    path = folder / MACHINES
    drop_cut_line(path)
    if {"machine": machine} not in _objects(path):
        add_line(path, {"machine": machine})


def accuracy_folder(folder: Path, dataset: str, protocol: str) -> Path:
    """Return where a dataset's results by a protocol are."""
    return folder / ACCURACY / f"{dataset}-{protocol}"


def accuracy_folders(folder: Path) -> list[Path]:
    """List the folders of datasets and protocols that were begun."""
    return sorted(path for path in (folder / ACCURACY).glob("*-*") if path.is_dir())


def _scored(folder: Path) -> Scored:
    """Read what all calls kept of the objects that the last one asked for."""
    results = list(found(folder / RECORDS).values()) or read_results(folder / RESULTS)
    finished = (folder / RESULTS).is_file()
    wanted = _asked(folder / DESCRIPTION)
    if wanted:
        results = [result for result in results if (result.case, result.label) in wanted.objects]
        methods = wanted.methods | {result.method for result in results}
        finished = len(results) == len(wanted.objects) * len(methods)
    trained = [result for result in results if not is_untrained(result.method)]
    left = dict.fromkeys(system_of(r.method) for r in results if is_untrained(r.method))
    dataset, processes = folder.name.rpartition("-")[0], most_processes(folder / RECORDS)
    left_out = wanted.left_out if wanted else ()
    return Scored(dataset, tuple(trained), tuple(left), finished, processes, left_out)


class _Asked(NamedTuple):
    """Which objects, as case and label, and methods a call asked for, and what it left out."""

    objects: set[tuple[str, int | str]]
    methods: set[str]
    left_out: tuple[tuple[str, str], ...]


def _asked(path: Path) -> _Asked | None:
    """Read what a call asked for; None if that is not known."""
    if not path.is_file():
        return None
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if about.get("objects") is None:
            return None
        objects = {(case, label) for case, label in about["objects"]}
        methods = {method["name"] for method in about["methods"]}
        left_out = tuple((one["case"], one["reason"]) for one in about.get("left_out", ()))
        return _Asked(objects, methods, left_out)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} holds something else than was asked; move it away.") from error


def _objects(path: Path) -> list[dict[str, object]]:
    """Read a file of JSON objects; none if there is no file."""
    try:
        rows = [json.loads(line) for line in whole_lines(path)]
    except ValueError as error:
        raise InputError(f"{path} holds something else than measurements; move it away.") from error
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} holds something else than measurements; move it away.")
    return rows
