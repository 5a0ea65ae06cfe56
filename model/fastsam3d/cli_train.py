"""The command `train`."""

from pathlib import Path
from typing import Annotated

import typer

from .cli_options import Device, Int8, Precision, Seed


def train(
    manifest: Annotated[Path, typer.Argument(help="A CSV file of images and label maps.")],
    output: Annotated[
        Path,
        typer.Option(
            "--out", "--output", "-o", help="The folder to work in; called again, it goes on."
        ),
    ],
    examples: Annotated[
        int, typer.Option(min=1, help="How many examples to prepare ahead.")
    ] = 2000,
    steps: Annotated[
        int | None, typer.Option(help="How many steps to train; or give --seconds.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="How long to train; or give --steps.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Take only the rows of this split; train, if there is one.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="How many processes prepare examples.")] = 1,
    batch_size: Annotated[
        int, typer.Option(min=1, help="How many patches each device takes a step.")
    ] = 1,
    patch_size: Annotated[
        int,
        typer.Option(
            help="128, or 64: half the resolution, several times as fast, to start from at 128."
        ),
    ] = 128,
    device: Device = "auto",
    devices: Annotated[int, typer.Option(min=1, help="How many GPUs.")] = 1,
    precision: Precision = "auto",
    seed: Seed = 0,
    int8: Int8 = False,
    preset: Annotated[
        str, typer.Option(help="The network: fastsam3d-default or fastsam3d-teacher.")
    ] = "fastsam3d-default",
    start_from: Annotated[
        Path | None,
        typer.Option(
            metavar="WEIGHTS", help="Go on from these, or grow the teacher from the default's."
        ),
    ] = None,
) -> None:
    """Train the project's own network on labelled scans; called again, it goes on."""
    from . import learn
    from .train import TrainConfig

    config = TrainConfig(
        seconds,
        steps,
        batch_size,
        patch_size=patch_size,
        device=device,
        devices=devices,
        precision=precision,
        seed=seed,
    )
    learn.run(
        learn.Course(
            manifest, output, examples, config, split, workers, int8, preset, start_from
        )
    )  # fmt: skip
