"""How the `published` protocol clicks on a network that reads slices.

Each axial slice that holds some of the object gets its own clicks, one a step, all of them at
random wrong pixels; the others stay empty, which is a hint that no user could give. A slice is
brought to the network's size and to z-scores, whatever the network was trained on; the network
gets all clicks on the slice so far and its previous logits (none at first), and of its three masks
the one of the best predicted IoU counts. The clicks go by logits above 0 at the network's size.
"""

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from ..clicks import Click, Mask
from .crop import SIZE, Crop
from .planar import PlanarNetwork
from .published import Answer

AT_ONCE = 8
"""Slices that are embedded, and decoded, together."""


class Pixel(NamedTuple):
    """A click on a slice, in pixels of what the network reads, x along its rows."""

    x: int
    y: int
    positive: bool


class Planar:
    """A network for slices in the protocol `published`."""

    def __init__(self, name: str, network: PlanarNetwork) -> None:
        self.name = name
        self._network = network

    def answers(
        self, crop: Crop, rng: np.random.Generator, *, is_ct: bool = False
    ) -> Iterator[Answer]:
        """Answer one click on every slice that is not yet perfect."""
        slices = _Slices(self._network, crop)
        while placed := slices.click(rng):
            began = perf_counter()
            slices.answer()
            yield Answer(slices.logits_kji(), placed, perf_counter() - began)


class _Slices:
    """The slices of a crop that hold some of the object, from below upwards.

    A slice is (j, i) in the crop and its transpose, (i, j), to the network.
    """

    def __init__(self, network: PlanarNetwork, crop: Crop) -> None:
        self._network = network
        self._shape = crop.image_kji.shape
        self._planes, self._images, self._truths = slices_of(crop)
        self._clicks: list[list[Pixel]] = [[] for _ in self._planes]
        self._embeddings: list[Tensor] = []
        self._logits: list[Tensor | None] = [None] * len(self._planes)
        self._wrong: list[int] = []

    def click(self, rng: np.random.Generator) -> tuple[Click, ...]:
        """Click once on each slice that has a wrong pixel; return the clicks, in the crop."""
        placed = []
        self._wrong = []
        for index, plane in enumerate(self._planes):
            pixel = _wrong_pixel(self._truth(index), self._mask(index), rng)
            if pixel is None:
                continue
            self._wrong.append(index)
            self._clicks[index].append(pixel)
            i, j = (n * self._shape[1] // self._network.size for n in (pixel.y, pixel.x))
            placed.append(Click((int(plane), j, i), pixel.positive))
        return tuple(placed)

    def answer(self) -> None:
        """Have the network answer where there was a click."""
        if not self._embeddings:
            self._embeddings = embedded(self._network, prepared(self._images, self._network.size))
        for start in range(0, len(self._wrong), AT_ONCE):
            some = self._wrong[start : start + AT_ONCE]
            # A slice without a wrong pixel is never clicked again: all others have had as many.
            previous = [each for index in some if (each := self._logits[index]) is not None]
            answers = best_answers(
                self._network,
                torch.cat([self._embeddings[index] for index in some]),
                [self._clicks[index] for index in some],
                torch.cat(previous) if previous else None,
            )
            for index, logits in zip(some, torch.split(answers, 1), strict=True):
                self._logits[index] = logits

    def logits_kji(self) -> NDArray[np.float32]:
        """Bring all answers back to the crop."""
        return put_back(self._planes, self._logits, self._network.size)

    def _truth(self, index: int) -> Mask:
        places = np.arange(self._network.size) * self._shape[1] // self._network.size
        return np.asarray(self._truths[index][np.ix_(places, places)])

    def _mask(self, index: int) -> Mask:
        logits = self._logits[index]
        if logits is None:
            return np.zeros((self._network.size,) * 2, bool)
        return np.asarray((resized(logits, self._network.size)[0, 0] > 0).cpu().numpy())


def slices_of(crop: Crop) -> tuple[NDArray[np.intp], NDArray[np.float32], Mask]:
    """Return the places of the slices that hold some of the object, they, and their truth."""
    planes = np.flatnonzero(crop.truth.mask.any(axis=(1, 2)))
    return (
        planes,
        crop.image_kji[planes].transpose(0, 2, 1),
        crop.truth.mask[planes].transpose(0, 2, 1),
    )


def put_back(
    planes: NDArray[np.intp], answers: Sequence[Tensor | None], size: int
) -> NDArray[np.float32]:
    """Bring (1, 1, s, s) answers of a network of a size to the crop; other slices are 0, outside.

    A crop has `crop.SIZE` voxels along a side.
    """
    values = np.zeros((SIZE,) * 3, np.float32)
    for plane, logits in zip(planes, answers, strict=True):
        if logits is not None:
            values[plane] = resized(resized(logits, size), SIZE)[0, 0].float().cpu().numpy().T
    return values


def prepared(images: NDArray[np.float32], size: int) -> Tensor:
    """Bring (B, h, w) slices to z-scores, each by itself, at a network's size: (B, 3, S, S)."""
    large = resized(torch.from_numpy(images.copy())[:, None], size)
    deviation, mean = torch.std_mean(large, dim=(1, 2, 3), keepdim=True)
    flat = deviation <= 1e-6 * mean.abs().clamp(min=1)
    return ((large - mean) / deviation.masked_fill(flat, torch.inf)).expand(-1, 3, -1, -1)


@torch.inference_mode()
def embedded(network: PlanarNetwork, images: Tensor) -> list[Tensor]:
    """Embed (B, 3, S, S) slices, some at a time; return B embeddings, each a batch of one."""
    device = next(network.parameters()).device
    parts = [network.encode(some.to(device)) for some in torch.split(images, AT_ONCE)]
    return [each for part in parts for each in torch.split(part, 1)]


@torch.inference_mode()
def best_answers(
    network: PlanarNetwork,
    embeddings: Tensor,
    clicks: Sequence[Sequence[Pixel]],
    previous: Tensor | None,
) -> Tensor:
    """Decode clicks on slices, and take of three masks the one of the best predicted IoU.

    Args:
        network: decodes.
        embeddings: (B, 256, S / 16, S / 16).
        clicks: on each of B slices, as many on each.
        previous: (B, 1, S / 4, S / 4) logits.

    Returns:
        (B, 1, S / 4, S / 4) logits.
    """
    points = [[(pixel.x, pixel.y) for pixel in each] for each in clicks]
    labels = [[int(pixel.positive) for pixel in each] for each in clicks]
    logits, iou = network.decode(
        embeddings,
        torch.tensor(points, dtype=torch.float32, device=embeddings.device),
        torch.tensor(labels, device=embeddings.device),
        previous,
        multimask=True,
    )
    best = iou.argmax(dim=1)
    return logits[torch.arange(len(best), device=best.device), best][:, None]


def resized(images: Tensor, size: int) -> Tensor:
    """Interpolate (B, C, h, w) images bilinearly to squares."""
    return interpolate(images.float(), (size, size), mode="bilinear", align_corners=False)


def _wrong_pixel(truth: Mask, mask: Mask, rng: np.random.Generator) -> Pixel | None:
    wrong = np.flatnonzero(truth != mask)
    if not len(wrong):
        return None
    y, x = divmod(int(wrong[rng.integers(len(wrong))]), truth.shape[1])
    return Pixel(x, y, bool(truth[y, x]))
