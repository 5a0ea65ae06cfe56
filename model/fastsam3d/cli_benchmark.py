"""The commands `benchmark efficiency`, `accuracy`, `ablation`, `speed`, `report` and `all`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_benchmark_options import (
    Clicks,
    Geometries,
    Limit,
    LimitSeconds,
    Methods,
    Name,
    Networks,
    Output,
    Processes,
    Protocol,
    Runs,
    Slices,
    Split,
    Swept,
    Systems,
    Tokens,
    Weights,
)
from .cli_options import Device
from .stopped import goes_on

if TYPE_CHECKING:
    from .benchmark.ablation import Sweep

benchmark_app = typer.Typer(
    help="Measure the paper's Tables 1 to 4 and write them beside the paper's figures; and how "
    "fast the networks are here.",
    pretty_exceptions_enable=False,
)


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
        Path,
        typer.Argument(
            help="A CSV file of images and label maps, as `prepare` writes it, or its folder."
        ),
    ],
    output: Output,
    name: Name = None,
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
            help="Let systems without weights run, to try the machinery; no report has their Dice.",
        ),
    ] = False,
    processes: Processes = 1,
    device: Device = "auto",
) -> None:
    """Table 2: Dice after each click of every method, on one dataset.

    With torchrun the work is shared over GPUs and machines; the results are the same.
    """
    from .benchmark import arguments, commands
    from .benchmark.accuracy import Asked

    dataset = arguments.dataset_of(manifest, name)
    given = arguments.weights_of(weights or ())
    methods = arguments.methods_of(method or (), given)
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
    geometry: Geometries = None,
    tokens: Tokens = None,
    sweep: Swept = True,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file of labelled scans, or its folder: on them the Dice of "
            "fastsam3d-default is measured in each form, too; the published weights need relative "
            "positions, which the forms are without."
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
    from .benchmark import arguments, commands
    from .benchmark.ablation_dice import check_rows
    from .benchmark.accuracy import Asked

    asked = _sweep(output, geometry, tokens, device, limit_seconds, runs, swept=sweep)
    scans = manifest and Asked(
        manifest, output, (arguments.DEFAULT,), limit=limit, split=split, device=device
    )
    dataset = arguments.dataset_of(scans.manifest) if scans else ""
    commands.check(protocol, [scans] if scans else [])
    if scans:
        check_rows(asked)
    commands.ablation(asked)
    if scans:
        commands.ablation_dice(asked.output, dataset, protocol, scans)
    commands.report(output)


@benchmark_app.command()
def speed(
    network: Networks = None,
    device: Device = "auto",
    runs: Runs = 20,
    seconds: Annotated[
        float, typer.Option(min=0, help="After which no further run of a part begins.")
    ] = 5.0,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain/--no-plain",
            help="Whether to measure the plain form, too: sam-med3d's takes seconds and 2 GB.",
        ),
    ] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write a file.")] = None,
) -> None:
    """How fast the networks are here, beside their plain form and the device's own limit.

    One or two minutes on a CPU; the table comes at the end.
    """
    from .benchmark.speed import NETWORKS, Pace, speeds
    from .benchmark.speed_table import show, write_json
    from .masks import check_output

    if json_file is not None:
        check_output(json_file, (".json",))
    found = show(speeds(network or NETWORKS, device, Pace(runs, seconds), plain=plain))
    if json_file is not None:
        write_json(json_file, found)


@benchmark_app.command()
def report(
    output: Annotated[
        Path,
        typer.Argument(help="The folder of the other commands; a new one gets Table 1 alone."),
    ],
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
        typer.Option(
            help="A CSV file of labelled scans for Table 2, or its folder; give it once for each "
            "dataset."
        ),
    ] = None,
    name: Name = None,
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
    system: Systems = None,
    geometry: Geometries = None,
    tokens: Tokens = None,
    sweep: Swept = True,
    device: Device = "auto",
    slices: Slices = None,
    limit_seconds: LimitSeconds = 600.0,
    runs: Runs = 20,
) -> None:
    """All tables, one after the other, and the report; called again, it goes on."""
    from .benchmark import arguments, commands
    from .benchmark.ablation_dice import check_rows
    from .benchmark.accuracy import Asked
    from .benchmark.collect import EFFICIENCY
    from .benchmark.efficiency import Efforts
    from .benchmark.systems import SYSTEMS

    efforts = Efforts(
        output / EFFICIENCY, tuple(system or SYSTEMS), device, slices, limit_seconds, runs
    )
    forms = _sweep(output, geometry, tokens, device, limit_seconds, runs, swept=sweep)
    given = arguments.weights_of(weights or ())
    methods = arguments.methods_of(method or (), given)
    datasets = arguments.datasets_of(manifest or (), name)
    plans = [
        Asked(
            path, output, methods, given, clicks=clicks, limit=limit, split=split, device=device,
            processes=processes,
        )
        for path in manifest or ()
    ]  # fmt: skip
    commands.check(protocol, plans)
    if ablation_dice and plans:
        check_rows(forms)
    whole = None
    commands.efficiency(efforts)
    commands.ablation(forms)
    for dataset, asked in zip(datasets, plans, strict=True):
        if ablation_dice:
            commands.ablation_dice(forms.output, dataset, protocol, asked)
        whole = commands.accuracy(output, dataset, protocol, asked)
    commands.report(output, due=whole)


def _sweep(
    output: Path,
    geometry: Geometries,
    tokens: Tokens,
    device: str,
    limit_seconds: float,
    runs: int,
    *,
    swept: bool,
) -> "Sweep":
    from .benchmark.ablation import SEGMENTS, Sweep
    from .benchmark.arguments import tokens_of
    from .benchmark.collect import ABLATION
    from .benchmark.forms import GEOMETRIES

    return Sweep(
        output / ABLATION,
        tuple(geometry or GEOMETRIES),
        tokens_of(tokens or ()),
        SEGMENTS if swept else (),
        device=device,
        limit_s=limit_seconds,
        runs=runs,
    )
