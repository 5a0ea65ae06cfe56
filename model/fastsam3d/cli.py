"""The commands. Thin: they read what the user typed, call the package and say what came of it."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from . import __version__
from .cli_benchmark import benchmark_app
from .cli_distill import distill, distill_ablation
from .cli_options import Device
from .cli_prepare import prepare
from .cli_train import train
from .cli_weights import weights_app
from .errors import InputError
from .stopped import goes_on

app = typer.Typer(
    name="fastsam3d",
    help="Segment 3D scans with a few clicks. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(weights_app, name="weights", no_args_is_help=True)
app.add_typer(benchmark_app, name="benchmark", no_args_is_help=True)

Preset = Annotated[str, typer.Option(help="The network; see `fastsam3d weights list`.")]
Checkpoint = Annotated[Path | None, typer.Option(help="A weights file of your own.")]
_LARGEST = "--largest/--no-largest"
Largest = Annotated[
    bool, typer.Option(_LARGEST, help="Keep only the pieces with a point on the object.")
]

_DEFAULT = "fastsam3d-default"
_MASKS = ".nii.gz, .nii, .nrrd, .seg.nrrd (Slicer's segmentation) or .mha"


def main(arguments: list[str] | None = None) -> None:
    """Run a command. Bad input is told in one line and ends with exit code 2."""
    try:
        app(arguments, prog_name="fastsam3d")
    except InputError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(
            f"Cannot use {error.filename or 'a file'}: {error.strerror or error}; choose another."
        )


def _refuse(reason: str) -> NoReturn:
    typer.echo(f"fastsam3d: {' '.join(reason.split())}", err=True)
    sys.exit(2)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=lambda v: _version(wanted=v), is_eager=True)
    ] = False,
) -> None:
    """Segment 3D scans with a few clicks. Not a medical device."""


@app.command()
def segment(
    image: Annotated[
        Path, typer.Argument(help="NIfTI, NRRD, MetaImage, or a folder with a DICOM series.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help=f"The mask: {_MASKS}.")],
    point: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y,Z[,out]", help="A click on the object, or beside it: out."),
    ] = None,
    points: Annotated[
        list[Path] | None,
        typer.Option(help="A .mrk.json of 3D Slicer, or a JSON file; each list is an object."),
    ] = None,
    coordinates: Annotated[
        str | None,
        typer.Option(
            help="What numbers mean in --point, --roi and a JSON file that does not say it: ras or "
            "lps in mm, or ijk in voxels; ras by default."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="What the object of --point is called; by default object, or as the segment that "
            "it goes on from."
        ),
    ] = None,
    spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="How fine to look at first: small for small objects."),
    ] = None,
    roi: Annotated[
        str | None,
        typer.Option(metavar="X,Y,Z,X,Y,Z", help="Two corners of the region to stay in."),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            metavar="MASK",
            help="A mask on the scan's grid to go on from: each object from the segment of its "
            "name (.seg.nrrd), else from label 1, 2, … in their order. Its other segments stay.",
        ),
    ] = None,
    largest: Annotated[
        bool | None,
        typer.Option(
            _LARGEST,
            help="Keep only the pieces with a point on the object. So it is by default, but in a "
            "mask to start from: --largest takes its other pieces away, too.",
        ),
    ] = None,
    fill_holes: Annotated[
        bool, typer.Option("--fill-holes", help="Fill cavities inside the object.")
    ] = False,
    smooth: Annotated[
        float, typer.Option(metavar="VOXELS", help="Round the surface; 1 is a little, 3 is a lot.")
    ] = 0.0,
    ct_clamp: Annotated[
        bool,
        typer.Option("--ct-clamp", help="Clamp to -1000 to 1000 HU first, as for sam-med3d on CT."),
    ] = False,
    series: Annotated[
        str | None, typer.Option(help="Number or UID of the DICOM series, if there are several.")
    ] = None,
    preview: Annotated[Path | None, typer.Option(help="Also make a picture: a .png file.")] = None,
    uncertainty_map: Annotated[
        Path | None,
        typer.Option(
            help="Also write how likely each voxel belongs to an object, 0 to 1: .nii.gz or .nrrd."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    preset: Preset = _DEFAULT,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> None:
    """Segment one or several objects of a scan from points on them.

    A JSON file of points: {"coordinates": "ras", "objects": [{"name": "liver", "points":
    [[X, Y, Z], [X, Y, Z, "out"]]}]}. In a list of Slicer, a point whose label or description
    begins with out, exclude, negative or background lies beside the object.
    """
    from . import request
    from .postprocess import Postprocessing
    from .segment import Engine

    request.segment(
        request.Request(
            image=image,
            output=output,
            point=tuple(point or ()),
            points=tuple(points or ()),
            coordinates=coordinates and coordinates.lower(),
            name=name,
            spacing_mm=spacing,
            roi=roi,
            start_from=start_from,
            postprocessing=Postprocessing(
                keep_clicked=largest is not False, fill_holes=fill_holes, smooth_voxels=smooth
            ),
            keep_start=not largest,
            series=series,
            preview=preview,
            uncertainty_map=uncertainty_map,
        ),
        Engine(preset, checkpoint, device, ct_clamp=ct_clamp),
        as_json=as_json,
    )  # fmt: skip


@app.command()
def demo(
    organ: Annotated[
        str, typer.Option(help="The organ of the phantom to segment.")
    ] = "right kidney",
    clicks: Annotated[int, typer.Option(min=1, help="How many clicks to make.")] = 5,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The picture: a .png file.")
    ] = Path("fastsam3d-demo.png"),
    largest: Largest = True,
    preset: Preset = _DEFAULT,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> None:
    """Segment an organ of a built-in phantom click by click: no file and no network needed."""
    from . import commands
    from .postprocess import Postprocessing
    from .segment import Engine

    engine = Engine(preset, checkpoint, device, postprocessing=Postprocessing(largest))
    commands.demo(organ, clicks, output, engine)


@app.command()
def batch(
    manifest: Annotated[
        Path, typer.Argument(help='A CSV file with the columns "case", "image" and "points".')
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder for the masks.")],
    suffix: Annotated[str, typer.Option("--format", help=f"What to write: {_MASKS}.")] = ".nii.gz",
    split: Annotated[str | None, typer.Option(help="Take only the rows of this split.")] = None,
    largest: Largest = True,
    preset: Preset = _DEFAULT,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> None:
    """Segment every scan of a manifest from its points file; called again, it goes on."""
    from . import commands
    from .postprocess import Postprocessing
    from .segment import Engine

    engine = Engine(preset, checkpoint, device, postprocessing=Postprocessing(largest))
    good = commands.batch(manifest, output, suffix, split, engine)
    raise typer.Exit(0 if good else 1)


@app.command()
def evaluate(
    manifest: Annotated[Path, typer.Argument(help="A CSV file of images and label maps.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A folder for the tables; the same call goes on in it."
        ),
    ] = None,
    clicks: Annotated[
        int, typer.Option(min=1, help="How many clicks to make on each object.")
    ] = 10,
    limit: Annotated[int | None, typer.Option(help="Take at most so many objects.")] = None,
    split: Annotated[str | None, typer.Option(help="Take only the rows of this split.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="What random clicks are drawn from.")] = 0,
    strategy: Annotated[str, typer.Option(help="Where clicks go: centre or random.")] = "centre",
    against: Annotated[
        list[str] | None,
        typer.Option(help="Compare with grow-from-seeds, region-growing or fast-marching."),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Score the masks of this folder instead of clicking.")
    ] = None,
    save_masks: Annotated[
        Path | None, typer.Option(help="A folder to write the last masks to.")
    ] = None,
    preset: Preset = _DEFAULT,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
) -> None:
    """Measure Dice and surface Dice per simulated click on labelled scans."""
    from . import measure, reportfolder
    from .segment import Engine

    asked = measure.Measurement(
        manifest, output, clicks, limit, split, seed, strategy, tuple(against or ()), masks,
        save_masks,
    )  # fmt: skip
    engine = Engine(preset, checkpoint, device)
    with reportfolder.held(asked, engine):
        measure.run(asked, engine)


app.command()(goes_on(train))
app.command()(goes_on(prepare))
app.command()(goes_on(distill))
app.command("distill-ablation")(goes_on(distill_ablation))


@app.command()
def doctor(preset: Preset = _DEFAULT, device: Device = "auto") -> None:
    """Say what is installed, what is in use and what is missing; exit code 1 if it matters."""
    from . import commands

    raise typer.Exit(0 if commands.doctor(preset, device) else 1)
