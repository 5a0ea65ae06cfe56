"""The `segment` command: what is asked for, checked before any work; what is said of it after."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from rich.table import Table

from .console import aside, progress, said
from .errors import InputError
from .images import Volume, read_volume
from .masks import check_output, write_mask
from .points import SPACES, Target, check_given, check_targets, in_ras, parse_point, read_targets
from .region import parse_region
from .segment import Engine, Found, Outcome


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
    series: str | None = None
    preview: Path | None = None


def segment(request: Request, engine: Engine, *, as_json: bool = False) -> None:
    """Segment an image and write the mask; all that can be refused is refused before.

    Raises:
        InputError: bad input of any kind.
    """
    began = perf_counter()
    targets = _check_request(request)
    volume = read_volume(request.image, request.series)
    shape = volume.array_kji.shape
    targets = [in_ras(target, volume.ijk_to_ras) for target in targets]
    check_targets(targets, shape, volume.ijk_to_ras)
    region = None
    if request.roi is not None:
        region = parse_region(request.roi, request.coordinates, shape, volume.ijk_to_ras)
    with progress(sum(len(target.points) for target in targets)) as advance:
        outcome = engine.segment(
            volume, targets, spacing_mm=request.spacing_mm, region=region, on_click=advance
        )
    names = [target.name for target in targets]
    write_mask(request.output, outcome.labels_kji, volume.ijk_to_ras, names)
    notes = [*volume.notes, *engine.notes, *_picture(request, volume, outcome, targets)]
    seconds = perf_counter() - began
    _report(request, engine, outcome.objects, notes, seconds, as_json=as_json)


def _check_request(request: Request) -> list[Target]:
    check_output(request.output)
    if request.preview is not None:
        check_output(request.preview, (".png",))
    if request.output.resolve() == request.image.resolve():
        raise InputError(f"The mask would replace the image {request.image}; give another name.")
    if request.spacing_mm is not None and not 0.1 <= request.spacing_mm <= 20:
        raise InputError(f"Got a spacing of {request.spacing_mm} mm; expected 0.1 to 20.")
    if request.coordinates not in SPACES:
        raise InputError(
            f"Got coordinates {request.coordinates!r}; expected one of {', '.join(SPACES)}."
        )
    if request.point and request.points:
        raise InputError("Got --point and --points; give the points in one of the two ways.")
    targets = [t for path in request.points for t in read_targets(path, request.coordinates)]
    if not request.points:
        clicks = tuple(parse_point(text) for text in request.point)
        targets = [Target(request.name, clicks, request.coordinates)]
    check_given(targets)
    return targets


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


def _report(
    request: Request,
    engine: Engine,
    objects: Sequence[Found],
    notes: Sequence[str],
    seconds: float,
    *,
    as_json: bool,
) -> None:
    if as_json:
        summary = {
            "image": str(request.image),
            "output": str(request.output),
            "preview": None if request.preview is None else str(request.preview),
            "device": engine.place,
            "seconds": round(seconds, 2),
            "objects": [asdict(found) for found in objects],
            "notes": list(notes),
        }
        said.file.write(json.dumps(summary, indent=2) + "\n")
        return
    for note in notes:
        aside.print(note)
    said.print(_table(objects))
    said.print(f"{request.output} ({seconds:.1f} s on {engine.place})", soft_wrap=True)


def _table(objects: Sequence[Found]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("label", "object", "volume", "confidence", "clicks", ""):
        table.add_column(heading, justify="left" if heading in ("object", "") else "right")
    for found in objects:
        table.add_row(
            str(found.label), found.name, f"{found.volume_ml:.2f} mL", f"{found.confidence:.2f}",
            str(found.clicks), found.message,
        )  # fmt: skip
    return table
