"""What the other commands do and say."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from .console import aside, progress, said
from .demo import Game, play, points_of
from .errors import InputError
from .extras import how_to_get
from .masks import check_output
from .segment import Engine

if TYPE_CHECKING:
    from .phantom import Phantom

EVEN_HU = 50
"""Standard deviation up to which an organ counts as evenly grey: noise, and a soft border."""


def demo(organ: str, clicks: int, output: Path, engine: Engine) -> None:
    """Segment an organ of the phantom and show the Dice after each click.

    Raises:
        InputError: an unknown organ, weights that are missing, or a picture that cannot be written.
    """
    from .classical import GrowFromSeeds
    from .methods import SessionMethod
    from .phantom import make_phantom
    from .preview import write_preview

    check_output(output, (".png",))
    phantom = make_phantom()
    phantom.organ(organ)
    aside.print(f"Segmenting the {organ} of the built-in phantom.")
    with progress(clicks) as advance:
        game = engine.run(
            lambda open_session: play(
                SessionMethod("FastSAM3D", open_session), phantom, organ, clicks,
                lambda step: advance(f"Dice {step.dice:.3f}"),
            )
        )  # fmt: skip
    other = None
    with suppress(InputError):
        other = play(GrowFromSeeds(), phantom, organ, clicks)
    said.print(_games_table(game, other))
    if other is None:
        aside.print(f"To compare with Slicer's tool: {how_to_get('compare')}", soft_wrap=True)
    elif other.steps[-1].dice > game.steps[-1].dice:
        said.print(_why_other(phantom, organ), soft_wrap=True)
    for note in engine.notes:
        aside.print(note)
    last = game.steps[-1]
    made = f"{len(game.steps)} click{'s' if len(game.steps) > 1 else ''}"
    write_preview(
        output, phantom.array_kji, game.mask, phantom.ijk_to_ras, points=points_of(game, phantom),
        title=f"Built-in phantom, {made}, Dice {last.dice:.2f}",
        captions=[f"{organ} {game.mask.sum() * phantom.voxel_ml:.0f} mL"],
    )  # fmt: skip
    said.print(f"Dice {last.dice:.3f} after {made}. Picture: {output}", soft_wrap=True)


def _why_other(phantom: "Phantom", organ: str) -> str:
    """Say that the other tool did better, and why if the organ shows it."""
    evenly = phantom.array_kji[phantom.organ(organ)].std() <= EVEN_HU
    why = (
        f": it follows grey values, and the phantom's {organ} is evenly grey, which suits it"
        if evenly
        else "; the phantom is simpler than a scan of a patient"
    )
    return (
        f"Grow from seeds did better here{why}. To compare on your own scans: "
        "fastsam3d evaluate --against grow-from-seeds"
    )


def _games_table(game: Game, other: Game | None) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("click", "", "Dice", "time", "Grow from seeds"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for number, step in enumerate(game.steps):
        theirs = [] if other is None else [f"{one.dice:.3f}" for one in other.steps]
        table.add_row(
            str(number + 1), "on it" if step.click.positive else "beside it", f"{step.dice:.3f}",
            f"{step.seconds * 1000:.0f} ms", "".join(theirs[number : number + 1]),
        )  # fmt: skip
    return table


def batch(manifest: Path, folder: Path, suffix: str, split: str | None, engine: Engine) -> bool:
    """Segment a manifest's images; tell whether all went well.

    Raises:
        InputError: an unusable manifest or folder, or weights that are missing.
    """
    from .batch import RESULTS, read_jobs, run_jobs

    jobs = read_jobs(manifest, folder, suffix=suffix, split=split)
    with progress(len(jobs)) as advance:
        done = run_jobs(jobs, engine, on_done=lambda result: advance(result.case))
    failed = [result for result in done if result.error]
    for result in failed:
        aside.print(f"{result.case}: {result.error}", soft_wrap=True)
    kept = sum(result.resumed for result in done)
    said.print(
        f"{len(done) - len(failed)} of {len(done)} segmented ({kept} by an earlier run): "
        f"{folder / RESULTS}", soft_wrap=True,
    )  # fmt: skip
    return not failed


def doctor(preset: str, device: str) -> bool:
    """Show what is installed and how to mend what is not; tell whether all that is needed is."""
    from .doctor import examine

    checks = examine(preset, device)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for _ in ("sign", "name", "found"):
        table.add_column(overflow="fold")
    for check in checks:
        sign = "ok" if check.good else "MISSING" if check.needed else "-"
        table.add_row(sign, check.name, check.found)
    said.print(table)
    for check in checks:
        if not check.good:
            said.print(f"{check.name}: {check.mend}", soft_wrap=True)
    return all(check.good for check in checks if check.needed)


def list_weights() -> None:
    """Show the weights there are."""
    from . import store

    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("name", "status", "MB", "licence", "source"):
        table.add_column(heading, overflow="fold")
    for row in store.rows():
        size = "" if row.size_mb is None else f"{row.size_mb:.0f}"
        table.add_row(row.name, row.status, size, row.licence, row.source)
    said.print(table)
    said.print(f"Kept in {store.folder()}", soft_wrap=True)
