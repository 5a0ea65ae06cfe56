"""The `evaluate` command: what is compared, where the tables go."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import cast

from .classical import TOOLS
from .clicks import Strategy
from .console import progress, said
from .errors import InputError
from .evaluate import Progress, evaluate, score_masks
from .folders import make_folder
from .methods import SessionMethod
from .plan import plan
from .results import ObjectResult
from .segment import Engine
from .store import path_of
from .summary import summarise
from .tables import markdown, write_report


@dataclass(frozen=True)
class Measurement:
    """What `evaluate` is asked for; see its options."""

    manifest: Path
    output: Path | None = None
    clicks: int = 10
    limit: int | None = None
    split: str | None = None
    seed: int = 0
    strategy: str = "centre"
    against: tuple[str, ...] = ()
    masks: Path | None = None
    save_masks: Path | None = None

    def __post_init__(self) -> None:
        if self.strategy not in ("centre", "random"):
            raise InputError(f"Got strategy {self.strategy!r}; expected centre or random.")
        unknown = [name for name in self.against if name not in TOOLS]
        if unknown:
            raise InputError(f"Got --against {unknown[0]}; expected one of {', '.join(TOOLS)}.")


def run(asked: Measurement, engine: Engine) -> None:
    """Evaluate, write the tables, and print the Markdown.

    Raises:
        InputError: an unusable manifest, image or folder, or weights that are missing.
    """
    chosen = plan(asked.manifest, limit=asked.limit, split=asked.split)
    tools = 0 if asked.masks is not None else len(asked.against)
    with progress(len(chosen.tasks) * (1 + tools)) as advance:
        results = _results(asked, engine, lambda _done, _all, newest: advance(newest.case))
    said.print(markdown(summarise(results), chosen.left_out), soft_wrap=True)
    if asked.output is not None:
        for path in write_report(asked.output, results, chosen.left_out):
            said.print(str(path), soft_wrap=True)


def _results(asked: Measurement, engine: Engine, on_progress: Progress) -> list[ObjectResult]:
    if asked.masks is not None:
        return score_masks(
            asked.manifest,
            asked.masks,
            limit=asked.limit,
            split=asked.split,
            on_progress=on_progress,
        )
    engine.load()
    for folder in filter(None, (asked.output, asked.save_masks)):
        make_folder(folder)
    path = engine.checkpoint or path_of(engine.preset)
    name = f"{path.stem} {sha256(path.read_bytes()).hexdigest()[:8]}"
    tools = [TOOLS[tool]() for tool in asked.against]
    return engine.run(
        lambda open_session: evaluate(
            asked.manifest,
            [SessionMethod(name, open_session), *tools],
            clicks=asked.clicks,
            limit=asked.limit,
            seed=asked.seed,
            strategy=cast("Strategy", asked.strategy),
            split=asked.split,
            records=None if asked.output is None else asked.output / "records.jsonl",
            save_masks=asked.save_masks,
            on_progress=on_progress,
        )
    )
