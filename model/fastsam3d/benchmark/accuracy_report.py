"""The report of one dataset by one protocol: figures of trained methods alone."""

from collections.abc import Sequence
from pathlib import Path

from ..results import ObjectResult
from ..tables import LeftOut, write_report
from ..whole import write_text
from .entrants import is_untrained, key_of

_FILES = ("report.md", "objects.csv", "report.json")


def write_trained(folder: Path, results: Sequence[ObjectResult], left_out: LeftOut) -> None:
    """Write the report of `tables` on trained methods, and say which others ran.

    Args:
        folder: where it goes; an older report gives way.
        results: of all methods.
        left_out: cases, and why all or part of each is not among them.

    Raises:
        InputError: a file cannot be written.
    """
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    text = ""
    if trained := [result for result in results if not is_untrained(result.method)]:
        path, *_ = write_report(folder, trained, left_out)
        text = path.read_text(encoding="utf-8") + "\n"
    names = dict.fromkeys(key_of(one.method) for one in results if is_untrained(one.method))
    if names:
        text += (
            f"### Without figures\n\n{', '.join(names)}: ran with random weights, and an untrained "
            "network has no Dice.\n"
        )
        write_text(folder / _FILES[0], text)
