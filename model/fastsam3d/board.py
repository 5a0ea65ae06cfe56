"""A log of training for TensorBoard, where that is installed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from .console import aside
from .curve import Record


@contextmanager
def open_board(folder: Path) -> Iterator[Callable[[Record], None]]:
    """Lend what adds records to a folder that TensorBoard shows; it does nothing without it.

    The first record takes the place of those of its step and later ones, which a crash undid.
    """
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        _say_it_is_missing()
        yield lambda record: None
        return
    writers = list[SummaryWriter]()
    with ExitStack() as stack:

        def add(record: Record) -> None:
            if not writers:
                writers.append(SummaryWriter(folder, purge_step=record.step))
                stack.callback(writers[0].close)
            values = record.values | {"learning_rate": record.learning_rate}
            for name, value in values.items():
                writers[0].add_scalar(name, value, record.step)

        yield add


@cache
def _say_it_is_missing() -> None:
    aside.print("No log for TensorBoard, which is not installed: pip install tensorboard")
