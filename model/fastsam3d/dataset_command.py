"""What `fastsam3d prepare` shows: a bar, where the manifest is, and what was left out."""

from pathlib import Path

from .console import aside, progress, said
from .dataset_case import Outcome
from .dataset_prepare import Prepared, Request, list_dataset, prepare
from .dataset_report import left_out_of
from .dataset_verify import verify


def run(request: Request) -> Prepared:
    """Prepare a dataset with a progress bar, and say what came of it.

    Raises:
        InputError: as `prepare`.
    """
    dataset = list_dataset(request)
    with progress(len(dataset.items)) as advance:

        def show(outcome: Outcome) -> None:
            advance(outcome.name)
            for one in outcome.left_out:
                aside.print(f"{one.case}: left out: {one.reason}.", soft_wrap=True)

        prepared = prepare(request, dataset, show)
    images = sum(len(outcome.images) for outcome in prepared.outcomes)
    left_out = len(left_out_of(prepared.dataset, prepared.outcomes))
    said.print(
        f"{prepared.manifest}: {images} images ({prepared.dataset.layout}).\n"
        f"{left_out} left out, and why: {prepared.report}",
        soft_wrap=True,
    )
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
