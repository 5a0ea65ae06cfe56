"""What the networks that read one slice at a time have in common."""

import torch
from torch import Tensor, nn

from ..errors import InputError

STRIDE = 16
"""Pixels of the image along a side of one cell of its embedding."""

MASK_STRIDE = 4
"""Pixels of the image along a side of one cell of the mask logits."""

EMBEDDING = 256
"""Channels of the embedding."""

Channels = tuple[float, float, float]
"""One value for each of the three channels of an image of 0 to 255."""

IMAGENET_MEAN: Channels = (123.675, 116.28, 103.53)
IMAGENET_STD: Channels = (58.395, 57.12, 57.375)


class PlanarNetwork(nn.Module):
    """A promptable network for square images; this checks what comes in, a subclass computes.

    Attributes:
        size: pixels along a side of what it reads.
        mean: what the network subtracted from its images in its own training.
        std: what it divided them by.
    """

    def __init__(
        self, size: int, mean: Channels = IMAGENET_MEAN, std: Channels = IMAGENET_STD
    ) -> None:
        super().__init__()
        self.size = size
        self.mean = mean
        self.std = std

    @property
    def mask_size(self) -> int:
        """Return the cells along a side of the mask logits."""
        return self.size // MASK_STRIDE

    def normalise(self, images: Tensor) -> Tensor:
        """Bring (B, 3, S, S) images of 0 to 255 to what the network was trained on.

        The published comparison does not: it gives every network z-scores of the slice.
        """
        mean, std = (images.new_tensor(each).reshape(1, 3, 1, 1) for each in (self.mean, self.std))
        return (images - mean) / std

    def remembered(self, logits: Tensor) -> Tensor:
        """Bring an earlier answer to what the network was given of it in its own training.

        The published comparison does not: it gives every network the logits.
        """
        return logits

    def encode(self, images: Tensor) -> Tensor:
        """Embed slices: slow, once a slice.

        Args:
            images: (B, 3, S, S) float32, normalised; S is `size`.

        Returns:
            (B, 256, S / 16, S / 16).

        Raises:
            InputError: the images have another shape.
        """
        if images.dim() != 4 or images.shape[1:] != (3, self.size, self.size):
            raise InputError(
                f"Got images of shape {tuple(images.shape)}; expected (B, 3, {self.size}, "
                f"{self.size})."
            )
        return self.embed(images)

    def decode(
        self,
        embedding: Tensor,
        points_xy: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None = None,
        boxes: Tensor | None = None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Turn embeddings and the clicks on them into masks: fast, every click.

        Args:
            embedding: (B, 256, S / 16, S / 16) from `encode`; of one slice for
                B sets of clicks on it.
            points_xy: (B, N, 2) in pixels of the input, x first; N may be 0 where there are boxes.
            labels: (B, N), 1 for inside and 0 for outside.
            mask_logits: (B, 1, S / 4, S / 4), an earlier answer, or what `remembered` makes of
                it; None if there is none.
            boxes: (B, 4), x and y of the corner nearest to the origin, then of the farthest, in
                pixels of the input.
            multimask: whether to answer with three masks that differ instead of one.

        Returns:
            (B, 3 or 1, S / 4, S / 4) logits, positive inside, and (B, 3 or 1) predicted IoU.

        Raises:
            InputError: there is neither point nor box, or points and labels do not match.
        """
        if points_xy.dim() != 3 or labels.shape != points_xy.shape[:2]:
            raise InputError(
                f"Got points of shape {tuple(points_xy.shape)} and labels of shape "
                f"{tuple(labels.shape)}; expected (B, N, 2) and (B, N)."
            )
        if not points_xy.shape[1] and boxes is None:
            raise InputError("Got neither a point nor a box; give at least one.")
        return self.answer(embedding, points_xy, labels, mask_logits, boxes, multimask=multimask)

    def embed(self, images: Tensor) -> Tensor:
        """Embed checked images."""
        raise NotImplementedError

    def answer(
        self,
        embedding: Tensor,
        points_xy: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        boxes: Tensor | None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Decode checked clicks."""
        raise NotImplementedError


def grid_centres(side: int, like: Tensor) -> Tensor:
    """Return (side, side, 2) centres of cells as x and y of 0 to 1, for a positional encoding."""
    steps = (torch.arange(side, device=like.device, dtype=like.dtype) + 0.5) / side
    return torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)
