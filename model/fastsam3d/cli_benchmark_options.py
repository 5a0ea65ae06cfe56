"""Options that the commands of the benchmark share."""

from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[Path, typer.Argument(help="The folder to work in; called again, it goes on.")]
Systems = Annotated[
    list[str] | None,
    typer.Option(
        "--system",
        help="sam, mobilesam, tinysam, medsam, sam-med2d, sam-med3d, fastsam3d or "
        "fastsam3d-default; give it once for each. All by default.",
    ),
]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--network",
        help="fastsam3d, sam-med3d or fastsam3d-default; give it once for each. All by default.",
    ),
]
Geometries = Annotated[
    list[str] | None,
    typer.Option("--geometry", help="Of Table 4: published or fastsam3d-default; both by default."),
]
Tokens = Annotated[
    list[int] | None,
    typer.Option(
        help="Of Table 4, tokens a side, a multiple of 8: 8 are a patch of 128³ voxels, 16 one of "
        "256³; both by default.",
    ),
]
Swept = Annotated[
    bool,
    typer.Option(
        "--sweep/--no-sweep",
        help="Whether to sweep segment length w and dilation r for Table 4, too.",
    ),
]
Slices = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=128,
        help="How many slices to time 2D systems on, by default all 128 on a GPU and 4 on a CPU; "
        "times are scaled to 128, and it is said so.",
    ),
]
LimitSeconds = Annotated[
    float, typer.Option(help="Give a measurement up after so many seconds, and say so.")
]
Runs = Annotated[int, typer.Option(min=1, help="How often to time each, at most.")]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help="A system, as of `efficiency`, or fastsam3d-teacher; medsam-boxes, which gets boxes "
        "round the true masks, by published alone; or a tool of Slicer: grow-from-seeds, "
        "region-growing or fast-marching; give it once for each. fastsam3d-default by default.",
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SYSTEM=FILE",
        help="A system's official file, such as sam=sam_vit_b_01ec64.pth; the system is measured.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        help="What tables call the dataset, by default its folder; the paper's figures stand "
        "beside amos, totalsegmentator and brats."
    ),
]
Protocol = Annotated[
    str,
    typer.Option(
        help="sound: what a user gets; published: to compare with the paper; or both.",
    ),
]
Clicks = Annotated[int, typer.Option(min=1, help="How many clicks to make on each object.")]
Limit = Annotated[int | None, typer.Option(help="Take at most so many objects.")]
Split = Annotated[str | None, typer.Option(help="Take only the rows of this split.")]
Processes = Annotated[
    int,
    typer.Option(
        min=1,
        help="How many processes share the work: one a core of a CPU; GPUs are dealt in turn.",
    ),
]
