"""What training wrote down on its way: a CSV file, and its curve as a picture."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .errors import InputError


@dataclass(frozen=True)
class Record:
    """One step: how long training had computed, its loss, and the IoU after its last click."""

    step: int
    seconds: float
    loss: float
    iou: float
    learning_rate: float


_COLUMNS = tuple(field.name for field in fields(Record))


def read_log(path: Path) -> list[Record]:
    """Read the records of a CSV file; none if there is no file.

    Raises:
        InputError: it is no such file.
    """
    if not path.exists():
        return []
    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    try:
        return [Record(int(line[0]), *map(float, line[1:])) for line in lines[1:]]
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path} is no log of training; move it away.") from error


@contextmanager
def open_log(path: Path, step: int) -> Iterator[Callable[[Record], None]]:
    """Lend a function that adds records; those after `step`, which a crash undid, are dropped."""
    kept = [record for record in read_log(path) if record.step <= step]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(_line(record) for record in kept)

        def add(record: Record) -> None:
            writer.writerow(_line(record))
            file.flush()

        yield add


def write_curve(log: Path, picture: Path) -> None:
    """Draw loss and IoU over the steps of a log, as they are and smoothed, into a PNG."""
    records = read_log(log)
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for place, name in enumerate(("loss", "iou"), 1):
        axes = figure.add_subplot(1, 2, place)
        values = np.array([getattr(record, name) for record in records])
        steps = np.array([record.step for record in records])
        axes.plot(steps, values, linewidth=0.4, alpha=0.4)
        axes.plot(steps, smoothed(values), linewidth=1.5)
        axes.set_xlabel("step")
        axes.set_title("Loss" if name == "loss" else "IoU after the last click")
    figure.savefig(picture, dpi=120)


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each value with its neighbours, a tenth of all and a hundred at most."""
    reach = min(50, len(values) // 20)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    low, high = np.maximum(place - reach, 0), np.minimum(place + reach + 1, len(values))
    return np.asarray((sums[high] - sums[low]) / (high - low))


def _line(record: Record) -> list[str]:
    step, seconds, loss, iou, rate = astuple(record)
    return [str(step), f"{seconds:.1f}", f"{loss:.4f}", f"{iou:.4f}", f"{rate:.3e}"]
