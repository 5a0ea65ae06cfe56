"""What `fastsam3d prepare` shows: a bar, where the manifest is, and what was left out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from .console import aside, progress, said
from .dataset_case import Outcome
from .dataset_item import shown
from .dataset_prepare import Prepared, Request, list_dataset, prepare
from .dataset_report import left_out_of
from .dataset_verify import verify
from .pace import lines

_FEW = 3


def run(request: Request) -> Prepared:
    """Prepare a dataset with a progress bar, or lines in a file, and say what came of it.

    Raises:
        InputError: as `prepare`.
    """
    dataset = list_dataset(request)
    for warning in dataset.warnings:
        aside.print(warning, soft_wrap=True)
    with _progress(len(dataset.items)) as advance:

        def show(outcome: Outcome) -> None:
            advance(outcome.name)
            for one in outcome.left_out:
                aside.print(f"{one.case}: left out: {one.reason}.", soft_wrap=True)

        prepared = prepare(request, dataset, show)
    images = sum(len(outcome.images) for outcome in prepared.outcomes)
    said.print(
        f"{prepared.manifest}: {_counted(images, 'image')} ({prepared.dataset.layout}).",
        soft_wrap=True,
    )
    if again := prepared.again:
        said.print(
            f"{_counted(len(again), 'file')} made again, missing or changed before: "
            f"{shown(again, _FEW)}.",
            soft_wrap=True,
        )
    left_out = len(left_out_of(prepared.dataset, prepared.outcomes))
    told = (
        f"{left_out} left out, and why: {prepared.report}" if left_out else "Nothing was left out."
    )
    said.print(told, soft_wrap=True)
    return prepared


def run_verify(folder: Path) -> bool:
    """Say which prepared files have changed; return whether none has.

    Raises:
        InputError: the folder holds nothing prepared.
    """
    faults = verify(folder)
    for fault in faults:
        said.print(fault, soft_wrap=True)
    if not faults:
        said.print(f"{folder}: every file is as it was written.", soft_wrap=True)
    return not faults


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    if aside.is_terminal:
        with progress(total) as advance:
            yield advance
        return
    show, done = lines("prepare", total), count(1)
    yield lambda name: show(number := next(done), f"{number} of {total}, {name}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
