"""A public dataset becomes a manifest with images and labels of cubic voxels.

The output folder holds `manifest.csv`, `report.md` and a folder of NIfTI files.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

import SimpleITK as sitk

from .dataset_brats import without_regions
from .dataset_case import Outcome, Resampling, prepare_item, unwritten
from .dataset_folder import claimed, files_of, keep_table, named_hash, record, recorded
from .dataset_item import Dataset, Item
from .dataset_layouts import read_dataset
from .dataset_report import manifest_text, report_text
from .dataset_sources import made_from
from .dataset_splits import apply_splits, check_splits
from .errors import InputError
from .folders import make_folder

MANIFEST = "manifest.csv"
REPORT = "report.md"


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    channel: the one channel to take, where a case has several.
    splits: a file that says what is for training, validation and test.
    workers: processes; 0 does all in this one.
    groups: whether BraTS gets the column `groups`, the challenge's regions.
    """

    source: Path
    out: Path
    layout: str = "auto"
    channel: str | None = None
    splits: Path | None = None
    resampling: Resampling = field(default_factory=Resampling)
    workers: int = 1
    groups: bool = True

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise InputError(f"Got {self.workers} workers; give 0 or more.")


@dataclass(frozen=True)
class Prepared:
    """A dataset as it was listed, and what became of its items.

    again: the files that were missing or had changed, and were made again.
    """

    dataset: Dataset
    outcomes: tuple[Outcome, ...]
    manifest: Path
    report: Path
    again: tuple[str, ...] = ()


def list_dataset(request: Request) -> Dataset:
    """List what would be prepared, with its splits, without reading a voxel.

    Raises:
        InputError: the source or the splits file cannot be used.
    """
    dataset = read_dataset(request.source, request.layout, request.channel)
    if not request.groups:
        dataset = without_regions(dataset)
    if request.splits is not None:
        dataset = apply_splits(dataset, request.splits)
    return check_splits(dataset)


def prepare(
    request: Request,
    dataset: Dataset | None = None,
    on_done: Callable[[Outcome], None] = lambda _: None,
) -> Prepared:
    """Prepare a dataset; called again, go on where it was interrupted.

    Args:
        request: what, where to, and how.
        dataset: from `list_dataset`, if that was called already.
        on_done: called with what became of each item.

    Raises:
        InputError: the source or a setting cannot be used, the output folder holds something else
            or is in use, a source or a table has changed, nothing could be taken, or something
            could not be written.
    """
    dataset = dataset or list_dataset(request)
    with claimed(request.out, _settings(request, dataset), (MANIFEST, REPORT)):
        return _prepare(request, dataset, on_done)


def _prepare(request: Request, dataset: Dataset, on_done: Callable[[Outcome], None]) -> Prepared:
    make_folder(request.out / dataset.name)
    done, lost = recorded(request.out, dataset.items)
    todo = [item for item in dataset.items if item.name not in done]
    for outcome in done.values():
        on_done(outcome)
    with _told_if_killed():
        for outcome in _outcomes(todo, request, dataset.name):
            done[outcome.name] = outcome
            on_done(outcome)
    outcomes = tuple(done[item.name] for item in dataset.items)
    report = keep_table(request.out, REPORT, report_text(dataset, outcomes, request.resampling))
    _check_any(outcomes, report)
    manifest = keep_table(request.out, MANIFEST, manifest_text(dataset, outcomes))
    _check_written(outcomes)
    there = {file.path for outcome in outcomes for file in files_of(outcome)}
    return Prepared(dataset, outcomes, manifest, report, tuple(p for p in lost if p in there))


def _settings(request: Request, dataset: Dataset) -> dict[str, object]:
    return {
        "source": str(request.source.resolve()),
        "layout": dataset.layout,
        "channel": request.channel,
        "splits": named_hash(request.splits),
        "groups": request.groups,
        **asdict(request.resampling),
    }


def _outcomes(items: Sequence[Item], request: Request, folder: str) -> Iterator[Outcome]:
    if not request.workers:
        for item in items:
            yield _do(item, request, folder)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(request.workers, context, _start) as processes:
        waiting = [processes.submit(_do, item, request, folder) for item in items]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _start() -> None:
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def _do(item: Item, request: Request, folder: str) -> Outcome:
    source = made_from(item)
    outcome = prepare_item(item, request.out, folder, request.resampling)
    if outcome.label is None:
        return outcome
    try:
        record(request.out, item, outcome, source)
    except InputError as error:
        return unwritten(item, error)
    return outcome


@contextmanager
def _told_if_killed() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise InputError(
            "A worker was ended from outside, most likely for want of memory; what is done is "
            "kept: run the command again, with fewer workers."
        ) from error


def _check_any(outcomes: Sequence[Outcome], report: Path) -> None:
    if any(outcome.label for outcome in outcomes):
        return
    _check_written(outcomes)
    first = next(one for outcome in outcomes for one in outcome.left_out)
    raise InputError(
        f"Nothing could be taken: {first.case}: {first.reason}; the others are in {report}."
    )


def _check_written(outcomes: Sequence[Outcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.failed]
    if failed:
        raise InputError(
            f"{len(failed)} of {len(outcomes)} items could not be written, {failed[0].name} first "
            f"({failed[0].left_out[0].reason}); what is done is kept: make room, and run the "
            "command again."
        )
