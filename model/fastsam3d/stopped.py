"""What is said when the user stops a command that goes on when it is called again."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

STOPPED = 130
"""The exit code of a command that was stopped with Ctrl-C."""

_P = ParamSpec("_P")


def goes_on(command: Callable[_P, None]) -> Callable[_P, None]:
    """Let a command say, when it is stopped with Ctrl-C, that it can be called again."""

    @wraps(command)
    def stoppable(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            typer.echo(
                "Stopped; what was finished is kept, and the same command goes on.", err=True
            )
            raise typer.Exit(STOPPED) from None

    return stoppable
