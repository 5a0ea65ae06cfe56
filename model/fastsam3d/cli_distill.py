"""The command `distill`."""

from pathlib import Path
from typing import Annotated

import typer


def distill(
    source: Annotated[
        Path,
        typer.Argument(help="A manifest, or a dataset's folder that `fastsam3d prepare` reads."),
    ],
    output: Annotated[Path, typer.Argument(help="The folder to work in; resumes in it.")],
    teacher: Annotated[
        str, typer.Option(help="A network of `fastsam3d weights list`, or a file of weights.")
    ] = "sam-med3d",
    student: Annotated[str, typer.Option(help="The network to teach.")] = "fastsam3d-default",
    recipe: Annotated[str, typer.Option(help="ours, or paper: as its text states it.")] = "ours",
    steps: Annotated[int | None, typer.Option(help="Of each stage; or --epochs.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Of each stage; or --steps.")] = None,
    examples: Annotated[int, typer.Option(min=1, help="How many to prepare ahead.")] = 2000,
    split: Annotated[
        str | None, typer.Option(help="Only rows of this split; of a dataset, train.")
    ] = None,
    features: Annotated[
        str, typer.Option(help="Follow layers: progressive, all at once, or none.")
    ] = "progressive",
    truth_weight: Annotated[float, typer.Option(min=0, help="Of the true masks.")] = 1.0,
    teacher_weight: Annotated[float, typer.Option(min=0, help="Of the teacher's masks.")] = 1.0,
    cache: Annotated[
        bool, typer.Option("--cache", help="Keep the teacher's features on disk.")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare.")] = 1,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Patches a step, of all devices together.")
    ] = None,
    micro: Annotated[
        int | None, typer.Option(min=1, help="Patches a device takes at once, if fewer.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="How many GPUs of each machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="How many machines.")] = 1,
    precision: Annotated[
        str, typer.Option(help="auto, 32-true, bf16-mixed or another of Lightning Fabric.")
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of examples, weights and clicks.")] = 0,
    int8: Annotated[bool, typer.Option("--int8", help="Halve the weights' file again.")] = False,
) -> None:
    """Teach a small network what a large one knows; called again, it goes on.

    First its layers follow the teacher's, one more at a time; then its masks do, on simulated
    clicks. Published networks learn on patches of 1.5 mm.
    """
    from . import distill
    from .recipes import Setting, adapted, recipe_of

    setting = Setting(
        steps, epochs, batch_size, micro, device, devices, nodes, precision, seed, features,
        truth_weight, teacher_weight,
    )  # fmt: skip
    distill.run(
        distill.Distillation(
            source, output, teacher, student, adapted(recipe_of(recipe), setting), examples, split,
            workers, cache, int8,
        )
    )  # fmt: skip
