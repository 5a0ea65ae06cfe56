"""The commands `distill` and `distill-ablation`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from .cli_options import Device, Int8, Precision, Seed

_SOURCE = (
    "A manifest, a dataset's folder that `fastsam3d prepare` reads, or a folder of examples that "
    "an earlier call prepared."
)
_HELD_OUT = "Examples kept apart, by patient where there are several, to measure with; or 0."
_STEPS = (
    "How many steps each of the two stages takes, or the one by --features none; or give --epochs. "
    "By default 4000 and 16000 by --recipe ours."
)
_EPOCHS = (
    "How often each stage sees all examples; or give --steps. By default 36 by --recipe paper."
)
_LIMIT = "Learn no longer than this, then stop with exit code 75; called again, it goes on."


def distill(
    source: Annotated[
        Path,
        typer.Argument(help=_SOURCE),
    ],
    output: Annotated[
        Path, typer.Argument(help="The folder to work in; called again, it goes on.")
    ],
    teacher: Annotated[
        str, typer.Option(help="A network of `fastsam3d weights list`, or a file of weights.")
    ] = "sam-med3d",
    student: Annotated[str, typer.Option(help="The network to teach.")] = "fastsam3d-default",
    recipe: Annotated[
        str, typer.Option(help="How to teach: ours, or paper, as its text states it.")
    ] = "ours",
    steps: Annotated[int | None, typer.Option(help=_STEPS)] = None,
    epochs: Annotated[int | None, typer.Option(help=_EPOCHS)] = None,
    examples: Annotated[
        int, typer.Option(min=1, help="How many examples to prepare ahead.")
    ] = 2000,
    split: Annotated[
        str | None, typer.Option(help="Take only the rows of this split; train, if there is one.")
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            help="How the student follows the teacher's layers: progressive (one more at a time), "
            "all (at once) or none."
        ),
    ] = "progressive",
    truth_weight: Annotated[
        float, typer.Option(min=0, help="How much the true masks count.")
    ] = 1.0,
    teacher_weight: Annotated[
        float, typer.Option(min=0, help="How much the teacher's masks count.")
    ] = 1.0,
    cache: Annotated[
        bool, typer.Option("--cache", help="Keep the teacher's features on disk.")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, help="How many processes prepare.")] = 1,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many patches all devices together take a step; 16 by default."
        ),
    ] = None,
    micro: Annotated[
        int | None,
        typer.Option(min=1, help="How many of them a device takes at once; all by default."),
    ] = None,
    device: Device = "auto",
    devices: Annotated[int, typer.Option(min=1, help="How many GPUs of each machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="How many machines.")] = 1,
    precision: Precision = "auto",
    seed: Seed = 0,
    int8: Int8 = False,
    held_out: Annotated[int, typer.Option(min=0, help=_HELD_OUT)] = 24,
    limit_seconds: Annotated[float | None, typer.Option(help=_LIMIT)] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            metavar="WEIGHTS", help="Weights that the student goes on from, not its teacher's."
        ),
    ] = None,
) -> None:
    """Teach a small network what a large one knows; called again, it goes on.

    First its layers follow the teacher's, one more at a time; then its masks do, on simulated
    clicks. Published networks learn on patches of 1.5 mm. The report shows both networks' masks.
    """
    from . import distill
    from .distillation import Distillation
    from .recipes import Setting, adapted, recipe_of

    setting = Setting(
        steps, epochs, batch_size, micro, device, devices, nodes, precision, seed, features,
        truth_weight, teacher_weight,
    )  # fmt: skip
    with _in_pieces():
        distill.run(
            Distillation(
                source, output, teacher, student, adapted(recipe_of(recipe), setting), examples,
                split, workers, cache, int8, held_out, limit_seconds, start_from,
            )
        )  # fmt: skip


def distill_ablation(
    source: Annotated[Path, typer.Argument(help=_SOURCE)],
    output: Annotated[
        Path, typer.Argument(help="The folder to work in; called again, it goes on.")
    ],
    steps: Annotated[
        int, typer.Option(min=2, help="How many steps each student takes; an even number.")
    ],
    teacher: Annotated[
        str, typer.Option(help="A network of `fastsam3d weights list`, or a file of weights.")
    ] = "sam-med3d",
    student: Annotated[str, typer.Option(help="The network to teach.")] = "fastsam3d-default",
    seeds: Annotated[int, typer.Option(min=1, help="How many students of each kind to teach.")] = 3,
    recipe: Annotated[
        str, typer.Option(help="How to teach: ours, or paper, as its text states it.")
    ] = "ours",
    inherit: Annotated[
        bool,
        typer.Option(
            "--inherit", help="Students start with the teacher's prompt encoder and mask decoder."
        ),
    ] = False,
    examples: Annotated[int, typer.Option(min=1, help="How many examples to prepare ahead.")] = 400,
    held_out: Annotated[int, typer.Option(min=1, help=_HELD_OUT)] = 24,
    split: Annotated[
        str | None, typer.Option(help="Take only the rows of this split; train, if there is one.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="How many processes prepare.")] = 1,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="How many patches to take a step; 16 by default.")
    ] = None,
    micro: Annotated[
        int | None, typer.Option(min=1, help="How many of them at once; all by default.")
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    limit_seconds: Annotated[float | None, typer.Option(help=_LIMIT)] = None,
) -> None:
    """Compare layers followed one by one, all at once, and not at all; called again, it goes on.

    All students take as many steps on the same examples: the first two kinds follow the teacher's
    layers for half of them and its masks for the other half, the third its masks for all.
    """
    from . import ablation
    from .recipes import Setting

    setting = Setting(batch=batch_size, micro=micro, device=device, precision=precision)
    with _in_pieces():
        ablation.run(
            ablation.Ablation(
                source, output, teacher, student, steps, seeds, recipe, setting, inherit, examples,
                held_out, split, workers, limit_seconds,
            )
        )  # fmt: skip


@contextmanager
def _in_pieces() -> Iterator[None]:
    """Stop with an exit code of its own when time is up."""
    from .limit import COME_AGAIN, OutOfTime

    try:
        yield
    except OutOfTime:
        typer.echo("Time is up and all is saved; the same command goes on.", err=True)
        raise typer.Exit(COME_AGAIN) from None
