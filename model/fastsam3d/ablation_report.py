"""The table of an ablation: Markdown, HTML, CSV and JSON, and a picture of its curves."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .cost import machine
from .curve import count_steps, marker_for, read_log, smoothed, write_figure
from .document import Block, Heading, Picture, Table, Text, called, write_both
from .gather import Gathered
from .heldout import units_of
from .stats import BETTER_BELOW, Comparison, Patients, paired_wilcoxon
from .trial import CLICKS, SHOWN
from .whole import write_text

NAME = "ablation"
ARMS = {
    "progressive": "progressive",
    "all": "all layers at once",
    "none": "logits alone",
}
"""What `Setting.features` says of each kind of student, and what it is called."""

_SETTING = ("source", "split", "teacher", "student", "inherit", "recipe", "learning_rate")

_COLOURS = {"progressive": "#e8590c", "all": "#1c6fd1", "none": "#2f9e44"}
_DASHES = {"progressive": "-", "all": "--", "none": ":"}
"""The later lie above the earlier ones, which show through their gaps where they are alike."""


@dataclass(frozen=True)
class Done:
    """One student, taught and measured.

    arm: of `ARMS`.
    dice: (examples, clicks) on the examples kept apart.
    feature_loss: eq. 1 with all layers on them at the end; None where it is not known.
    seconds: of learning.
    """

    arm: str
    seed: int
    dice: tuple[tuple[float, ...], ...]
    feature_loss: float | None
    seconds: float


class _Test(NamedTuple):
    """Two kinds compared after so many clicks; None: the mean of all that are shown."""

    first: str
    second: str
    clicks: int | None
    found: Comparison


def write_report(
    folder: Path, done: Sequence[Done], about: Mapping[str, object], examples: Gathered
) -> Path:
    """Write ablation.md, .html, .csv, .json and .png of the students so far; return the first."""
    about = {**about, "source": called(str(about["source"]))}
    picture = folder / f"{NAME}.png"
    draw(picture, done, folder / "runs")
    units = units_of(examples.held_out)
    tests = list(_tests(done, units.patients))
    texts = {f"{NAME}.csv": as_csv(done), f"{NAME}.json": _as_json(done, about, tests)}
    for name, text in texts.items():
        write_text(folder / name, text)
    sentences = [_sentence(test, units.called) for test in tests if test.clicks is None]
    return write_both(folder, NAME, _blocks(done, about, examples, picture, tests, sentences))[0]


def as_csv(done: Sequence[Done]) -> str:
    """Render one row a student."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    clicks = [f"dice_{n}" for n in range(1, CLICKS + 1)]
    table.writerow(["arm", "seed", *clicks, "feature_loss", "seconds"])
    for one in done:
        means = [f"{value:.4f}" for value in np.mean(one.dice, axis=0)]
        loss = "" if one.feature_loss is None else f"{one.feature_loss:.4f}"
        table.writerow([one.arm, one.seed, *means, loss, f"{one.seconds:.1f}"])
    return text.getvalue()


def _as_json(done: Sequence[Done], about: Mapping[str, object], tests: Sequence[_Test]) -> str:
    """Render everything, each example's Dice too."""
    content = {
        "about": dict(about),
        "students": [asdict(one) for one in done],
        "tests": [test._asdict() | {"found": asdict(test.found)} for test in tests],
    }
    return json.dumps(content, indent=1) + "\n"


def _blocks(
    done: Sequence[Done],
    about: Mapping[str, object],
    examples: Gathered,
    picture: Path,
    tests: Sequence[_Test],
    sentences: Sequence[str],
) -> list[Block]:
    seeds = {arm: len(own) for arm, own in _by_arm(done).items()}
    blocks: list[Block] = [
        Heading("What following layers one by one is worth", 1),
        Text(
            f"Each student takes {about['steps']} steps of {about['batch']} patches, from the same "
            f"{len(examples.learnt)} examples. Those that follow layers do so for the first half "
            "of the steps, one more at a time or all at once, and then the teacher's masks; the "
            "others follow its masks, which are logits, for all steps. "
            f"Means ± standard deviations over seeds ({_counts(seeds)}) of the mean Dice on "
            f"{len(examples.held_out)} examples, {examples.how}."
        ),
        _scores(done),
    ]
    if tests:
        blocks += [Heading("Paired tests"), _differences(tests)]
        blocks += [Text(sentence) for sentence in sentences]
    return [
        *blocks,
        Picture(picture, "Dice by clicks, and IoU while learning"),
        Heading("Setting"),
        Table(["", ""], [[name, str(about[name])] for name in _SETTING]),
        Text(machine()),
    ]


def _counts(seeds: Mapping[str, int]) -> str:
    if len(set(seeds.values())) == 1:
        return f"{next(iter(seeds.values()))} each"
    return "unfinished: " + ", ".join(f"{ARMS[arm]} {count}" for arm, count in seeds.items())


def _by_arm(done: Sequence[Done]) -> dict[str, list[Done]]:
    groups = {arm: [one for one in done if one.arm == arm] for arm in ARMS}
    return {arm: own for arm, own in groups.items() if own}


def _dice(own: Sequence[Done]) -> NDArray[np.float64]:
    """Return (seeds, examples, clicks)."""
    return np.array([one.dice for one in own])


def _scores(done: Sequence[Done]) -> Table:
    rows = []
    for arm, own in _by_arm(done).items():
        means = _dice(own).mean(1)
        losses = [one.feature_loss for one in own if one.feature_loss is not None]
        rows.append(
            [
                ARMS[arm],
                *(_spread(means[:, n - 1], 3) for n in SHOWN),
                _spread(losses, 2) if losses else "-",
                _spread([one.seconds for one in own], 0),
            ]
        )
    clicks = [f"Dice, {n} click{'s' if n > 1 else ''}" for n in SHOWN]
    return Table(["Student", *clicks, "Feature loss at the end", "Seconds"], rows)


def _spread(values: Sequence[float] | NDArray[np.float64], digits: int) -> str:
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def _tests(done: Sequence[Done], patients: Patients) -> Iterator[_Test]:
    """Compare each two kinds over patients, at each number of clicks and, None, over all shown."""
    dice = {arm: _dice(own).mean(0) for arm, own in _by_arm(done).items()}
    shown = [n - 1 for n in SHOWN]
    for first, second in combinations(dice, 2):
        for clicks in (*SHOWN, None):
            chosen = shown if clicks is None else [clicks - 1]
            ours, theirs = (dice[arm][:, chosen].mean(1) for arm in (first, second))
            yield _Test(first, second, clicks, paired_wilcoxon(ours, theirs, patients))


def _differences(tests: Sequence[_Test]) -> Table:
    pairs = dict.fromkeys((test.first, test.second) for test in tests)
    rows = []
    for pair in pairs:
        found = [test.found for test in tests if (test.first, test.second) == pair]
        cells = [_difference(each) for each in found]
        rows.append([f"{ARMS[pair[0]]} against {ARMS[pair[1]]}", *cells])
    clicks = [f"{n} click{'s' if n > 1 else ''}" for n in SHOWN]
    return Table(["Dice", *clicks, "their mean"], rows)


def _difference(found: Comparison) -> str:
    p = f" (p {found.p:.2g})" if found.is_telling else ""
    return f"{found.difference:+.3f}{p}"


def _sentence(test: _Test, called: str) -> str:
    first, second, found = ARMS[test.first], ARMS[test.second], test.found
    if not found.is_telling:
        return (
            f"Mean difference between {first} and {second}: {found.difference:+.3f}; "
            f"{found.too_few(called)}."
        )
    better, worse = (first, second) if found.difference > 0 else (second, first)
    over = f"Wilcoxon over {found.patients} {called}, each the mean over seeds"
    if found.p >= BETTER_BELOW:
        return (
            f"No difference is shown between {first} and {second}: "
            f"{found.difference:+.3f}, p = {found.p:.2g} ({over})."
        )
    return (
        f"Better: {better}, by {abs(found.difference):.3f} over {worse}, "
        f"p = {found.p:.2g} ({over})."
    )


def draw(path: Path, done: Sequence[Done], runs: Path) -> None:
    """Draw Dice by clicks with its spread over seeds, and IoU over all steps while learning."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for arm, own in _by_arm(done).items():
        means = _dice(own).mean(1)
        clicks, mean = np.arange(1, means.shape[1] + 1), means.mean(0)
        look = {"color": _COLOURS[arm], "linestyle": _DASHES[arm]}
        left.plot(clicks, mean, marker="o", markersize=3, label=ARMS[arm], **look)
        if len(own) > 1:
            spread = means.std(0, ddof=1)
            left.fill_between(
                clicks, mean - spread, mean + spread, color=_COLOURS[arm], alpha=0.15, linewidth=0
            )
        for one in own:
            _draw_learning(right, runs / f"{arm}-{one.seed}", look)
    left.set(xlabel="clicks", ylabel="Dice", title="Examples kept apart, mean ± sd over seeds")
    left.set_xticks(range(1, CLICKS + 1))
    left.legend(fontsize="small")
    right.set(xlabel="step of both stages", ylabel="IoU", title="While learning masks, each seed")
    count_steps(right)
    write_figure(path, figure)


def _draw_learning(axes: Axes, folder: Path, look: Mapping[str, Any]) -> None:
    feature, logits = (read_log(folder / f"{stage}.csv") for stage in ("feature", "logits"))
    if logits:
        steps = np.array([len(feature) + record.step for record in logits])
        iou = smoothed(np.array([record.values["iou"] for record in logits]))
        axes.plot(steps, iou, linewidth=1, marker=marker_for(len(steps)), **look)
