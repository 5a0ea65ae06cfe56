"""The commands under `weights`."""

from pathlib import Path
from typing import Annotated

import typer

weights_app = typer.Typer(help="The networks' weights: list, get, import, remove.")

Trust = Annotated[bool, typer.Option(help="Accept a file of which no hash is known yet.")]


@weights_app.command("list")
def list_weights() -> None:
    """List the weights there are, and which are installed."""
    from . import commands

    commands.list_weights()


@weights_app.command("get")
def get_weights(
    name: str,
    trust_first_use: Trust = False,
) -> None:
    """Download weights and check them."""
    from . import store

    typer.echo(str(store.get(name, trust_first_use=trust_first_use)))


@weights_app.command("import")
def import_weights(
    name: str,
    path: Path,
    trust_first_use: Trust = False,
) -> None:
    """Take weights from a file that you got by other means, after checking it."""
    from . import store

    typer.echo(str(store.import_file(name, path, trust_first_use=trust_first_use)))


@weights_app.command("remove")
def remove_weights(name: str) -> None:
    """Delete installed weights."""
    from . import store

    store.remove(name)
    typer.echo(f"{name} is removed.")
