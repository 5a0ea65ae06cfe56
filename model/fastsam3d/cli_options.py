"""Options that the commands which learn share."""

from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda or mps.")]
Precision = Annotated[
    str,
    typer.Option(help="How to compute: auto, 32-true, bf16-mixed or another of Lightning Fabric."),
]
Seed = Annotated[int, typer.Option(min=0, help="What examples, weights and clicks are drawn from.")]
Int8 = Annotated[bool, typer.Option("--int8", help="Write the weights as int8: half the file.")]
