"""Runs a measurement in a process of its own, and stops it when it takes too long."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

from .measurement import Outcome, Request, read_answers

_MODULE = "fastsam3d.benchmark.measure"
_LONGEST = 200
"""Letters of an error that are shown."""


def watched(request: Request, limit_s: float) -> Outcome:
    """Measure in a fresh process; whatever becomes of it, say so.

    Args:
        request: what to measure.
        limit_s: for all of it: imports, counts, warm-up and runs.

    Returns:
        Its answers, and if there is no time, why.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", _MODULE, request.as_text()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with process:
        try:
            out, err = process.communicate(timeout=limit_s)
            why, given_up_s = _why(process.returncode, err), None
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            why, given_up_s = f"took longer than {limit_s:g} s", limit_s
        finally:
            process.kill()
    outcome = read_answers(out.splitlines())
    return outcome if outcome.timed else replace(outcome, skipped=why, given_up_s=given_up_s)


def _why(code: int, err: str) -> str:
    """Say why a process gave no time."""
    lines = err.strip().splitlines() or [f"ended with exit code {code} and said nothing"]
    return _stopped(-code) if code < 0 else lines[-1][:_LONGEST]


def _stopped(number: int) -> str:
    name = signal.Signals(number).name
    hint = ", as a system does that runs out of memory" if name == "SIGKILL" else ""
    return f"was stopped by {name}{hint}"
