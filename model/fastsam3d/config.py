"""What each network is made of, and the presets by name."""

from dataclasses import dataclass
from typing import Literal

from .errors import InputError

AttentionKind = Literal["none", "dense", "sparse", "relative", "padded"]
"""How a block's tokens mix: "relative" is dense with the published relative positions, "padded" the
same in a window larger than the grid."""


TOKEN = 16
"""Voxels along a side of a token of the project's own network."""

SEGMENT, RATIO = 64, 4
"""w and r of sparse attention, as published."""


@dataclass(frozen=True)
class ModelConfig:
    """A network of the published kind (SAM-Med3D, FastSAM3D).

    attention: one entry a block.
    shortcut: whether the residual goes round a block's second norm.
    window: side of the teacher's padded window, in tokens.
    embedding: channels of the embedding that the decoder reads.
    normalisation: a name of `intensity.normalise`.
    clamps_ct: whether it was trained on CT clamped to -1000 to 1000 HU.
    """

    attention: tuple[AttentionKind, ...]
    heads: int
    shortcut: bool
    width: int = 768
    embedding: int = 384
    window: int = 14
    patch_size: int = 128
    stride: int = 16
    normalisation: str = "zscore-positive"
    clamps_ct: bool = False

    def __post_init__(self) -> None:
        """Check that the sizes fit together."""
        if self.patch_size % self.stride:
            raise InputError(
                f"Patch size {self.patch_size} is not a multiple of the encoder's stride "
                f"{self.stride}: choose one that is."
            )
        if self.width % self.heads:
            raise InputError(
                f"Width {self.width} is not a multiple of the {self.heads} heads: choose a width "
                "that is."
            )
        if "padded" in self.attention and self.window <= self.grid:
            raise InputError(
                f"A padded window of {self.window} tokens is not larger than the grid's "
                f'{self.grid}: use "relative" attention.'
            )

    @property
    def grid(self) -> int:
        """Return the tokens along a side."""
        return self.patch_size // self.stride

    @property
    def mask_size(self) -> int:
        """Return the cells along a side of the mask logits."""
        return 4 * self.grid


@dataclass(frozen=True)
class CompactConfig:
    """The project's own network.

    width: channels of a token.
    plain_layers: the first layers, which have no attention.
    attention: of the other layers.
    embedding, middle, fine: channels at strides 16, 8 and 4.
    slope: of the convolutions' leaky ReLU below 0; without one, channels may fall silent for good.
    """

    width: int = 256
    depth: int = 6
    plain_layers: int = 2
    attention: AttentionKind = "sparse"
    heads: int = 4
    embedding: int = 192
    middle: int = 64
    fine: int = 32
    slope: float = 0.0
    patch_size: int = 128
    mask_size: int = 64
    normalisation: str = "zscore-clipped"

    @property
    def segment(self) -> int:
        """Return w of sparse attention: 64 as published, or the next shorter that fits the tokens.

        Raises:
            InputError: none fits.
        """
        tokens = (self.patch_size // TOKEN) ** 3
        fitting = [w for w in range(1, SEGMENT + 1) if tokens % (w * RATIO) == 0]
        if not fitting:
            raise InputError(
                f"A patch of {self.patch_size}³ has {tokens} tokens, which sparse attention cannot "
                f"cut into segments of every {RATIO}th: choose a multiple of {2 * TOKEN} voxels, "
                "or dense attention."
            )
        return max(fitting)


PRESETS: dict[str, ModelConfig | CompactConfig] = {
    "fastsam3d-default": CompactConfig(),
    "fastsam3d-teacher": CompactConfig(depth=12, plain_layers=0, attention="dense", slope=0.1),
    "sam-med3d": ModelConfig(
        attention=("padded", "padded", "relative") * 4, heads=12, shortcut=True, clamps_ct=True
    ),
    "fastsam3d": ModelConfig(attention=("none",) * 2 + ("relative",) * 4, heads=6, shortcut=False),
}
