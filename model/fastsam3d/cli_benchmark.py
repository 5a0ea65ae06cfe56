"""The commands `benchmark efficiency`, `accuracy`, `ablation`, `report` and `all`."""

from pathlib import Path
from typing import Annotated

import typer

from .cli_options import Device
from .stopped import goes_on

benchmark_app = typer.Typer(
    help="Measure the paper's Tables 1 to 4 and write them beside the paper's figures.",
    pretty_exceptions_enable=False,
)

Output = Annotated[Path, typer.Argument(help="The folder to work in; called again, it goes on.")]
Systems = Annotated[
    list[str] | None,
    typer.Option(
        "--system",
        help="sam, mobilesam, tinysam, medsam, sam-med2d, sam-med3d, fastsam3d or "
        "fastsam3d-default; give it once for each. All by default.",
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


@benchmark_app.command()
@goes_on
def efficiency(
    output: Output,
    system: Systems = None,
    device: Device = "auto",
    slices: Slices = None,
    limit_seconds: LimitSeconds = 600.0,
    runs: Runs = 20,
) -> None:
    """Table 3: time, FLOPs and memory of each system, each in a process of its own."""
    from .benchmark import commands
    from .benchmark.collect import EFFICIENCY
    from .benchmark.efficiency import Efforts
    from .benchmark.systems import SYSTEMS

    asked = Efforts(
        output / EFFICIENCY, tuple(system or SYSTEMS), device, slices, limit_seconds, runs
    )
    commands.efficiency(asked)
    commands.report(output)


@benchmark_app.command()
@goes_on
def accuracy(
    manifest: Annotated[
        Path, typer.Argument(help="A CSV file of images and label maps, as `prepare` writes it.")
    ],
    output: Output,
    name: Annotated[
        str | None,
        typer.Option(
            help="What tables call the dataset, by default its folder; the paper's figures stand "
            "beside amos, totalsegmentator and brats."
        ),
    ] = None,
    protocol: Protocol = "both",
    method: Methods = None,
    weights: Weights = None,
    clicks: Clicks = 10,
    limit: Limit = None,
    split: Split = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="What clicks are drawn from: 0, or 2023 by published."),
    ] = None,
    strategy: Annotated[
        str, typer.Option(help="Where clicks go by sound: centre or random.")
    ] = "centre",
    unpaired: Annotated[
        bool,
        typer.Option("--unpaired", help="By published, draw each method's clicks anew."),
    ] = False,
    untrained: Annotated[
        bool,
        typer.Option(
            "--untrained",
            help="Let systems without weights run, to try the machinery; they get no Dice.",
        ),
    ] = False,
    processes: Processes = 1,
    device: Device = "auto",
) -> None:
    """Table 2: Dice after each click of every method, on one dataset.

    With torchrun the work is shared over GPUs and machines; the results are the same.
    """
    from .benchmark import commands
    from .benchmark.accuracy import Asked

    dataset = commands.dataset_of(manifest, name)
    given = commands.weights_of(weights or ())
    methods = commands.methods_of(method or (), given)
    asked = Asked(
        manifest, output, methods, given, clicks=clicks, limit=limit, split=split, seed=seed,
        strategy=strategy, paired=not unpaired, untrained=untrained, device=device,
        processes=processes,
    )  # fmt: skip
    whole = commands.accuracy(output, dataset, protocol, asked)
    commands.report(output, due=whole)


@benchmark_app.command()
@goes_on
def ablation(
    output: Output,
    geometry: Annotated[
        list[str] | None,
        typer.Option(help="published or fastsam3d-default; both by default."),
    ] = None,
    tokens: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Tokens a side: 8 are a patch of 128³ voxels, 16 one of 256³; both by default.",
        ),
    ] = None,
    sweep: Annotated[
        bool, typer.Option(help="Whether to sweep segment length w and dilation r, too.")
    ] = True,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="Labelled scans, on which the Dice of fastsam3d-default is measured in each form, "
            "too; the published weights need relative positions, which the forms are without."
        ),
    ] = None,
    protocol: Protocol = "sound",
    limit: Limit = None,
    split: Split = None,
    device: Device = "auto",
    limit_seconds: LimitSeconds = 120.0,
    runs: Runs = 20,
) -> None:
    """Table 4: what sparse and flash attention are worth in the encoder."""
    from .benchmark import commands
    from .benchmark.ablation import SEGMENTS, Sweep
    from .benchmark.ablation_dice import check_rows
    from .benchmark.accuracy import Asked
    from .benchmark.collect import ABLATION
    from .benchmark.forms import GEOMETRIES

    scans = manifest and Asked(
        manifest, output, (commands.DEFAULT,), limit=limit, split=split, device=device
    )
    dataset = commands.dataset_of(scans.manifest) if scans else ""
    commands.check(protocol, [scans] if scans else [])
    asked = Sweep(
        output / ABLATION,
        tuple(geometry or GEOMETRIES),
        tuple(tokens or (8, 16)),
        SEGMENTS if sweep else (),
        device=device,
        limit_s=limit_seconds,
        runs=runs,
    )
    if scans:
        check_rows(asked)
    commands.ablation(asked)
    if scans:
        commands.ablation_dice(asked.output, dataset, protocol, scans)
    commands.report(output)


@benchmark_app.command()
def report(
    output: Annotated[Path, typer.Argument(help="The folder of the other commands.")],
) -> None:
    """Write report.html, report.md, tables.tex, CSV, JSON and pictures of all that was measured."""
    from .benchmark import commands

    commands.report(output)


@benchmark_app.command(name="all")
@goes_on
def everything(
    output: Output,
    manifest: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled scans for Table 2; give it once for each dataset."),
    ] = None,
    ablation_dice: Annotated[
        bool,
        typer.Option(
            "--ablation-dice",
            help="Measure Table 4's Dice on them, too: four forms, not shared over processes.",
        ),
    ] = False,
    protocol: Protocol = "both",
    method: Methods = None,
    weights: Weights = None,
    clicks: Clicks = 10,
    limit: Limit = None,
    split: Split = None,
    processes: Processes = 1,
    device: Device = "auto",
    slices: Slices = None,
    limit_seconds: LimitSeconds = 600.0,
    runs: Runs = 20,
) -> None:
    """All tables, one after the other, and the report; called again, it goes on."""
    from .benchmark import commands
    from .benchmark.ablation import Sweep
    from .benchmark.accuracy import Asked
    from .benchmark.collect import ABLATION, EFFICIENCY
    from .benchmark.efficiency import Efforts
    from .benchmark.systems import SYSTEMS

    forms = output / ABLATION
    efforts = Efforts(output / EFFICIENCY, tuple(SYSTEMS), device, slices, limit_seconds, runs)
    given = commands.weights_of(weights or ())
    methods = commands.methods_of(method or (), given)
    datasets = commands.datasets_of(manifest or ())
    plans = [
        Asked(
            path, output, methods, given, clicks=clicks, limit=limit, split=split, device=device,
            processes=processes,
        )
        for path in manifest or ()
    ]  # fmt: skip
    commands.check(protocol, plans)
    whole = None
    commands.efficiency(efforts)
    commands.ablation(Sweep(forms, device=device, limit_s=limit_seconds, runs=runs))
    for dataset, asked in zip(datasets, plans, strict=True):
        if ablation_dice:
            commands.ablation_dice(forms, dataset, protocol, asked)
        whole = commands.accuracy(output, dataset, protocol, asked)
    commands.report(output, due=whole)
