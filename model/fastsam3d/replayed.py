"""A network on a CUDA GPU: a patch is normalised and embedded in one launch, clicks in another."""

from typing import TYPE_CHECKING, Any, cast
from weakref import proxy

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .ondevice_intensity import normalise_on
from .recorded import Record, Recorded, Tensors

if TYPE_CHECKING:
    from .model import FastSAM3D

FEWEST = 8
"""Clicks that a recording is of at least."""

PADDING = -1
"""Label of a click that is none."""


class Replayed:
    """What `FastSAM3D.embed_patch` and `predict` do, replayed from CUDA graphs."""

    def __init__(self, network: "FastSAM3D", record: Record | None = None) -> None:
        """Take a network on its device; `record` as of `Recorded`."""
        # Else neither would go before the other, and the GPU's memory with them.
        self._network: FastSAM3D = cast("FastSAM3D", proxy(network))
        self._embed = Recorded(self._embedded, network.device, record)
        self._answer = Recorded(self._answered, network.device, record)

    def embed(self, patch: Tensor) -> Any:
        """Normalise and embed one (s, s, s) patch of raw intensities, from any device."""
        return self._network.embedding_of(self._embed(patch))

    def predict(
        self, embedding: Any, points: ArrayLike, labels: ArrayLike, mask_logits: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float]:
        """Decode clicks with arrays, as `FastSAM3D.predict` does."""
        clicks = padded(np.asarray(points, np.float32), np.asarray(labels, np.int64))
        previous = torch.from_numpy(np.ascontiguousarray(mask_logits, np.float32))[None, None]
        parts = self._network.parts_of(embedding)
        (answer,) = self._answer(*clicks, previous, *parts)
        values = answer.cpu().float().numpy()  # the one copy back, and the one wait
        return values[:-1].reshape(mask_logits.shape), float(values[-1])

    def _embedded(self, patch: Tensor) -> Tensors:
        network = self._network
        image = normalise_on(patch, network.normalisation, ct_clamp=network.ct_clamp)
        return network.parts_of(network.embed(image[None, None]))

    def _answered(
        self, points: Tensor, labels: Tensor, mask_logits: Tensor, *parts: Tensor
    ) -> Tensors:
        embedding = self._network.embedding_of(parts)
        logits, iou = self._network.answer(
            embedding, points, labels, mask_logits, multimask=False, padded=True
        )
        return (torch.cat([logits.flatten(), iou.flatten().to(logits.dtype)]),)


def padded(points: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Fill clicks up to 8, 32, 128 and so on, so that few numbers of them are recorded.

    Args:
        points: (N, 3).
        labels: (N,), 1 or 0.

    Returns:
        (1, P, 3) and (1, P), the clicks that are none with the label -1.
    """
    whole = FEWEST
    while whole < len(points):
        whole *= 4
    missing = whole - len(points)
    points = np.pad(points, ((0, missing), (0, 0)))
    labels = np.pad(labels, (0, missing), constant_values=PADDING)
    return torch.from_numpy(points)[None], torch.from_numpy(labels)[None]
