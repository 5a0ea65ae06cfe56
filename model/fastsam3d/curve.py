"""What training wrote down on its way: a CSV file, and its curves as a picture."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .errors import InputError
from .whole import write_text, write_whole, writing

PANELS_A_ROW = 3
_TITLES = {
    "loss": "Loss",
    "layer": "Loss of each layer",
    "k": "Layers in use, k",
    "truth": "Loss against the truth",
    "teacher": "Loss against the teacher",
    "iou": "IoU after the last click",
    "teacher_iou": "Teacher's IoU after the last click",
}


@dataclass(frozen=True)
class Record:
    """One step: how long training had computed, and what came of it, "loss" and others by name."""

    step: int
    seconds: float
    values: dict[str, float]
    learning_rate: float


def grouped(names: Iterable[str]) -> dict[str, list[str]]:
    """Put names that differ in their number alone, such as layer1 and layer2, under one name."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rstrip("0123456789"), []).append(name)
    return groups


def read_log(path: Path) -> list[Record]:
    """Read the records of a CSV file; none if there is no file.

    Raises:
        InputError: it is no such file.
    """
    if not path.exists():
        return []
    try:
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
        header, *lines = (line.split(",") for line in whole.split("\n"))
        return [_record(dict(zip(header, line, strict=True))) for line in lines]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} is no log of training; move it away.") from error


def open_log(path: Path, step: int) -> Callable[[Record], None]:
    """Return what adds records to a file; those after `step`, which a crash undid, are dropped.

    A value that no record had before becomes a column, which is empty where there was no such
    value.
    """
    kept = [record for record in read_log(path) if record.step <= step]
    names = value_names(kept)
    _write(path, kept, names)

    def add(record: Record) -> None:
        new = [name for name in record.values if name not in names]
        if new:
            names.extend(new)
            _write(path, read_log(path), names)
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(_line(record, names))

    return add


def value_names(records: Iterable[Record]) -> list[str]:
    """Return the names of all values, in the order in which they came."""
    return list(dict.fromkeys(name for record in records for name in record.values))


def write_curve(log: Path, picture: Path) -> None:
    """Draw what a log holds over its steps into a PNG, as `curves` does."""
    write_figure(picture, curves(read_log(log)))


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, whole or not at all."""
    write_whole(path, lambda partial: figure.savefig(partial, format="png", dpi=120))


def curves(records: Sequence[Record]) -> Figure:
    """Draw records over their steps, each group of values in a panel.

    Whole numbers, such as how many layers are in use, are drawn as steps; the others as they are
    and smoothed.
    """
    groups = grouped(value_names(records) or ["loss"])
    rows = math.ceil(len(groups) / PANELS_A_ROW)
    columns = min(len(groups), PANELS_A_ROW)
    figure = Figure(figsize=(4 * columns, 3.2 * rows), layout="constrained")
    for place, (title, names) in enumerate(groups.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        for name in names:
            _draw(axes, records, name)
        axes.set_xlabel("step")
        count_steps(axes)
        axes.set_title(_TITLES.get(title, title))
        if len(names) > 1:
            axes.legend(fontsize="small", ncols=2)
    return figure


def count_steps(axes: Axes) -> None:
    """Let the ticks of the horizontal axis be whole numbers, as steps are."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def marker_for(count: int) -> str:
    """Return what marks the points of a line: a dot for one alone, which no line would show."""
    return "o" if count == 1 else ""


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each value with its neighbours, a tenth of all and a hundred at most."""
    reach = min(50, len(values) // 20)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    low, high = np.maximum(place - reach, 0), np.minimum(place + reach + 1, len(values))
    return np.asarray((sums[high] - sums[low]) / (high - low))


def _draw(axes: Axes, records: Sequence[Record], name: str) -> None:
    there = [record for record in records if name in record.values]
    steps = np.array([record.step for record in there])
    values = np.array([record.values[name] for record in there])
    marker = marker_for(len(steps))
    if len(values) and (values == np.round(values)).all():
        axes.step(steps, values, where="post", marker=marker, label=name)
        return
    (thin,) = axes.plot(steps, values, linewidth=0.4, alpha=0.4)
    colour = thin.get_color()
    axes.plot(steps, smoothed(values), linewidth=1.5, color=colour, marker=marker, label=name)


def _write(path: Path, records: Iterable[Record], names: list[str]) -> None:
    """Write a log anew, whole or not at all."""
    header = ",".join(("step", "seconds", *names, "learning_rate")) + "\n"
    write_text(path, header + "".join(_line(one, names) for one in records))


def _line(record: Record, names: list[str]) -> str:
    values = [f"{record.values[name]:.6g}" if name in record.values else "" for name in names]
    cells = (str(record.step), f"{record.seconds:.1f}", *values, f"{record.learning_rate:.3e}")
    return ",".join(cells) + "\n"


def _record(cells: dict[str, str]) -> Record:
    step, seconds, rate = (cells.pop(name) for name in ("step", "seconds", "learning_rate"))
    values = {name: float(cell) for name, cell in cells.items() if cell}
    return Record(int(step), float(seconds), values, float(rate))
