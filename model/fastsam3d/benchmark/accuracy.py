"""Table 2: every method on every labelled object of a manifest, by one of two protocols.

The folder holds `accuracy.json`, what the last call asked for, and `records/`, a file for each
process and call; once all is done also `objects.jsonl`, the results in the manifest's order, and
the report of `tables`. Called again it goes on; methods may be added, and the others stay. Which
objects count, the last call says.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Literal, cast

from ..claim import claim
from ..clicks import Strategy
from ..dataset_labels import SMALLEST_MM3
from ..devices import is_first
from ..errors import InputError, out_of_memory
from ..evaluate import Settings as SoundSettings
from ..folders import make_folder
from ..plan import Plan, Scan, Task, plan
from ..results import PUBLISHED, Key, ObjectResult
from ..truthcheck import check_labels
from ..whole import write_text
from . import published
from .accuracy_report import write_trained
from .entrants import BOXES, Entrant, check_usable, contestant_of, entrants
from .shards import (
    OnDone,
    Share,
    found,
    merge,
    new_records,
    part_of,
    run_shares,
    same_threads,
    shares_of,
)
from .sound import Evaluate, sound_evaluator

RESULTS = "objects.jsonl"
DESCRIPTION = "accuracy.json"
RECORDS = "records"
_NOTE = "asked.json"
_INSTEAD = "choose another output folder or --name"


@dataclass(frozen=True)
class Asked:
    """What `benchmark accuracy` is asked for.

    Attributes:
        manifest: the CSV file, or its folder.
        output: the folder to work in, of one manifest and protocol.
        methods: keys of systems, presets and classical tools, in the order of the rows.
        weights: a file for each system that the registry has none for.
        protocol: `published`, to compare with the paper, or `sound`: what a user gets.
        clicks: on each object; of networks for slices by `published`, on each slice.
        limit: at most so many objects.
        split: only rows of this split.
        seed: of the clicks; None for the protocol's own: 2023 and 0.
        strategy: of the clicks by `sound`: centre or random.
        paired: whether all methods' clicks are drawn alike by `published`.
        untrained: whether systems without weights run, with random ones.
        device: auto, cpu, cuda or mps.
        processes: on this machine; with torchrun 1. Each uses one thread, or OMP_NUM_THREADS.
    """

    manifest: Path
    output: Path
    methods: tuple[str, ...]
    weights: tuple[tuple[str, Path], ...] = ()
    protocol: Literal["published", "sound"] = "sound"
    clicks: int = 10
    limit: int | None = None
    split: str | None = None
    seed: int | None = None
    strategy: str = "centre"
    paired: bool = True
    untrained: bool = False
    device: str = "auto"
    processes: int = 1

    def __post_init__(self) -> None:
        if self.protocol not in ("published", "sound"):
            raise InputError(f"Got protocol {self.protocol!r}; expected published or sound.")
        if self.strategy not in ("centre", "random"):
            raise InputError(f"Got strategy {self.strategy!r}; expected centre or random.")
        assert self.settings

    @property
    def settings(self) -> published.Settings | SoundSettings:
        """Return how clicks are made."""
        if self.protocol == "published":
            seed = published.SEED if self.seed is None else self.seed
            return published.Settings(self.clicks, seed, self.paired)
        return SoundSettings(self.clicks, self.seed or 0, cast("Strategy", self.strategy))


@dataclass(frozen=True)
class Outcome:
    """What there is of the results, also of methods that earlier calls asked for, in order.

    missing: how many other processes still owe; then there are none.
    hidden: how many objects earlier calls measured that this one did not ask for.
    """

    results: tuple[ObjectResult, ...]
    plan: Plan
    missing: int = 0
    hidden: int = 0


Ready = tuple[Plan, list[Entrant]]
"""The objects and the methods."""


def manifest_file(path: Path) -> Path:
    """Return a manifest's CSV file, the same whether it or its folder is given."""
    file = path / "manifest.csv" if path.is_dir() else path
    return file.parent.resolve() / file.name


def planned(asked: Asked) -> Ready:
    """Check what is asked for, and list the objects and methods.

    Raises:
        InputError: an unusable manifest, method or file of weights, or a package is missing.
    """
    if BOXES in asked.methods and asked.protocol != PUBLISHED:
        raise InputError(
            f"{BOXES} draws its boxes round the true masks, which no user has; measure it with "
            f"--protocol {PUBLISHED}, by itself."
        )
    smallest_mm3 = SMALLEST_MM3 if asked.protocol == PUBLISHED else None
    chosen = plan(asked.manifest, limit=asked.limit, split=asked.split, smallest_mm3=smallest_mm3)
    check_labels(chosen)
    methods = entrants(asked.methods, dict(asked.weights), untrained=asked.untrained)
    check_usable(methods)
    return chosen, methods


def run(asked: Asked, on_done: OnDone = lambda case: None, ready: Ready | None = None) -> Outcome:
    """Evaluate what is not yet evaluated; the last process to end puts everything together.

    Args:
        asked: for what.
        on_done: called for each result, of this call or an earlier one, with its case.
        ready: what `planned` gave, if it was called.

    Raises:
        InputError: as `planned`; no such device; the folder holds something else; a full memory.
    """
    chosen, methods = ready or planned(asked)
    shares = shares_of(asked.processes, asked.device)
    make_folder(asked.output)
    _claim(asked)
    if is_first():
        _describe(asked, chosen, methods)
    run_shares(partial(evaluate_share, asked, chosen.tasks, methods), shares, on_done)
    results = found(asked.output / RECORDS)
    keys = list(_kept(asked, chosen.tasks, [method.name for method in methods], results))
    hidden = _hidden(chosen.tasks, results)
    if missing := merge(results, keys, asked.output / RESULTS):
        return Outcome((), chosen, missing, hidden)
    whole = tuple(results[key] for key in keys)
    write_trained(asked.output, whole, chosen.left_out)
    return Outcome(whole, chosen, hidden=hidden)


def evaluate_share(
    asked: Asked, tasks: Sequence[Task], methods: Sequence[Entrant], share: Share, on_done: OnDone
) -> None:
    """Evaluate a share's objects with all methods, and keep each result as it comes.

    Raises:
        InputError: a device's memory is full, or weights do not fit.
    """
    known = found(asked.output / RECORDS)
    records = new_records(asked.output / RECORDS, share)
    scan_of = lru_cache(maxsize=1)(Scan)
    evaluator_of = cache(partial(_evaluator, asked, share.device))
    names = [method.name for method in methods]
    for task in part_of(tasks, share):
        for method, key in zip(methods, _keys(asked, [task], names), strict=True):
            if key not in known:
                try:
                    with same_threads():
                        result = evaluator_of(method)(task, scan_of(task.row))
                except (RuntimeError, MemoryError, OSError) as error:
                    _refuse_full_memory(error, method, share)
                    raise
                records.add(result)
            on_done(task.row.case)


def _evaluator(asked: Asked, device: str, method: Entrant) -> Evaluate:
    settings = asked.settings
    if isinstance(settings, SoundSettings):
        return sound_evaluator(method, device, settings)
    return partial(published.evaluate_object, contestant_of(method, device), settings=settings)


def _keys(asked: Asked, tasks: Sequence[Task], names: Sequence[str]) -> Iterator[Key]:
    settings = asked.settings
    for task in tasks:
        for name in names:
            of_object = (name, task.row.case, task.label.value)
            yield (*of_object, settings.clicks, settings.seed, settings.strategy)


def _kept(
    asked: Asked, tasks: Sequence[Task], names: Sequence[str], results: Collection[Key]
) -> Iterator[Key]:
    """List the results of this call, and what earlier ones left of other methods."""
    earlier = sorted({name for name, *_ in results} - set(names))
    for key in _keys(asked, tasks, [*names, *earlier]):
        if key in results or key[0] in names:
            yield key


def _hidden(tasks: Sequence[Task], results: Collection[Key]) -> int:
    """Count the objects of earlier calls that are none of these."""
    kept = {(case, label) for _, case, label, *_ in results}
    return len(kept - {(task.row.case, task.label.value) for task in tasks})


def _refuse_full_memory(error: Exception, method: Entrant, share: Share) -> None:
    if out_of_memory(error):
        raise InputError(
            f"The memory of {share.device} is full with {method.key}; what is done is kept. Call "
            "again with fewer processes, or with the device cpu."
        ) from error


def _claim(asked: Asked) -> None:
    """Refuse a folder that holds results of another manifest or of other settings."""
    there = (asked.output / RESULTS).exists() or bool(found(asked.output / RECORDS))
    claim(asked.output / _NOTE, _claimed(asked), "accuracy", _INSTEAD, binding=there)


def _claimed(asked: Asked) -> dict[str, object]:
    settings: dict[str, object] = asdict(asked.settings)
    about = {"manifest": str(manifest_file(asked.manifest)), "protocol": asked.protocol}
    return settings | about | {"split": asked.split}


def _describe(asked: Asked, chosen: Plan, methods: Sequence[Entrant]) -> None:
    content = {
        "dataset": manifest_file(asked.manifest).parent.name,
        **_claimed(asked),
        "methods": [{"name": m.name, "key": m.key, "trained": m.trained} for m in methods],
        "objects": [(task.row.case, task.label.value) for task in chosen.tasks],
        "left_out": [{"case": case, "reason": reason} for case, reason in chosen.left_out],
    }
    write_text(asked.output / DESCRIPTION, json.dumps(content, indent=1) + "\n")
