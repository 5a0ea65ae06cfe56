"""What the network sees of a volume: patches, their embeddings, and the clicks on them."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .geometry import Patch
from .grid import Grid
from .mosaic import Logits, View, resample_logits
from .zoom import next_patch

EMBEDDINGS = 16
"""Embeddings that are kept, the last used ones."""
LOOKS = 6
"""Patches that one click may try until the object fits."""


class Network(Protocol):
    """What is needed of a model; `fastsam3d.model.FastSAM3D` is one."""

    patch_size: int
    mask_size: int

    def embed_patch(self, patch: NDArray[np.float32]) -> Any:
        """Turn (size, size, size) raw intensities into an embedding: slow, once a patch."""

    def predict(
        self, embedding: Any, points: ArrayLike, labels: ArrayLike, mask_logits: Logits | None
    ) -> tuple[Logits, float]:
        """Turn clicks in patch voxels into (m, m, m) logits and a predicted IoU: every click."""


@dataclass(frozen=True)
class Click:
    """A control point: include what is here, or exclude it."""

    point_ras: tuple[float, float, float]
    positive: bool


@dataclass
class Sight:
    """A network in front of one volume."""

    model: Network
    volume_kji: NDArray[Any]
    grid: Grid
    _embeddings: OrderedDict[Patch, Any] = field(default_factory=OrderedDict, init=False)

    def look(self, patch: Patch, clicks: Sequence[Click], previous: Logits | None) -> View:
        """Decode, and change the patch until the object fits; with a mask it stays."""
        first = view = self.decode(patch, clicks, previous)
        points = np.array([click.point_ras for click in clicks if click.positive])
        newest = np.array([clicks[-1].point_ras])
        for _ in range(LOOKS - 1 if previous is None else 0):
            better = self._better(view, points)
            if better is None or not better.contains(newest)[0]:
                break
            view = self.decode(better, clicks, resample_logits(view.logits, view.patch, better))
        return view if (view.logits > 0).any() else first

    def decode(self, patch: Patch, clicks: Sequence[Click], previous: Logits | None) -> View:
        """Decode the clicks that lie in a patch."""
        points = np.array([click.point_ras for click in clicks])
        labels = np.array([click.positive for click in clicks], np.int64)
        held = patch.contains(points)
        logits, confidence = self.model.predict(
            self._embedding(patch), patch.to_patch(points[held]), labels[held], previous
        )
        return View(patch, logits, confidence)

    def passes(self, view: View, clicks: Sequence[Click]) -> Logits:
        """Average the probabilities of a few passes over the kept embedding.

        With and without the previous mask, and with the clicks moved by about a voxel.
        """
        rng = np.random.default_rng(len(clicks))
        answers = [view.logits, self.decode(view.patch, clicks, None).logits]
        for _ in range(3):
            moved = [self._moved(click, view.patch, rng) for click in clicks]
            answers.append(self.decode(view.patch, moved, view.logits).logits)
        soft: Logits = np.mean([_sigmoid(logits) for logits in answers], axis=0, dtype=np.float32)
        return soft

    def _better(self, view: View, points_ras: NDArray[np.float64]) -> Patch | None:
        if not len(points_ras):
            return None
        points = view.patch.to_patch(points_ras)
        return next_patch(view.patch, view.logits, points, self.grid)

    def _embedding(self, patch: Patch) -> Any:
        if patch not in self._embeddings:
            cube = patch.sample(self.volume_kji, self.grid.ijk_to_ras)
            self._embeddings[patch] = self.model.embed_patch(cube)
            if len(self._embeddings) > EMBEDDINGS:
                self._embeddings.popitem(last=False)
        self._embeddings.move_to_end(patch)
        return self._embeddings[patch]

    @staticmethod
    def _moved(click: Click, patch: Patch, rng: np.random.Generator) -> Click:
        right, anterior, superior = rng.normal(click.point_ras, patch.spacing_mm).tolist()
        return Click((right, anterior, superior), click.positive)


def _sigmoid(logits: Logits) -> Logits:
    return (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)
