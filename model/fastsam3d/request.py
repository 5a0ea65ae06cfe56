"""The `segment` command: what is asked for, checked before any work is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

from .console import progress
from .errors import InputError
from .images import Volume, read_volume
from .maps import check_map, write_map
from .masks import check_output, write_mask
from .points import SPACES, Target, check_given, check_targets, in_ras, parse_point, read_targets
from .postprocess import Postprocessing
from .region import parse_region
from .report import report
from .segment import Engine, Options, Outcome, segment_targets
from .starting import Start, are_numbered, read_start, stays, unchanged

MOST_SMOOTH_VOXELS = 10.0
UNNAMED = "object"
"""What the object of --point is called without --name."""


@dataclass(frozen=True)
class Request:
    """What `segment` is asked for; see its options."""

    image: Path
    output: Path
    point: tuple[str, ...] = ()
    points: tuple[Path, ...] = ()
    coordinates: str | None = None
    name: str | None = None
    spacing_mm: float | None = None
    roi: str | None = None
    start_from: Path | None = None
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    keep_start: bool = True
    series: str | None = None
    preview: Path | None = None
    uncertainty_map: Path | None = None

    @property
    def space(self) -> str:
        """Return what coordinates mean where nothing else says so."""
        return self.coordinates or "ras"


def segment(request: Request, engine: Engine, *, as_json: bool = False) -> None:
    """Segment an image and write the mask; all that can be refused is refused before.

    Raises:
        InputError: bad input of any kind.
    """
    began = perf_counter()
    _check_files(request)
    _check_numbers(request)
    targets = _targets(request)
    ignored = list(_ignored(request, targets))
    volume = read_volume(request.image, request.series)
    targets = [in_ras(target, volume.ijk_to_ras) for target in targets]
    started = request.start_from is not None
    check_targets(targets, volume.array_kji.shape, volume.ijk_to_ras, started=started)
    start = _start(request, volume, targets)
    if start is not None:
        targets = [replace(t, name=name) for t, name in zip(targets, start.names, strict=True)]
    options = _options(request, volume, start)
    with progress(sum(len(target.points) for target in targets)) as advance:
        outcome = engine.run(
            lambda opened: segment_targets(opened, volume, targets, options, on_click=advance)
        )
    names = {found.label: found.name for found in outcome.objects}
    called = names if start is None else start.called()
    write_mask(request.output, outcome.labels_kji, volume.ijk_to_ras, called)
    if request.uncertainty_map is not None and outcome.probability_kji is not None:
        write_map(request.uncertainty_map, outcome.probability_kji, volume.ijk_to_ras)
    notes = [*volume.notes, *ignored, *engine.notes]
    notes += _picture(request, volume, outcome, targets)
    if start is not None and request.start_from is not None:
        notes += [*start.notes, *stays(start, request.start_from, request.output)]
        notes += unchanged(outcome, start)
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
    if request.space not in SPACES:
        raise InputError(f"Got coordinates {request.space!r}; expected one of {', '.join(SPACES)}.")


def _targets(request: Request) -> list[Target]:
    if request.point and request.points:
        raise InputError("Got --point and --points; give the points in one of the two ways.")
    if request.name is not None and request.points:
        raise InputError(
            "Got --name and --points; name the objects in the points file, and leave --name out."
        )
    targets = [t for path in request.points for t in read_targets(path, request.space)]
    if request.points and not any(target.points for target in targets):
        files = ", ".join(str(path) for path in request.points)
        raise InputError(f"There are no points in {files}; give each object at least one.")
    if not request.points:
        clicks = tuple(parse_point(text) for text in request.point)
        targets = [Target(request.name or UNNAMED, clicks, request.space)]
    check_given(targets, started=request.start_from is not None)
    return targets


def _ignored(request: Request, targets: Sequence[Target]) -> Iterator[str]:
    """Say which files have coordinates of their own, whatever --coordinates says."""
    own = {t.file: t.space for t in targets if t.file and t.space != request.space}
    if request.coordinates is not None:
        for file, space in own.items():
            yield f"{file} itself says {space}, so --coordinates {request.space} is not for it."


def _start(request: Request, volume: Volume, targets: Sequence[Target]) -> Start | None:
    if request.start_from is None:
        return None
    names = [target.name for target in targets]
    unnamed = are_numbered(names) if request.points else request.name is None
    return read_start(request.start_from, volume, names, unnamed=unnamed)


def _options(request: Request, volume: Volume, start: Start | None) -> Options:
    region = None
    if request.roi is not None:
        shape = volume.array_kji.shape
        region = parse_region(request.roi, request.space, shape, volume.ijk_to_ras)
    return Options(
        request.spacing_mm,
        region,
        request.postprocessing,
        None if start is None else start.labels_kji,
        () if start is None else start.labels,
        probability=request.uncertainty_map is not None,
        keep_start=request.keep_start,
    )


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
        captions={one.label: f"{one.name} {one.volume_ml:.1f} mL" for one in outcome.objects},
    )
