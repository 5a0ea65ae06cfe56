"""What evaluating one object gave, and the file that keeps such results as they come."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import InputError
from .lines import add_line, drop_cut_line, whole_lines

Key = tuple[str, str, int | str, int, int, str]

PUBLISHED = "published"
"""How the strategies of the protocol of that name begin; all others are of `sound`."""


@dataclass(frozen=True)
class ObjectResult:
    """One method on one object of one image.

    `dice` and `surface_dice` hold one value a click. A mask that became perfect, and the mask
    before a failed click, keep their scores for the clicks that were not made; without any mask
    the score is 0. `seconds` and `placed` (k, j, i, 1 for include) hold the clicks made.
    `failure` says what the method raised, and is empty if it raised nothing.
    """

    method: str
    case: str
    patient: str
    folder: str
    modality: str
    label: int | str
    name: str
    voxels: int
    seed: int
    strategy: str
    dice: tuple[float, ...]
    surface_dice: tuple[float, ...]
    seconds: tuple[float, ...]
    placed: tuple[tuple[int, int, int, int], ...]
    failure: str = ""

    @property
    def key(self) -> Key:
        """Name what was evaluated, and how."""
        return self.method, self.case, self.label, len(self.dice), self.seed, self.strategy

    def clicks_to(self, dice: float) -> int | None:
        """Count the clicks until this Dice was first reached; None if it was not."""
        return next((n for n, value in enumerate(self.dice, 1) if value >= dice), None)


class Records:
    """A file of results, one JSON object a line, each safe on disk once it is added.

    A line that was cut short by a crash is dropped. Results of another number of clicks, seed or
    strategy are kept apart; a method whose weights changed needs another name or another file.

    Raises:
        InputError: the file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._results = {result.key: result for result in read_results(path)}
        drop_cut_line(path)

    def get(self, key: Key) -> ObjectResult | None:
        """Return the result of an earlier run, if there is one."""
        return self._results.get(key)

    def add(self, result: ObjectResult) -> None:
        """Append a result and wait until it is written."""
        self._results[result.key] = result
        add_line(self.path, asdict(result))


def protocol_of(strategy: str) -> str:
    """Return the protocol that a strategy belongs to."""
    return PUBLISHED if strategy.startswith(PUBLISHED) else "sound"


def read_results(path: Path) -> list[ObjectResult]:
    """Read a file of results, none if there is no file; a last line without an end is left out.

    Raises:
        InputError: the file holds something else.
    """
    return [_parse(line, n, path) for n, line in enumerate(whole_lines(path), 1)]


def line_of(result: ObjectResult) -> bytes:
    """Write a result as such a file holds it."""
    return (json.dumps(asdict(result)) + "\n").encode()


def _parse(line: bytes, number: int, path: Path) -> ObjectResult:
    try:
        fields = json.loads(line)
        for name in ("dice", "surface_dice", "seconds"):
            fields[name] = tuple(fields[name])
        fields["placed"] = tuple(tuple(click) for click in fields["placed"])
        return ObjectResult(**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"Line {number} of {path} is no result of an evaluation; choose another file."
        ) from error
