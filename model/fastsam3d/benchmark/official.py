"""Reads the official files of the 2D systems, strictly and without running code in them."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from .. import checkpoints
from ..errors import InputError
from .keys import official, used


def fit(path: Path, own: Mapping[str, Tensor], title: str, advice: str) -> dict[str, Tensor]:
    """Read an official file for a network.

    Args:
        path: of the file.
        own: the network's weights, for their names and shapes.
        title: what an error calls the network.
        advice: where the right file is to be had.

    Returns:
        The file's weights under the network's own names, all of them and no others.

    Raises:
        InputError: no such file, refused, or of another network; names the official keys.
    """
    state = {key: value for key, value in checkpoints.read_state(path).items() if used(key)}
    expected = {official(key): tuple(value.shape) for key, value in own.items()}
    if misfits := "; ".join(checkpoints.misfits_of(state, expected)):
        raise InputError(
            f"{path.name} does not hold the network of {title}: {misfits}; the right file is "
            f"{advice}."
        )
    return {key: state[official(key)] for key in own}
