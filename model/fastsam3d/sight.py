"""What the network sees of a volume: patches, their embeddings, and the clicks on them."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .geometry import Patch
from .grid import Grid, triple
from .mosaic import Logits, View, resample_logits
from .scan import Scan, ScanOnHost
from .zoom import next_patch

EMBEDDINGS = 24
"""Embeddings that are kept, the last used ones: of the default, 6 to 9 MB each."""
LOOKS = 6
"""Patches that one click may try until the object fits."""

DEEP = 0.7
"""Of a mask's greatest depth, that of a click of our own beside one that excludes."""


class Network(Protocol):
    """What is needed of a model; `fastsam3d.model.FastSAM3D` is one.

    It may have a `device`, which changes where it moves, and a `scan`, which brings a `ScanOnHost`
    there.
    """

    patch_size: int
    mask_size: int

    def embed_patch(self, patch: Any) -> Any:
        """Turn (size, size, size) raw intensities into an embedding: slow, once a patch.

        An array, or what the network's own `scan` of the volume gives, where it has one.
        """

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
    _scan: tuple[Any, Scan] | None = field(default=None, init=False)

    @property
    def scan(self) -> Scan:
        """Return the volume where the network is; what was seen where it was before is let go."""
        device = getattr(self.model, "device", None)
        if self._scan is None or self._scan[0] != device:
            self._embeddings.clear()
            host = ScanOnHost(self.volume_kji, self.grid.ijk_to_ras)
            bring = getattr(self.model, "scan", None)
            self._scan = device, host if bring is None else bring(host)
        return self._scan[1]

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
        """Decode what `prompts` gives for a patch.

        With none that includes the mask so far comes back: the network refuses no clicks, and
        takes away all that it sees at clicks that exclude alone.
        """
        asked = prompts(patch, clicks, previous)
        if previous is not None and not any(click.positive for click in asked):
            return View(patch, previous, 0.0)
        logits, confidence = self.model.predict(
            self._embedding(patch),
            patch.to_patch([click.point_ras for click in asked]),
            np.array([click.positive for click in asked], np.int64),
            previous,
        )
        return View(patch, logits, confidence)

    def passes(self, view: View, clicks: Sequence[Click]) -> Logits:
        """Average the probabilities of a few passes over the kept embedding.

        With and without the previous mask, and with the clicks moved by about a voxel. Where
        nothing includes, those of the view.
        """
        rng = np.random.default_rng(len(clicks))
        asked = prompts(view.patch, clicks, view.logits)
        answers = [view.logits]
        if any(click.positive for click in asked):
            answers.append(self.decode(view.patch, asked, None).logits)
            for _ in range(3):
                moved = [_moved(click, view.patch, rng) for click in asked]
                answers.append(self.decode(view.patch, moved, view.logits).logits)
        soft: Logits = np.mean([_sigmoid(logits) for logits in answers], axis=0, dtype=np.float32)
        return soft

    def _better(self, view: View, points_ras: NDArray[np.float64]) -> Patch | None:
        if not len(points_ras):
            return None
        points = view.patch.to_patch(points_ras)
        return next_patch(view.patch, view.logits, points, self.grid)

    def _embedding(self, patch: Patch) -> Any:
        scan = self.scan
        if patch not in self._embeddings:
            self._embeddings[patch] = self.model.embed_patch(scan.sample(patch))
            if len(self._embeddings) > EMBEDDINGS:
                self._embeddings.popitem(last=False)
        self._embeddings.move_to_end(patch)
        return self._embeddings[patch]


def prompts(patch: Patch, clicks: Sequence[Click], previous: Logits | None) -> list[Click]:
    """Return the clicks that lie in a patch, one of them that includes: if need be, our own.

    That one lies deep in the mask so far, near the newest exclude; none where that is empty.
    """
    from scipy import ndimage

    held = [click for click in clicks if patch.contains(click.point_ras)]
    if any(click.positive for click in held) or previous is None or not (previous > 0).any():
        return held
    depth = ndimage.distance_transform_edt(np.pad(previous > 0, 1))[1:-1, 1:-1, 1:-1]
    cell = patch.size / previous.shape[0]
    deep = np.argwhere(depth >= (DEEP if held else 1) * depth.max())
    points = patch.to_ras((deep + 0.5) * cell - 0.5)
    # Far from an exclude the network would give up all that lies between; on it, everything.
    least_mm = depth.max() * cell * patch.spacing_mm
    cost = np.zeros(len(points))
    for click in held[-1:]:
        away = np.linalg.norm(points - click.point_ras, axis=1)
        cost = np.maximum(away, least_mm) + least_mm * (away < least_mm)
        # Of two sides of a neck, that of the object.
        included = [each.point_ras for each in clicks if each.positive]
        if included:
            cost += np.linalg.norm(points[:, None] - included, axis=2).min(1) / 2
    point = points[cost.argmin()]
    return [*held, Click(triple(point), positive=True)]


def _moved(click: Click, patch: Patch, rng: np.random.Generator) -> Click:
    """Move a click by about a voxel, within the patch."""
    moved = patch.to_patch([rng.normal(click.point_ras, patch.spacing_mm)])
    return Click(triple(patch.to_ras(moved.clip(0, patch.size - 1))[0]), click.positive)


def _sigmoid(logits: Logits) -> Logits:
    return (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)
