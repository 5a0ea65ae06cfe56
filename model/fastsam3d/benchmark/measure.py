"""Measures one part of one network, alone in this process: `python -m`, a request, JSON lines.

The first line says what was counted, on the meta device; the second what was timed. So the counts
are known even if the rest fails or takes too long. Whatever is imported has been by then, and does
not count as the network's memory.
"""

import importlib
import sys
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import nn

from ..errors import InputError, out_of_memory
from ..inputs import pick_device
from .as_published import work_as_published
from .clock import Memory, times
from .flops import count_exact, count_published
from .measurement import Counted, Request, Timed, line_of, read_request
from .parts import Maker, Part

FAILED = 2
"""The exit code where the last line on standard error says why in words."""


def measure(request: Request) -> Iterator[Counted | Timed]:
    """Count, then time.

    Raises:
        InputError: there is no such device or system, or a package is missing.
    """
    module, _, name = request.maker.partition(":")
    maker = cast("Maker", getattr(importlib.import_module(module), name))
    yield count(maker("meta", **request.arguments))
    device = pick_device(request.device)
    memory = Memory(device)
    part = maker(request.device, **request.arguments)

    def action() -> Any:
        with torch.autocast(device.type, torch.bfloat16, enabled=request.bfloat16):
            return part.run()

    ms = times(action, device, passes=request.passes, runs=request.runs, seconds=request.seconds)
    yield Timed(tuple(ms), memory.peak_mb(), memory.kind)


def count(part: Part) -> Counted:
    """Count the parameters of a part, and the operations of a pass as the published code has them.

    Args:
        part: on the meta device; from here on it works as the published code does.
    """
    work_as_published(part.network)
    inputs, named = call_of(part)
    return Counted(
        part.parameters,
        count_published(part.module, *inputs, leave_out=part.leave_out, **named),
        count_exact(part.module, *inputs, leave_out=part.leave_out_exact, **named),
    )


def call_of(part: Part) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what a pass calls the counted module with."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def note(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        calls.append((inputs, named))

    hook = part.module.register_forward_pre_hook(note, with_kwargs=True)
    try:
        part.run()
    finally:
        hook.remove()
    return calls[0]


def main(text: str) -> int:
    """Answer on standard output; return the exit code."""
    try:
        for answer in measure(read_request(text)):
            sys.stdout.write(line_of(answer) + "\n")
            sys.stdout.flush()
    except InputError as error:
        return _failed(str(error))
    except Exception as error:
        if not out_of_memory(error):
            raise
        return _failed(f"ran out of memory: {error}".partition("\n")[0])
    return 0


def _failed(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
