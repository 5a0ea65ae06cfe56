"""Many volumes in a row from a manifest, each with its points; what is done is not done again.

The manifest is the project's (`case`, `image`), with one more column, `points`: a `.mrk.json` of
Slicer or our JSON file, its path below the manifest's folder as that of the image.
"""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .errors import InputError
from .folders import make_folder
from .images import read_volume
from .manifest import Row, read_manifest
from .masks import MASK_SUFFIXES, write_mask
from .points import check_targets, in_ras, read_targets
from .segment import Engine, Found, segment_targets
from .whole import write_whole

RESULTS = "results.csv"

_COLUMNS = (
    "case",
    "object",
    "label",
    "clicks",
    "voxels",
    "volume_ml",
    "confidence",
    "uncertainty",
    "note",
)


@dataclass(frozen=True)
class Job:
    """One volume to segment: where it is, where its points are, where the mask goes."""

    case: str
    image: Path
    points: Path
    output: Path

    @property
    def record(self) -> Path:
        """Return the file that says what was found; written after the mask."""
        return self.output.parent / f"{self.case}.json"


@dataclass(frozen=True)
class Done:
    """What became of a job: its objects, or why there are none."""

    case: str
    objects: tuple[Found, ...] = ()
    error: str = ""
    resumed: bool = False


def read_jobs(
    manifest: Path, folder: Path, *, suffix: str = ".nii.gz", split: str | None = None
) -> list[Job]:
    """List a manifest's volumes that have points.

    Raises:
        InputError: an unusable manifest, no `points`, or a suffix that no mask has.
    """
    if suffix not in MASK_SUFFIXES:
        raise InputError(f"Got format {suffix!r}; expected one of {', '.join(MASK_SUFFIXES)}.")
    path = manifest / "manifest.csv" if manifest.is_dir() else manifest
    rows = read_manifest(path, split=split)
    points = _points_column(path)
    jobs = [
        Job(row.case, row.image, path.parent / points[row.case], folder / _file_name(row, suffix))
        for row in rows
        if row.image is not None and points.get(row.case)
    ]
    if not jobs:
        raise InputError(
            f'{path} has no row with an image and points; add a column "points" with the path of '
            "each image's points file."
        )
    return jobs


def run_jobs(
    jobs: list[Job], engine: Engine, *, on_done: Callable[[Done], Any] | None = None
) -> list[Done]:
    """Segment volume after volume; a bad one is reported and the rest goes on.

    A job whose mask and record exist is not done again. Ends with a table of all, `results.csv`.

    Raises:
        InputError: the network cannot be loaded, or the results cannot be written.
    """
    results = []
    for job in jobs:
        results.append(_resumed(job) or _run(job, engine))
        if on_done is not None:
            on_done(results[-1])
    write_whole(jobs[0].output.parent / RESULTS, lambda path: _write_table(path, results))
    return results


def _file_name(row: Row, suffix: str) -> str:
    if Path(row.case).name != row.case or row.case.startswith("."):
        raise InputError(f"Case {row.case!r} cannot be a file's name; choose one without slashes.")
    return row.case + suffix


def _points_column(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return {
            (line["case"] or "").strip(): (line.get("points") or "").strip()
            for line in csv.DictReader(file)
        }


def _run(job: Job, engine: Engine) -> Done:
    engine.load()
    make_folder(job.output.parent)
    try:
        volume = read_volume(job.image)
        targets = [in_ras(target, volume.ijk_to_ras) for target in read_targets(job.points)]
        check_targets(targets, volume.array_kji.shape, volume.ijk_to_ras)
        outcome = engine.run(partial(segment_targets, volume=volume, targets=targets))
    except InputError as error:
        return Done(job.case, error=str(error))
    names = [target.name for target in targets]
    write_mask(job.output, outcome.labels_kji, volume.ijk_to_ras, names)
    found = [asdict(one) for one in outcome.objects]
    write_whole(job.record, lambda path: path.write_text(json.dumps(found, indent=1)))
    return Done(job.case, outcome.objects)


def _resumed(job: Job) -> Done | None:
    if not (job.output.is_file() and job.record.is_file()):
        return None
    try:
        found = json.loads(job.record.read_text(encoding="utf-8"))
        return Done(job.case, tuple(Found(**one) for one in found), resumed=True)
    except (ValueError, TypeError):
        return None


def _write_table(path: Path, results: list[Done]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for result in results:
            writer.writerows(_lines(result))


def _lines(result: Done) -> Iterator[tuple[Any, ...]]:
    if result.error:
        yield (result.case, *[""] * (len(_COLUMNS) - 2), result.error)
    for one in result.objects:
        figures = (
            one.label,
            one.clicks,
            one.voxels,
            one.volume_ml,
            one.confidence,
            one.uncertainty,
        )
        yield (result.case, one.name, *figures, one.message)
