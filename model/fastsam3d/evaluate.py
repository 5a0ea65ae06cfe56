"""The `sound` protocol: what a user gets from a method, click by click, on whole volumes.

A mask is compared with the truth on the volume's own grid. All clicks so far count. They are
paired between methods: each object has a generator of its own, seeded alike for all. The patch
that a method looks at comes from the clicks alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter

import numpy as np

from .clicks import Click, Mask, Strategy, next_click
from .course import Course, attempt, object_rng
from .errors import InputError
from .folders import make_folder
from .images import read_labels, write_mask
from .masks import MASK_SUFFIXES
from .methods import Method
from .plan import Scan, Task, inside, plan
from .results import ObjectResult, Records
from .truthcheck import check_labels

Progress = Callable[[int, int, ObjectResult], None]


@dataclass(frozen=True)
class Settings:
    """How many clicks are made on an object, and where."""

    clicks: int = 10
    seed: int = 0
    strategy: Strategy = "centre"

    def __post_init__(self) -> None:
        if self.clicks < 1 or self.seed < 0:
            raise InputError(
                f"Got {self.clicks} clicks and seed {self.seed}; give at least 1 click and seed 0."
            )


def evaluate(
    manifest: Path,
    methods: Sequence[Method],
    *,
    clicks: int = 10,
    limit: int | None = None,
    seed: int = 0,
    strategy: Strategy = "centre",
    split: str | None = None,
    records: Path | None = None,
    save_masks: Path | None = None,
    on_progress: Progress | None = None,
) -> list[ObjectResult]:
    """Evaluate methods on every labelled object of a manifest.

    Args:
        manifest: the CSV file, or its folder.
        methods: what to compare, of different names.
        clicks: made on each object.
        limit: at most so many objects, spread over folders and images.
        seed: of the clicks.
        strategy: where the clicks go: see `clicks.next_click`.
        split: only rows of this split.
        records: keep each result here as it comes, and take from here what an earlier run did.
        save_masks: write the last mask of each object here, as `METHOD/CASE_VALUE.nii.gz`; a
            group's value is `1+2`.
        on_progress: called with the number of results so far, of all, and the newest.

    Raises:
        InputError: the manifest or an image cannot be used, or two methods share a name.
    """
    if len({method.name for method in methods}) < len(methods):
        raise InputError("Got two methods of one name; name each method differently.")
    settings = Settings(clicks, seed, strategy)
    pairs = [(t, m) for t in _tasks(manifest, limit, split) for m in methods]
    kept = Records(records) if records is not None else None
    scan_of = lru_cache(maxsize=1)(Scan)
    results: list[ObjectResult] = []
    for task, method in pairs:
        key = (method.name, task.row.case, task.label.value, clicks, seed, strategy)
        result = kept.get(key) if kept is not None else None
        if result is None:
            scan = scan_of(task.row)
            result, mask = evaluate_object(method, task, scan, settings)
            if save_masks is not None:
                _save(mask, save_masks / method.name, task, scan)
            if kept is not None:
                kept.add(result)
        results.append(result)
        if on_progress is not None:
            on_progress(len(results), len(pairs), result)
    return results


def evaluate_object(
    method: Method, task: Task, scan: Scan, settings: Settings
) -> tuple[ObjectResult, Mask]:
    """Click on one object until the clicks are used up, the mask is perfect or the method fails.

    Returns:
        The result and the last mask.
    """
    truth = scan.truth(task.label)
    rng = object_rng(settings.seed, task)
    course, mask = Course(), np.zeros(truth.mask.shape, bool)
    _, course.failure = attempt(partial(method.start, scan.volume_kji, scan.ijk_to_ras))
    while not course.failure and len(course.dice) < settings.clicks:
        click = next_click(
            truth.mask,
            mask,
            spacing_kji_mm=scan.spacing_kji_mm,
            strategy=settings.strategy,
            rng=rng,
        )
        if click is None:
            break
        began = perf_counter()
        answer, course.failure = attempt(partial(_answer, method, click, mask.shape))
        if answer is not None:
            mask = answer
            course.add([click], perf_counter() - began, mask, truth)
    result = course.result(
        method.name,
        task,
        truth.voxels,
        clicks=settings.clicks,
        seed=settings.seed,
        strategy=settings.strategy,
    )
    return result, mask


def score_masks(
    manifest: Path,
    masks: Path,
    *,
    limit: int | None = None,
    split: str | None = None,
    on_progress: Progress | None = None,
) -> list[ObjectResult]:
    """Score masks that were made elsewhere: one value an object, as after one click.

    Whatever made them is called by the folder's name.

    Args:
        manifest: the CSV file, or its folder.
        masks: folder of `CASE_VALUE.nii.gz` masks, a group's value being `1+2`, or `CASE.nii.gz`
            label maps (or .nrrd, .mha). A missing file and one on another grid count as failures,
            with score 0.
        limit: at most so many objects, spread over folders and images.
        split: only rows of this split.
        on_progress: called with the number of results so far, of all, and the newest.

    Raises:
        InputError: the manifest or an image cannot be used, or the folder does not exist.
    """
    if not masks.is_dir():
        raise InputError(f"{masks} is no folder; give the folder that holds the masks.")
    tasks = _tasks(manifest, limit, split)
    scan_of = lru_cache(maxsize=1)(Scan)
    results: list[ObjectResult] = []
    for task in tasks:
        scan = scan_of(task.row)
        truth, course = scan.truth(task.label), Course()
        mask, course.failure = attempt(partial(_load, masks, task, scan))
        if mask is not None:
            course.score(mask, truth)
        given = course.result(
            masks.resolve().name, task, truth.voxels, clicks=1, seed=0, strategy="centre"
        )
        results.append(given)
        if on_progress is not None:
            on_progress(len(results), len(tasks), results[-1])
    return results


def _tasks(manifest: Path, limit: int | None, split: str | None) -> tuple[Task, ...]:
    chosen = plan(manifest, limit=limit, split=split)
    check_labels(chosen)
    return chosen.tasks


def _answer(method: Method, click: Click, shape: tuple[int, ...]) -> Mask:
    mask = np.asarray(method.click(click.voxel_kji, positive=click.positive))
    if mask.shape != shape:
        raise ValueError(f"gave a mask of shape {mask.shape}, expected the volume's {shape}")
    return mask.astype(bool, copy=False)


def _stem(task: Task) -> str:
    return task.row.case.replace("/", "_")


def _save(mask: Mask, folder: Path, task: Task, scan: Scan) -> None:
    make_folder(folder)
    write_mask(folder / f"{_stem(task)}_{task.label.value}.nii.gz", mask, scan.ijk_to_ras)


def _load(masks: Path, task: Task, scan: Scan) -> Mask:
    value = task.label.value
    single = _first(masks, f"{_stem(task)}_{value}")
    path = single or _first(masks, _stem(task))
    if path is None:
        raise FileNotFoundError(f"no {_stem(task)}_{value} and no {_stem(task)} in {masks}")
    volume = read_labels(path)
    if not scan.shares_grid(volume):
        raise ValueError(f"{path.name} is not on the image's grid")
    return volume.array_kji > 0 if single else inside(volume.array_kji, task.label)


def _first(folder: Path, stem: str) -> Path | None:
    paths = (folder / f"{stem}{suffix}" for suffix in MASK_SUFFIXES)
    return next((path for path in paths if path.exists()), None)
