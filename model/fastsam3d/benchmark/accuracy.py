"""Table 2: every method on every labelled object of a manifest, by one of two protocols.

The folder holds `records/`, a file for each process and call; once all is done also
`objects.jsonl`, the results in the manifest's order, `accuracy.json`, what was asked, and the
report of `tables`. Called again it goes on; methods may be added.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Literal, cast

from ..claim import claim
from ..clicks import Strategy
from ..dataset_labels import SMALLEST_MM3
from ..errors import InputError, out_of_memory
from ..evaluate import Settings as SoundSettings
from ..folders import make_folder
from ..plan import Plan, Scan, Task, plan
from ..results import PUBLISHED, Key, ObjectResult
from ..tables import write_report
from ..truthcheck import check_labels
from ..whole import write_text
from . import published
from .entrants import BOXES, Entrant, contestant_of, entrants
from .shards import OnDone, Share, found, merge, new_records, part_of, run_shares, shares_of
from .sound import Evaluate, sound_evaluator

RESULTS = "objects.jsonl"
DESCRIPTION = "accuracy.json"
_RECORDS = "records"
_NOTE = "asked.json"


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
        processes: on this machine; with torchrun 1.
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
    """What there is of the results: all, in order, or how many other processes still owe."""

    results: tuple[ObjectResult, ...]
    plan: Plan
    missing: int = 0


def planned(asked: Asked) -> tuple[Plan, list[Entrant]]:
    """Check what is asked for, and list the objects and methods.

    Raises:
        InputError: an unusable manifest, method or file of weights.
    """
    if BOXES in asked.methods and asked.protocol != PUBLISHED:
        raise InputError(
            f"{BOXES} draws its boxes round the true masks, which no user has; measure it with "
            f"--protocol {PUBLISHED}, by itself."
        )
    smallest_mm3 = SMALLEST_MM3 if asked.protocol == PUBLISHED else None
    chosen = plan(asked.manifest, limit=asked.limit, split=asked.split, smallest_mm3=smallest_mm3)
    check_labels(chosen)
    return chosen, entrants(asked.methods, dict(asked.weights), untrained=asked.untrained)


def run(asked: Asked, on_done: OnDone = lambda case: None) -> Outcome:
    """Evaluate what is not yet evaluated; the last process to end puts everything together.

    Args:
        asked: for what.
        on_done: called for each result, of this call or an earlier one, with its case.

    Raises:
        InputError: as `planned`; the folder holds something else; a full memory.
    """
    chosen, methods = planned(asked)
    make_folder(asked.output)
    claim(asked.output / _NOTE, _claimed(asked), "accuracy")
    work = partial(evaluate_share, asked, chosen.tasks, methods)
    run_shares(work, shares_of(asked.processes, asked.device), on_done)
    results = found(asked.output / _RECORDS)
    keys = list(_keys(asked, chosen.tasks, methods))
    if missing := merge(results, keys, asked.output / RESULTS):
        return Outcome((), chosen, missing)
    whole = tuple(results[key] for key in keys)
    write_report(asked.output, whole, chosen.left_out)
    _describe(asked, chosen, methods)
    return Outcome(whole, chosen)


def evaluate_share(
    asked: Asked, tasks: Sequence[Task], methods: Sequence[Entrant], share: Share, on_done: OnDone
) -> None:
    """Evaluate a share's objects with all methods, and keep each result as it comes.

    Raises:
        InputError: a device's memory is full, or weights do not fit.
    """
    known = found(asked.output / _RECORDS)
    records = new_records(asked.output / _RECORDS, share)
    scan_of = lru_cache(maxsize=1)(Scan)
    evaluator_of = cache(partial(_evaluator, asked, share.device))
    for task in part_of(tasks, share):
        for method, key in zip(methods, _keys(asked, [task], methods), strict=True):
            if key not in known:
                try:
                    result = evaluator_of(method)(task, scan_of(task.row))
                except (RuntimeError, MemoryError) as error:
                    _refuse_full_memory(error, method, share)
                    raise
                records.add(result)
            on_done(task.row.case)


def _evaluator(asked: Asked, device: str, method: Entrant) -> Evaluate:
    settings = asked.settings
    if isinstance(settings, SoundSettings):
        return sound_evaluator(method, device, settings)
    return partial(published.evaluate_object, contestant_of(method, device), settings=settings)


def _keys(asked: Asked, tasks: Sequence[Task], methods: Sequence[Entrant]) -> Iterator[Key]:
    settings = asked.settings
    for task in tasks:
        for method in methods:
            of_object = (method.name, task.row.case, task.label.value)
            yield (*of_object, settings.clicks, settings.seed, settings.strategy)


def _refuse_full_memory(error: Exception, method: Entrant, share: Share) -> None:
    if out_of_memory(error):
        raise InputError(
            f"The memory of {share.device} is full with {method.key}; what is done is kept. Call "
            "again with fewer processes, or with the device cpu."
        ) from error


def _claimed(asked: Asked) -> dict[str, object]:
    settings: dict[str, object] = asdict(asked.settings)
    return settings | {"manifest": str(asked.manifest.resolve()), "protocol": asked.protocol}


def _describe(asked: Asked, chosen: Plan, methods: Sequence[Entrant]) -> None:
    content = {
        "dataset": _dataset(asked.manifest),
        **_claimed(asked),
        "split": asked.split,
        "methods": [{"name": m.name, "key": m.key, "trained": m.trained} for m in methods],
        "left_out": [{"case": case, "reason": reason} for case, reason in chosen.left_out],
    }
    write_text(asked.output / DESCRIPTION, json.dumps(content, indent=1) + "\n")


def _dataset(manifest: Path) -> str:
    folder = manifest.resolve()
    return folder.name if folder.is_dir() else folder.parent.name
