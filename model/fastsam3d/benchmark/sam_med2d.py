"""SAM-Med2D: SAM's network at 256², with an adapter beside every MLP of the encoder."""

from typing import Any

from torch import Tensor, nn

from .sam import SamNetwork, make_parts

SIZE = 256
NARROWING = 4
"""Channels of a token to one inside the adapter's gate."""


class Adapter(nn.Module):
    """Weighs a token grid's channels, then looks at neighbours at half the resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.channel = nn.Sequential(
            nn.Linear(width, width // NARROWING, bias=False),
            nn.ReLU(),
            nn.Linear(width // NARROWING, width, bias=False),
            nn.Sigmoid(),
        )
        self.spatial = nn.Sequential(
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, bias=False),
            nn.ReLU(),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Adapt (B, h, w, C) tokens; h and w are even."""
        grid = tokens.permute(0, 3, 1, 2)
        gate = self.channel(grid.mean(dim=(2, 3)))[:, :, None, None]
        adapted: Tensor = self.norm((grid + self.spatial(gate * grid)).permute(0, 2, 3, 1))
        return adapted


class AdaptedMLP(nn.Module):
    """An MLP and an adapter that reads the same tokens; their sum."""

    def __init__(self, mlp: Any, width: int) -> None:
        super().__init__()
        self.lin1: nn.Module = mlp.lin1
        self.lin2: nn.Module = mlp.lin2
        self.act: nn.Module = mlp.act
        self.adapter = Adapter(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, h, w, C) to the same shape."""
        out: Tensor = self.lin2(self.act(self.lin1(tokens))) + self.adapter(tokens)
        return out


def adapt(parts: Any) -> Any:
    """Put an adapter beside every MLP of a `transformers.SamModel`'s encoder, and return it."""
    for layer in parts.vision_encoder.layers:
        layer.mlp = AdaptedMLP(layer.mlp, layer.mlp.lin1.in_features)
    return parts


class SamMed2DNetwork(SamNetwork):
    """SAM's network, which was trained on what it thought likely before, not on its logits."""

    def remembered(self, logits: Tensor) -> Tensor:
        """Return probabilities."""
        return logits.sigmoid()


def build_sam_med2d(*, adapters: bool = True) -> SamMed2DNetwork:
    """Make SAM-Med2D's network with random weights.

    Args:
        adapters: whether it has its adapters; the paper's 32.0 GFLOPs are without them.
    """
    parts = make_parts(SIZE)
    return SamMed2DNetwork(adapt(parts) if adapters else parts, SIZE)
