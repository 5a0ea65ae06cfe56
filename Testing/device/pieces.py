"""A training's state as a few small files that can be carried from machine to machine."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from fastsam3d.model import CompactNetwork

PIECE_BYTES = 15_900_000
MOST_PIECES = 4
INDEX = "index.json"


@dataclass
class State:
    """What goes on learning. Kept: weights and their running average in float16, steps and seconds.

    The optimiser's moments are not: they are found again while the learning rate warms up.
    """

    network: CompactNetwork
    optimizer: torch.optim.AdamW
    average: AveragedModel
    step: int = 0
    seconds: float = 0.0


def save_state(folder: Path, state: State, *, piece_bytes: int = PIECE_BYTES) -> list[Path]:
    """Write the pieces of a state, as `write_pieces` does."""
    return write_pieces(folder, _tensors(state), state.step, state.seconds, piece_bytes=piece_bytes)


def load_state(folder: Path, state: State) -> None:
    """Go on from saved pieces.

    Raises:
        ValueError: a piece is missing or was changed.
    """
    tensors, state.step, state.seconds = read_pieces(folder)
    state.network.load_state_dict(_part(tensors, "network"))
    state.average.module.load_state_dict(_part(tensors, "average"))
    state.average.n_averaged.fill_(state.step)


def write_pieces(
    folder: Path,
    tensors: dict[str, Tensor],
    step: int,
    seconds: float,
    *,
    piece_bytes: int = PIECE_BYTES,
) -> list[Path]:
    """Write the pieces and then their index, which makes them count; delete older pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    blob = save(tensors)
    parts = [blob[start : start + piece_bytes] for start in range(0, len(blob), piece_bytes)]
    paths = [folder / f"state-{step:07}-{n}.part" for n in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(part)
    index = {
        "step": step,
        "seconds": seconds,
        "pieces": [path.name for path in paths],
        "sha256": hashlib.sha256(blob).hexdigest(),
    }
    scratch = folder / f".{INDEX}"
    scratch.write_text(json.dumps(index, indent=1))
    scratch.replace(folder / INDEX)
    for old in set(folder.glob("state-*.part")) - set(paths):
        old.unlink()
    return paths


def read_pieces(folder: Path) -> tuple[dict[str, Tensor], int, float]:
    """Read pieces back: tensors, step and seconds.

    Raises:
        ValueError: a piece is missing or was changed.
    """
    index = json.loads((folder / INDEX).read_text())
    try:
        blob = b"".join((folder / name).read_bytes() for name in index["pieces"])
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename} is missing; bring all pieces along.") from error
    if hashlib.sha256(blob).hexdigest() != index["sha256"]:
        raise ValueError(f"The pieces in {folder} were changed; bring them along anew.")
    return load(blob), index["step"], index["seconds"]


def halved(network: nn.Module) -> dict[str, Tensor]:
    """Return a network's state in float16, on the CPU."""
    state = network.state_dict()
    return {key: value.detach().half().cpu().contiguous() for key, value in state.items()}


def _tensors(state: State) -> dict[str, Tensor]:
    networks = {"network": state.network, "average": state.average.module}
    return {
        f"{name}.{key}": value
        for name, network in networks.items()
        for key, value in halved(network).items()
    }


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    start = f"{name}."
    return {key.removeprefix(start): v for key, v in tensors.items() if key.startswith(start)}
