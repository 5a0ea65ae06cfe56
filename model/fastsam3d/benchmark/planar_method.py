"""A network that reads slices, as a user with few clicks on a volume would use it.

A click belongs to its axial slice. The network answers all clicks on that slice, and nothing
else; it never learns where the object begins or ends. Between the slices clicked on, the outlines
are blended by their signed distances, as tools to fill between slices do (Raya and Udupa 1990, doi
10.1109/42.52980); beyond the outermost the object is not known. So n clicks on a volume are n
clicks, as for every other method, and the clicks of the protocol, in the middle of what is
missing, say by themselves where a further slice is worth most.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..canonical import nearest_axes
from ..clicks import Mask, Voxel
from .planar import PlanarNetwork
from .planar_case import Pixel, best_answers, embedded, resized

_PERCENTILES = (0.5, 99.5)
_STRIDE = 37


@dataclass
class _Slice:
    """A slice that was clicked on: its embedding, its clicks, the answer and the outline."""

    embedding: Tensor
    clicks: list[Pixel] = field(default_factory=list)
    logits: Tensor | None = None
    mask: Mask = field(default_factory=lambda: np.zeros((0, 0), bool))


class PlanarMethod:
    """A network for slices, on one object of a volume at a time (an `evaluate` method)."""

    def __init__(self, name: str, network: PlanarNetwork) -> None:
        self.name = name
        self._network = network
        self._volume: NDArray[Any] | None = None

    def start(self, volume_kji: NDArray[Any], ijk_to_ras: NDArray[np.float64]) -> None:
        """Begin with an object; embeddings of a volume that comes again are kept."""
        self._slices: dict[int, _Slice] = {}
        if self._volume is volume_kji:
            return
        self._volume = volume_kji
        self._embeddings: dict[int, Tensor] = {}
        self._axis = nearest_axes(ijk_to_ras)[0][2]
        self._planes = np.moveaxis(volume_kji, self._axis, 0)
        self._range = np.percentile(volume_kji.reshape(-1)[::_STRIDE], _PERCENTILES)

    def click(self, voxel_kji: Voxel, *, positive: bool) -> Mask:
        """Add a click and return the mask, of the volume's shape."""
        plane = voxel_kji[self._axis]
        row, column = (n for axis, n in enumerate(voxel_kji) if axis != self._axis)
        if plane not in self._slices:
            self._slices[plane] = self._opened(plane, positive=positive)
        self._answer(self._slices[plane], self._pixel(row, column, positive=positive))
        masks = {index: each.mask for index, each in self._slices.items()}
        return np.moveaxis(filled(masks, self._planes.shape), 0, self._axis)

    def _opened(self, plane: int, *, positive: bool) -> _Slice:
        """Begin with a slice; one that only loses something keeps the middle of what it had."""
        opened = _Slice(self._embedding(plane))
        if not positive:
            masks = {index: each.mask for index, each in self._slices.items()}
            before = filled(masks, self._planes.shape)[plane]
            depth = ndimage.distance_transform_edt(np.pad(before, 1))[1:-1, 1:-1]
            if before.any():
                row, column = np.unravel_index(int(depth.argmax()), depth.shape)
                opened.clicks.append(self._pixel(int(row), int(column), positive=True))
        return opened

    def _answer(self, clicked: _Slice, pixel: Pixel) -> None:
        clicked.clicks.append(pixel)
        before = clicked.logits
        clicked.logits = best_answers(
            self._network,
            clicked.embedding,
            [clicked.clicks],
            None if before is None else self._network.remembered(before),
        )
        rows, columns = self._planes.shape[1:]
        values = resized(clicked.logits, max(rows, columns))[0, 0, :rows, :columns]
        clicked.mask = np.asarray((values > 0).cpu().numpy())

    def _embedding(self, plane: int) -> Tensor:
        if plane not in self._embeddings:
            image = self._prepared(self._planes[plane])
            self._embeddings[plane] = embedded(self._network, image)[0]
        return self._embeddings[plane]

    def _prepared(self, plane: NDArray[Any]) -> Tensor:
        """Bring a slice, made square, to what the network was trained on."""
        low, high = self._range
        grey = (plane.astype(np.float32).clip(low, high) - low) * (255 / max(high - low, 1e-6))
        side = max(plane.shape)
        square = np.zeros((side, side), np.float32)
        square[: plane.shape[0], : plane.shape[1]] = grey
        image = resized(torch.from_numpy(square)[None, None], self._network.size)
        return self._network.normalise(image.expand(-1, 3, -1, -1))

    def _pixel(self, row: int, column: int, *, positive: bool) -> Pixel:
        scale = self._network.size / max(self._planes.shape[1:])
        return Pixel(int((column + 0.5) * scale), int((row + 0.5) * scale), positive)


def filled(masks: dict[int, Mask], shape: tuple[int, ...]) -> Mask:
    """Blend outlines between neighbouring slices that both have one.

    Args:
        masks: (h, w) of some slices.
        shape: (slices, h, w) of the whole.
    """
    whole = np.zeros(shape, bool)
    for plane, mask in masks.items():
        whole[plane] = mask
    for below, above in pairwise(sorted(masks)):
        if masks[below].any() and masks[above].any():
            first, last = _signed(masks[below]), _signed(masks[above])
            for plane in range(below + 1, above):
                part = (plane - below) / (above - below)
                whole[plane] = (1 - part) * first + part * last > 0
    return whole


def _signed(mask: Mask) -> NDArray[np.float64]:
    """Measure the distance to the outline in pixels, positive inside."""
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    outside = ndimage.distance_transform_edt(~mask)
    return np.asarray(inside - outside)
