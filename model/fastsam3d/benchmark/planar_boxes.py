"""MedSAM as it was trained: a box round the object on each slice, images of 0 to 1, a single mask.

The boxes are those of the true mask, slice by slice, so that a row of it is no row of clicks: it
says what its authors' own protocol gives, beside the clicks of the published comparison. There is
one answer, held for all further clicks.
"""

from collections.abc import Iterator
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..clicks import Mask
from .crop import SIZE, Crop
from .planar import PlanarNetwork
from .planar_case import AT_ONCE, embedded, put_back, resized, slices_of
from .published import Answer


class PlanarBoxes:
    """A network for slices that is given boxes, among the contestants of `published`."""

    def __init__(self, name: str, network: PlanarNetwork) -> None:
        self.name = name
        self._network = network

    def answers(
        self, crop: Crop, rng: np.random.Generator, *, is_ct: bool = False
    ) -> Iterator[Answer]:
        """Answer once, to a box on every slice that holds some of the object."""
        planes, images, truths = slices_of(crop)
        began = perf_counter()
        embeddings = embedded(self._network, self._prepared(images))
        scale = self._network.size / SIZE
        boxes = torch.from_numpy(np.stack([scale * box_of(truth) for truth in truths]))
        logits = torch.split(self._decoded(torch.cat(embeddings), boxes.float()), 1)
        yield Answer(put_back(planes, logits, self._network.size), (), perf_counter() - began)

    def _prepared(self, images: NDArray[np.float32]) -> Tensor:
        """Stretch (B, h, w) slices, each from its least to its greatest value: (B, 3, S, S)."""
        low, high = (find(images, axis=(1, 2), keepdims=True) for find in (np.min, np.max))
        grey = 255 * (images - low) / np.maximum(high - low, 1e-6)
        large = resized(torch.from_numpy(grey)[:, None], self._network.size)
        return self._network.normalise(large.expand(-1, 3, -1, -1))

    @torch.inference_mode()
    def _decoded(self, embeddings: Tensor, boxes: Tensor) -> Tensor:
        """Return the (B, 1, S / 4, S / 4) single masks of (B, 4) boxes."""
        parts = []
        boxes = boxes.to(embeddings.device)
        both = torch.split(embeddings, AT_ONCE), torch.split(boxes, AT_ONCE)
        for some, of_these in zip(*both, strict=True):
            nothing = some.new_zeros(len(some), 0, 2), some.new_zeros(len(some), 0, dtype=torch.int)
            parts.append(self._network.decode(some, *nothing, boxes=of_these, multimask=False)[0])
        return torch.cat(parts)


def box_of(mask: Mask) -> NDArray[np.int64]:
    """Return the outer edges of a 2D mask's voxels: x and y of the least, then of the greatest."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
