"""What a session knows beside its mask, small enough to be kept for every step."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .geometry import Box, Patch
from .history import Change, pack_logits, unpack_logits
from .mosaic import View
from .sight import EMBEDDINGS, Click

MARGIN_VOXELS = 4
"""How far from its faces a patch must hold a click."""
KEPT = EMBEDDINGS
"""Cubes that are kept of an object, those nearest the one that was looked at last."""


@dataclass(frozen=True)
class State:
    """The clicks on an object, and where it was seen.

    clicks: oldest first.
    patch: the cube that was looked at last.
    seen: the cubes that show the object, each with its packed logits, that one last; none where
        the mask was changed from outside.
    confidence: the IoU that the network predicts for `patch`.
    """

    clicks: tuple[Click, ...] = ()
    patch: Patch | None = None
    seen: tuple[tuple[Patch, bytes], ...] = ()
    confidence: float = 0.0

    def patch_at(self, click: Click) -> Patch | None:
        """Return the known cube in which a click lies deepest; None if it lies in none."""
        known = [patch for patch, _ in self.seen]
        if not known and self.patch is not None:
            known = [self.patch]
        held = [patch for patch in known if _depth(patch, click) >= MARGIN_VOXELS]
        return max(held, key=lambda patch: _depth(patch, click), default=None)

    def views(self, mask_size: int) -> list[View]:
        """Unpack what was seen."""
        return [
            View(patch, unpack_logits(packed, mask_size), self.confidence)
            for patch, packed in self.seen
        ]

    def after(self, clicks: tuple[Click, ...], views: Sequence[View]) -> "State":
        """Return what is known when views, the newest last, have taken the place of others."""
        newest, before = views[-1], dict(self.seen)
        nearest = sorted(_apart(view.patch, newest.patch) for view in views)[:KEPT]
        near = [view for view in views if _apart(view.patch, newest.patch) <= nearest[-1]]
        kept = {}
        for view in near[-KEPT:]:
            packed, old = pack_logits(view.logits), before.get(view.patch)
            # Steps share the bytes of what did not change.
            kept[view.patch] = old if old == packed else packed
        return replace(
            self,
            clicks=clicks,
            patch=newest.patch,
            seen=tuple(kept.items()),
            confidence=newest.confidence,
        )


@dataclass(frozen=True)
class Step:
    """One thing done, and how to go back and forth over it; `bounds` held the mask before."""

    mask: Change
    by_hand: Change
    before: State
    after: State
    bounds: Box

    def pack(self) -> None:
        """Make this small."""
        self.mask.pack()
        self.by_hand.pack()


@dataclass
class Past:
    """The steps that were done, and those of them that were taken back."""

    _done: list[Step] = field(default_factory=list, init=False)
    _undone: list[Step] = field(default_factory=list, init=False)

    def add(self, step: Step) -> None:
        """Note a new step; none can be done again after it."""
        self.pack()
        self._done.append(step)
        self._undone.clear()

    def back(self) -> Step | None:
        """Return the step to take back, None if there is none."""
        return self._moved(self._done, self._undone)

    def forth(self) -> Step | None:
        """Return the step to do again, None if there is none."""
        return self._moved(self._undone, self._done)

    def pack(self) -> None:
        """Make the newest step small, the only one that may not be yet."""
        for step in self._done[-1:]:
            step.pack()

    @staticmethod
    def _moved(source: list[Step], target: list[Step]) -> Step | None:
        target.extend(source[-1:])
        return source.pop() if source else None


def _apart(patch: Patch, other: Patch) -> float:
    """Measure the mm between the centres of two cubes."""
    return float(np.linalg.norm(np.subtract(patch.centre_ras, other.centre_ras)))


def _depth(patch: Patch, click: Click) -> float:
    """Measure in voxels how far inside the nearest face of a cube a click lies."""
    away = np.abs(np.subtract(click.point_ras, patch.centre_ras)).max()
    return float(patch.size / 2 - away / patch.spacing_mm)
