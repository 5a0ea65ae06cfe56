"""The `segment` command: what is asked for, checked before any work is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .console import progress
from .errors import InputError
from .images import Volume, read_labels, read_volume
from .maps import check_map, write_map
from .masks import check_output, write_mask
from .points import SPACES, Target, check_given, check_targets, in_ras, parse_point, read_targets
from .postprocess import Postprocessing
from .region import parse_region
from .report import report
from .samegrid import grid_text, same_grid
from .segment import Engine, Options, Outcome, segment_targets

MOST_SMOOTH_VOXELS = 10.0


@dataclass(frozen=True)
class Request:
    """What `segment` is asked for; see its options."""

    image: Path
    output: Path
    point: tuple[str, ...] = ()
    points: tuple[Path, ...] = ()
    coordinates: str = "ras"
    name: str = "object"
    spacing_mm: float | None = None
    roi: str | None = None
    start_from: Path | None = None
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    series: str | None = None
    preview: Path | None = None
    uncertainty_map: Path | None = None


def segment(request: Request, engine: Engine, *, as_json: bool = False) -> None:
    """Segment an image and write the mask; all that can be refused is refused before.

    Raises:
        InputError: bad input of any kind.
    """
    began = perf_counter()
    _check_files(request)
    _check_numbers(request)
    targets = _targets(request)
    volume = read_volume(request.image, request.series)
    targets = [in_ras(target, volume.ijk_to_ras) for target in targets]
    started = request.start_from is not None
    check_targets(targets, volume.array_kji.shape, volume.ijk_to_ras, started=started)
    options = _options(request, volume, targets)
    with progress(sum(len(target.points) for target in targets)) as advance:
        outcome = engine.run(
            lambda opened: segment_targets(opened, volume, targets, options, on_click=advance)
        )
    names = [target.name for target in targets]
    write_mask(request.output, outcome.labels_kji, volume.ijk_to_ras, names)
    if request.uncertainty_map is not None and outcome.probability_kji is not None:
        write_map(request.uncertainty_map, outcome.probability_kji, volume.ijk_to_ras)
    notes = [*volume.notes, *engine.notes, *_picture(request, volume, outcome, targets)]
    files = {
        "image": request.image,
        "output": request.output,
        "preview": request.preview,
        "uncertainty_map": request.uncertainty_map,
    }
    seconds = perf_counter() - began
    report(files, engine.place, outcome.objects, notes, seconds, as_json=as_json)


def _check_files(request: Request) -> None:
    if request.series is not None and request.image.is_file():
        raise InputError(
            f"--series chooses in a folder of DICOM files, and {request.image} is a file; leave "
            "--series out, or give the folder."
        )
    check_output(request.output)
    if request.preview is not None:
        check_output(request.preview, (".png",))
    if request.uncertainty_map is not None:
        check_map(request.uncertainty_map)
    _check_apart("mask", request.output, "image", request.image)
    _check_apart("map", request.uncertainty_map, "image", request.image)
    _check_apart("map", request.uncertainty_map, "mask", request.output)
    _check_apart("map", request.uncertainty_map, "mask", request.start_from)


def _check_apart(what: str, path: Path | None, other: str, place: Path | None) -> None:
    if path is not None and place is not None and path.resolve() == place.resolve():
        raise InputError(f"The {what} would replace the {other} {place}; give another name.")


def _check_numbers(request: Request) -> None:
    if request.spacing_mm is not None and not 0.1 <= request.spacing_mm <= 20:
        raise InputError(f"Got a spacing of {request.spacing_mm} mm; expected 0.1 to 20.")
    smooth = request.postprocessing.smooth_voxels
    if not 0 <= smooth <= MOST_SMOOTH_VOXELS:
        raise InputError(f"Got --smooth {smooth:g}; expected 0 to {MOST_SMOOTH_VOXELS:g} voxels.")
    if request.coordinates not in SPACES:
        raise InputError(
            f"Got coordinates {request.coordinates!r}; expected one of {', '.join(SPACES)}."
        )


def _targets(request: Request) -> list[Target]:
    if request.point and request.points:
        raise InputError("Got --point and --points; give the points in one of the two ways.")
    targets = [t for path in request.points for t in read_targets(path, request.coordinates)]
    if not request.points:
        clicks = tuple(parse_point(text) for text in request.point)
        targets = [Target(request.name, clicks, request.coordinates)]
    check_given(targets, started=request.start_from is not None)
    return targets


def _options(request: Request, volume: Volume, targets: Sequence[Target]) -> Options:
    region = start_kji = None
    if request.roi is not None:
        shape = volume.array_kji.shape
        region = parse_region(request.roi, request.coordinates, shape, volume.ijk_to_ras)
    if request.start_from is not None:
        start_kji = _start(request.start_from, volume, objects=len(targets))
    return Options(
        request.spacing_mm,
        region,
        request.postprocessing,
        start_kji,
        probability=request.uncertainty_map is not None,
    )


def _start(path: Path, volume: Volume, *, objects: int) -> NDArray[np.integer[Any]]:
    """Read the label map to go on from: for a single object all of it, whatever the values."""
    start = read_labels(path)
    if not same_grid(start, volume):
        raise InputError(
            f"{start.name} ({grid_text(start)}) is not on the grid of {volume.name} "
            f"({grid_text(volume)}); resample it onto the scan, by nearest neighbour."
        )
    labels = start.array_kji if objects > 1 else (start.array_kji != 0).astype(np.uint8)
    if not ((labels >= 1) & (labels <= objects)).any():
        raise InputError(
            f"{start.name} holds no voxel to go on from (label 1, 2, … is object 1, 2, …); give "
            "another mask, or leave out --start-from."
        )
    return labels


def _picture(
    request: Request, volume: Volume, outcome: Outcome, targets: Sequence[Target]
) -> Iterator[str]:
    if request.preview is None:
        return
    if not outcome.labels_kji.any():
        yield "The mask is empty, so there is no picture."
        return
    from .preview import write_preview

    write_preview(
        request.preview,
        volume.array_kji,
        outcome.labels_kji,
        volume.ijk_to_ras,
        points=[point for target in targets for point in target.points],
        title=volume.name,
        captions=[f"{found.name} {found.volume_ml:.1f} mL" for found in outcome.objects],
    )
