"""A network that teaches: it is shown patches and clicks, and never learns."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .augmentation import Shown, Variety, normalised, published_zscore
from .checkpoints import expected_shapes, read_state
from .config import PRESETS, CompactConfig, ModelConfig
from .errors import InputError
from .loading import load_model
from .model import CompactNetwork, FastSAM3D
from .taps import encoder_of, layer_outputs


class Teacher:
    """A frozen network. It is no module, so that no student saves it, counts it or changes it."""

    def __init__(self, network: FastSAM3D) -> None:
        self.network = network.requires_grad_(requires_grad=False).eval()

    def bring(self, device: torch.device) -> None:
        """Bring the weights to a device."""
        self.network.to(device)

    @torch.no_grad()
    def outputs(self, images: list[Shown]) -> list[Tensor]:
        """Return what each layer makes of B images: (B, 8, 8, 8, C) each."""
        return layer_outputs(encoder_of(self.network), seen_by(self.network, images))[0]

    @torch.no_grad()
    def embedding(self, images: list[Shown]) -> Any:
        """Embed images."""
        return self.network.embed(seen_by(self.network, images))

    @torch.no_grad()
    def answer(
        self, embedding: Any, points: Tensor, labels: Tensor, previous: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Answer clicks with every mask it has: see `all_answers`."""
        return all_answers(self.network, embedding, points, labels, previous)

    def sha256(self) -> str:
        """Return a hash of the network's configuration and weights."""
        total = hashlib.sha256(repr(self.network.config).encode())
        for key, value in sorted(self.network.state_dict().items()):
            total.update(key.encode())
            total.update(value.cpu().contiguous().numpy().tobytes())
        return total.hexdigest()


def seen_by(network: FastSAM3D, images: list[Shown]) -> Tensor:
    """Normalise B images as a network was trained to see them: (B, 1, 128, 128, 128).

    Raises:
        InputError: a published network is to see an image whose intensities are not known.
    """
    return torch.stack([_seen(network.config, shown) for shown in images])[:, None]


def _seen(config: ModelConfig | CompactConfig, shown: Shown) -> Tensor:
    if isinstance(config, CompactConfig):
        return normalised(shown.image)
    if (kept := shown.intensities) is None:
        raise InputError(
            "Got examples without the scans' own intensities, by which the published networks "
            "see; prepare them anew with `fastsam3d distill` and such a network, in a new folder."
        )
    return published_zscore(kept, ct_clamp=config.clamps_ct and kept.is_ct)


def suited(variety: Variety, *networks: FastSAM3D) -> Variety:
    """Return how examples may vary for all of some networks: for published ones by flips at most.

    These count on a scan's own intensities and on axes in the order R, A, S; SAM-Med3D learnt from
    flipped patches.
    """
    published = any(isinstance(network.config, ModelConfig) for network in networks)
    return "flips" if published and variety == "all" else variety


def all_answers(
    network: FastSAM3D, embedding: Any, points: Tensor, labels: Tensor, previous: Tensor
) -> tuple[Tensor, Tensor]:
    """Answer with the single mask and, where they cost nothing more, the three that differ."""
    if isinstance(network, CompactNetwork):
        return network.answer_all(embedding, points, labels, previous)
    return network.answer(embedding, points, labels, previous, multimask=False)


def load_teacher(source: str) -> Teacher:
    """Load a preset with its published weights, or a file of weights of any preset.

    Raises:
        InputError: the weights are missing or damaged, or fit no preset.
    """
    if source in PRESETS:
        return Teacher(load_model(source, device="cpu", precision="float32"))
    path = Path(source)
    if not path.exists():
        raise InputError(
            f"Got teacher {source!r}, but there is no such file; expected a file of weights or "
            f"one of {', '.join(PRESETS)}."
        )
    state = read_state(path)
    preset = preset_of(state, path.name)
    network = load_model(preset, checkpoint=path, device="cpu", precision="float32")
    return Teacher(network)


def preset_of(state: dict[str, Tensor], name: str) -> str:
    """Tell which preset's network some weights are of.

    Raises:
        InputError: of none.
    """
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    for preset in PRESETS:
        if expected_shapes(preset) == shapes:
            return preset
    raise InputError(
        f"{name} holds no network of the presets {', '.join(PRESETS)}; choose a file that "
        "`fastsam3d train` wrote or that the networks' authors publish."
    )
