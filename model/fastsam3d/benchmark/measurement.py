"""What a process of its own is asked to measure, and what it answers."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

SYSTEM_PART = "fastsam3d.benchmark.parts:system_part"

FEWEST_RUNS = 3
"""From which on there is a spread to speak of."""


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        arguments: what the maker is called with, beside a device.
        device: "cpu", "cuda" or "mps".
        maker: `module:function`, a `parts.Maker`.
        passes: how often a run makes one pass.
        runs: how many to time.
        seconds: after which no further run begins, once there are `FEWEST_RUNS`.
        bfloat16: whether to compute in bfloat16 where torch does so by itself (autocast).
    """

    arguments: dict[str, Any]
    device: str = "cpu"
    maker: str = SYSTEM_PART
    passes: int = 1
    runs: int = 20
    seconds: float = 10.0
    bfloat16: bool = False

    def as_text(self) -> str:
        """Write what `read_request` reads."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Counted:
    """What is known of one pass without making it.

    Attributes:
        parameters: of the part.
        published: its operations as the paper counts them.
        exact: its multiplications and additions.
    """

    parameters: int
    published: int
    exact: int


@dataclass(frozen=True)
class Timed:
    """What making passes took.

    Attributes:
        ms: of each run.
        peak_mb: in 10⁶ bytes; None if the system does not tell.
        peak_kind: what that is the peak of.
    """

    ms: tuple[float, ...]
    peak_mb: float | None
    peak_kind: str


@dataclass(frozen=True)
class Outcome:
    """What is known of a measurement.

    Attributes:
        counted: None if it came to no count.
        timed: None if it has no time.
        skipped: why it has no time; empty if it has one.
        given_up_s: the limit, if it took longer.
    """

    counted: Counted | None = None
    timed: Timed | None = None
    skipped: str = ""
    given_up_s: float | None = None


def read_request(text: str) -> Request:
    """Read what `Request.as_text` wrote."""
    return Request(**json.loads(text))


def line_of(answer: Counted | Timed) -> str:
    """Write an answer as one line."""
    return json.dumps({type(answer).__name__: asdict(answer)})


def read_answers(lines: Iterable[str]) -> Outcome:
    """Read the answers among the lines of a process, which may have been stopped in any of them."""
    counted, timed = None, None
    for found in map(_parsed, lines):
        if "Counted" in found:
            counted = Counted(**found["Counted"])
        elif "Timed" in found:
            timed = Timed(**{**found["Timed"], "ms": tuple(found["Timed"]["ms"])})
    return Outcome(counted, timed)


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
