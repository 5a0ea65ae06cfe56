"""Options that the commands which learn share."""

from typing import Annotated

import typer

from .errors import InputError

LARGEST_SEED = 2**32 - 1


def _seed(value: int) -> int:
    if not 0 <= value <= LARGEST_SEED:
        raise InputError(f"Got the seed {value}; give a whole number from 0 to {LARGEST_SEED}.")
    return value


Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda or mps.")]
Precision = Annotated[
    str,
    typer.Option(help="How to compute: auto, 32-true, bf16-mixed or another of Lightning Fabric."),
]
Seed = Annotated[
    int,
    typer.Option(callback=_seed, help="What examples, weights and clicks are drawn from."),
]
Int8 = Annotated[bool, typer.Option("--int8", help="Write the weights as int8: half the file.")]
