"""The command `prepare`."""

from pathlib import Path
from typing import Annotated

import typer


def prepare(
    source: Annotated[Path, typer.Argument(help="The dataset's folder, as it was unpacked.")],
    output: Annotated[Path, typer.Argument(help="A new folder, or one to go on in.")],
    layout: Annotated[
        str, typer.Option(help="auto, nnunet, amos22, totalsegmentator or brats21.")
    ] = "auto",
    splits: Annotated[
        Path | None,
        typer.Option(help="CSV or JSON: which cases or patients are train, val and test."),
    ] = None,
    spacing: Annotated[float, typer.Option(metavar="MM", help="Between voxels.")] = 1.5,
    interpolation: Annotated[str, typer.Option(help="Of images: linear or bspline.")] = "linear",
    channel: Annotated[
        str | None, typer.Option(help="The one channel to take, by number or name; else all.")
    ] = None,
    groups: Annotated[
        bool,
        typer.Option(help="BraTS: the challenge's regions as objects, or each label by itself."),
    ] = True,
    workers: Annotated[int, typer.Option(min=0, help="Processes; each holds a scan.")] = 1,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only compare what is there with its hashes.")
    ] = False,
) -> None:
    """Turn a public dataset into a manifest with images and labels of 1.5 mm; resumes.

    Reads nnU-Net's raw folders, AMOS 2022, TotalSegmentator and BraTS 2021. The report.md beside
    the manifest says what was left out, and why.
    """
    from .dataset_case import Resampling
    from .dataset_command import run, run_verify
    from .dataset_prepare import Request

    if verify:
        raise typer.Exit(0 if run_verify(output) else 1)
    resampling = Resampling(spacing, interpolation)
    run(Request(source, output, layout, channel, splits, resampling, workers, groups))
