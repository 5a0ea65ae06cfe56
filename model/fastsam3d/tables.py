"""Results as Markdown to read, CSV to sort and JSON to compute with."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from .folders import make_folder
from .results import PUBLISHED, ObjectResult, protocol_of
from .stats import BETTER_BELOW
from .summary import Estimate, MethodSummary, Summary, Versus, about_intervals, summarise

_WHAT = ("method", "case", "patient", "folder", "modality", "label", "name", "voxels")
_DESCRIBED = (*_WHAT, "seed", "strategy")

LeftOut = Sequence[tuple[str, str]]

_PRINTED = "`report.json`, which --output writes, names each"
_WRITTEN = "`report.json` names each"


def write_report(
    folder: Path, results: Sequence[ObjectResult], left_out: LeftOut = ()
) -> tuple[Path, Path, Path]:
    """Write `report.md`, `objects.csv` and `report.json`, and return their paths.

    Raises:
        InputError: the folder cannot be made.
    """
    make_folder(folder)
    summary = summarise(results)
    texts = {
        "report.md": markdown(summary, left_out, written=True),
        "objects.csv": objects_csv(results),
        "report.json": report_json(summary, results, left_out),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return folder / "report.md", folder / "objects.csv", folder / "report.json"


def markdown(summary: Summary, left_out: LeftOut = (), *, written: bool = False) -> str:
    """Render the tables of a summary: scores, clicks needed, folders, tests, what was left out.

    Args:
        summary: of a set.
        left_out: cases, and why all or part of each is not in it.
        written: whether it goes into a file beside `report.json`, or is shown alone.
    """
    parts = [
        _intro(summary),
        "### Dice",
        _scores(summary, "dice"),
        "### Best Dice so far",
        _scores(summary, "best_dice"),
        "### Surface Dice at 2 mm",
        _scores(summary, "surface_dice"),
        "### Clicks needed, time, failures",
        _effort(summary),
        _means_of_clicks(summary),
        "### Dice by folder",
        _by_folder(summary),
    ]
    if summary.versus:
        parts += ["### Paired tests", _tests(summary.versus)]
    if left_out:
        details = _WRITTEN if written else _PRINTED
        parts += ["### Left out", f"{counted_left_out(left_out)}; {details}."]
    return "\n\n".join(parts) + "\n"


def objects_csv(results: Iterable[ObjectResult]) -> str:
    """Render one row for each object and method, one column for each click."""
    results = list(results)
    clicks = range(1, max((len(result.dice) for result in results), default=0) + 1)
    scores = [f"{score}_{n}" for score in ("dice", "surface_dice") for n in clicks]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_DESCRIBED, "failure", "clicks_made", "seconds", *scores])
    for result in results:
        values = [f"{value:.4f}" for value in (*result.dice, *result.surface_dice)]
        about = [getattr(result, name) for name in _DESCRIBED]
        made, seconds = len(result.placed), f"{sum(result.seconds):.3f}"
        table.writerow([*about, result.failure, made, seconds, *values])
    return text.getvalue()


def report_json(summary: Summary, results: Iterable[ObjectResult], left_out: LeftOut = ()) -> str:
    """Render everything: the summary, each object's result, what was left out."""
    content = {
        "protocol": protocol_of(summary.strategy),
        "summary": asdict(summary),
        "objects": [asdict(result) for result in results],
        "left_out": [{"case": case, "reason": reason} for case, reason in left_out],
    }
    return json.dumps(content, indent=1) + "\n"


def _intro(summary: Summary) -> str:
    most = max(summary.methods, key=lambda method: method.objects)
    protocol = protocol_of(summary.strategy)
    means = "objects" if protocol == PUBLISHED else "objects, then patients, then folders"
    return (
        f"Protocol `{protocol}` (clicks: {summary.strategy}, seed {summary.seed}): "
        f"{_counted(most.objects, 'object')} of {_counted(most.patients, 'patient')} in "
        f"{_counted(len(most.folders), 'folder')}. "
        f"Means are over {means}; {about_intervals(summary.methods)}."
    )


def _scores(summary: Summary, score: str) -> str:
    rows = []
    for method in summary.methods:
        estimates: tuple[Estimate, ...] = getattr(method, score)
        shown = [estimates[n - 1] for n in summary.shown]
        rows.append([method.method, *(_estimate(one, method) for one in shown)])
    return _table(["Method", *map(_clicks, summary.shown)], rows)


def _effort(summary: Summary) -> str:
    reached = [f"{reach.dice:.2f}" for reach in summary.methods[0].reach]
    head = ["Method"]
    head += [name for x in reached for name in (f"Clicks to {x}", f"Reached {x}")]
    head += ["First click, s", "Later clicks, s", "Failures"]
    return _table(head, [_effort_row(method) for method in summary.methods])


def _means_of_clicks(summary: Summary) -> str:
    made = _clicks(len(summary.methods[0].dice))
    return (
        "Clicks to a Dice are means over all objects: one that does not reach it counts with all "
        f"{made} made; a dash where none reaches it."
    )


def _effort_row(method: MethodSummary) -> list[str]:
    row = [method.method]
    for reach in method.reach:
        row += ["-" if reach.clicks is None else f"{reach.clicks:.1f}", f"{reach.share:.0%}"]
    for seconds in (method.first_seconds, method.later_seconds):
        row.append("-" if seconds is None else f"{seconds:.2f}")
    return [*row, f"{method.failures} of {method.objects}"]


def _by_folder(summary: Summary) -> str:
    rows = [
        [folder or "(top)", method.method, *(f"{dice[n - 1]:.2f}" for n in summary.shown)]
        for folder in sorted({name for method in summary.methods for name in method.folders})
        for method in summary.methods
        if (dice := method.folders.get(folder)) is not None
    ]
    return _table(["Folder", "Method", *map(_clicks, summary.shown)], rows)


def _tests(versus: Sequence[Versus]) -> str:
    rows = []
    for one in versus:
        found = one.comparison
        verdict = "yes" if found.better else "no"
        change, p = f"{found.difference:+.3f}", f"{found.p:.2g}" if found.is_telling else "-"
        names = f"{one.method} against {one.other}"
        rows.append([names, str(one.clicks), change, p, str(found.patients), verdict])
    head = ["Dice", "Clicks", "Mean difference", "p", "Patients", f"Better (p < {BETTER_BELOW})"]
    return _table(head, rows)


def counted_left_out(left_out: LeftOut) -> str:
    """Count what was left out by its reason."""
    small = Counter(why.rpartition(", ")[2] for _, why in left_out if ", below " in why)
    others = Counter(why for _, why in left_out if ", below " not in why)
    counts = [f"{_counted(count, 'object')} {below}" for below, count in small.items()]
    counts += [f"{_counted(count, 'case')} with {why}" for why, count in others.items()]
    return ", ".join(counts)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _estimate(estimate: Estimate, method: MethodSummary) -> str:
    interval = f" ({estimate.low:.2f} to {estimate.high:.2f})" if method.is_telling else ""
    return f"{estimate.mean:.2f}{interval}"


def _clicks(count: int) -> str:
    return _counted(count, "click")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    align = ["---", *["---:"] * (len(head) - 1)]
    lines = [head, align, *([_cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
