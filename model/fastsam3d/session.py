"""One object in one volume, click by click."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .geometry import Box, Patch, box_shape, kji_to_ras, meet, ras_to_kji
from .history import NOTHING, Change, Mask, bounds, join, pack_logits, unpack_logits
from .postprocess import Postprocessing
from .sight import Click, Logits, Network, Sight, View, cells_of
from .zoom import Grid, first_patch, is_cut, patch_round

Space = Literal["ras", "ijk"]


@dataclass(frozen=True)
class State:
    """What a session knows beside its mask."""

    clicks: tuple[Click, ...] = ()
    patch: Patch | None = None
    logits: bytes | None = None
    confidence: float = 0.0


@dataclass(frozen=True)
class Step:
    """One thing done, and how to go back and forth over it."""

    mask: Change
    by_hand: Change
    before: State
    after: State


@dataclass
class Session:
    """Segments one object of one volume.

    Attributes:
        model: encodes patches and decodes clicks.
        volume_kji: (k, j, i), read only where patches are; may be memory-mapped.
        ijk_to_ras: (4, 4), voxel centres (i, j, k, 1) to mm; any affine that can be inverted.
        spacing_mm: of the first patch.
        region: voxels beyond it are never written by a click; None for the whole volume.
        postprocessing: applied to what the network says; off by default.
        mask: (k, j, i) the object so far. Change it through `edit` or `start_from`.
        message: the last thing that a user should be told, or "".
    """

    model: Network
    volume_kji: NDArray[Any]
    ijk_to_ras: NDArray[np.float64]
    spacing_mm: float = 1.5
    region: Box | None = None
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    message: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if self.region is not None:
            self.region = _within(self.region, self.volume_kji.shape)
        if self.volume_kji.ndim != 3:
            raise InputError(
                f"Got an array of shape {self.volume_kji.shape}; expected one 3D volume (k, j, i)."
            )
        depth, height, width = self.volume_kji.shape
        self._grid = Grid((depth, height, width), np.asarray(self.ijk_to_ras, np.float64))
        self._sight = Sight(self.model, self.volume_kji, self._grid)
        self._clear()

    @property
    def clicks(self) -> tuple[Click, ...]:
        """Return the clicks that made the mask, oldest first."""
        return self._state.clicks

    @property
    def patch(self) -> Patch | None:
        """Return the cube that the network looks at."""
        return self._state.patch

    @property
    def confidence(self) -> float:
        """Return the IoU that the network predicts for its mask, 0 to 1."""
        return float(np.clip(self._state.confidence, 0, 1))

    def click(self, point: ArrayLike, *, positive: bool = True, space: Space = "ras") -> Box:
        """Include or exclude what is at a point.

        Args:
            point: mm in RAS, or (i, j, k) voxels.
            positive: whether to include.
            space: which of the two `point` is in.

        Returns:
            The box of `mask` that changed; empty if nothing did.

        Raises:
            InputError: the point is not three finite numbers inside the volume.
        """
        click = Click(self._world(point, space), positive)
        clicks = (*self.clicks, click)
        if not self.mask.any() and not any(each.positive for each in clicks):
            state = replace(self._state, clicks=clicks)
            box = self._do(NOTHING, self.mask[NOTHING], self._by_hand[NOTHING], state)
            self.message = (
                "There is nothing to exclude from yet: the point is kept, "
                "now include a point of the object."
            )
            return box
        patch = self._patch_for(click)
        view = self._sight.look(patch, clicks, self._previous(patch))
        state = State(clicks, view.patch, pack_logits(view.logits), view.confidence)
        box, values = self._on_grid(view, clicks)
        changed = self._do(box, *self._with_edits(box, values, click), state)
        if is_cut(view.patch, view.logits, self._grid):
            self.message = (
                "The object goes on beyond what the network sees at once: "
                "click where it goes on to follow it."
            )
        return changed

    def undo(self) -> Box | None:
        """Take the last step back; return the box that changed, None if there is no step."""
        if not self._done:
            return None
        step = self._done.pop()
        self._undone.append(step)
        return self._turn(step, step.before)

    def redo(self) -> Box | None:
        """Do the last step undone again; return the box that changed, None if there is none."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(step)
        return self._turn(step, step.after)

    def reset(self) -> Box:
        """Forget clicks, mask and history, but not the embeddings; return the box that changed."""
        box = self._bounds
        self._clear()
        return box

    def start_from(self, mask: Mask) -> Box:
        """Go on from an existing mask, (k, j, i), as if the network had made it."""
        return self._replace(mask, by_hand=False)

    def edit(self, mask: Mask) -> Box:
        """Take over a mask, (k, j, i), that was changed by hand: what was changed stays.

        Only a later click into a changed place gives that place back to the network.
        """
        return self._replace(mask, by_hand=True)

    def probability(self) -> NDArray[np.float32]:
        """Estimate for every voxel, (k, j, i), how likely it belongs to the object.

        The mean of a few decoder passes over the kept embedding.
        """
        out = np.zeros(self._grid.shape_kji, np.float32)
        if (soft := self._soft()) is not None:
            assert self.patch is not None
            box, values = self.patch.paste(soft, self._grid.shape_kji, self.ijk_to_ras)
            out[box] = np.maximum(values, 0)
        return out

    def uncertainty(self) -> float:
        """Return how undecided those passes are: 0 if they agree, towards 1 if they do not."""
        if (soft := self._soft()) is None:
            return 0.0
        return float((soft * (1 - soft)).sum() / max(soft.sum(), 1e-6))

    def _soft(self) -> Logits | None:
        if self.patch is None or not self.clicks:
            return None
        logits = self._previous(self.patch)
        if logits is None:
            return None
        return self._sight.passes(View(self.patch, logits, 0.0), self.clicks)

    def _clear(self) -> None:
        self.mask: Mask = np.zeros(self._grid.shape_kji, bool)
        self._by_hand: Mask = np.zeros(self._grid.shape_kji, bool)
        self._bounds: Box = NOTHING
        self._state = State()
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self.message = ""

    def _world(self, point: ArrayLike, space: Space) -> tuple[float, float, float]:
        values = np.asarray(point, np.float64)
        if values.shape != (3,) or not np.isfinite(values).all():
            raise InputError(f"Got the point {point!r}; give three finite numbers.")
        if space not in ("ras", "ijk"):
            raise InputError(f"Got the space {space!r}; expected ras or ijk.")
        if space == "ijk":
            values = kji_to_ras(values[None, ::-1], self.ijk_to_ras)[0]
        if not self._grid.holds(values[None])[0]:
            i, j, k = ras_to_kji(values[None], self.ijk_to_ras)[0, ::-1]
            depth, height, width = self._grid.shape_kji
            raise InputError(
                f"The point {values.round(2).tolist()} mm is voxel ({i:.1f}, {j:.1f}, {k:.1f}), "
                f"outside the volume of {width} x {height} x {depth}: choose one inside it."
            )
        right, anterior, superior = values.tolist()
        return right, anterior, superior

    def _patch_for(self, click: Click) -> Patch:
        """Keep the patch if it holds the click; else take one that holds click and mask."""
        point = np.array([click.point_ras])
        if self.patch is not None and self.patch.contains(point, 4 * self.patch.spacing_mm)[0]:
            return self.patch
        size = self.model.patch_size
        box = bounds(self.mask[self._bounds])
        if 0 in box_shape(box):
            return first_patch(point[0], self._grid, self.spacing_mm, size)
        k, j, i = (
            slice(outer.start + inner.start, outer.start + inner.stop)
            for outer, inner in zip(self._bounds, box, strict=True)
        )
        corners = self._grid.corners_ras((k, j, i))
        both = patch_round(np.concatenate([corners, point]), self._grid, size)
        if both.contains(point)[0]:
            return both
        return first_patch(point[0], self._grid, self.spacing_mm, size)

    def _previous(self, patch: Patch) -> Logits | None:
        """Return what the network is to go on from: its last logits, or the mask."""
        if self._state.logits is not None and self._state.patch == patch:
            return unpack_logits(self._state.logits, self.model.mask_size)
        if not self.mask[self._bounds].any():
            return None
        cells = cells_of(patch, self.model.mask_size)
        share = cells.sample(self.mask.view(np.uint8), self.ijk_to_ras, outside=0.0)
        return (16 * share - 8).astype(np.float32)

    def _on_grid(self, view: View, clicks: tuple[Click, ...]) -> tuple[Box, Mask]:
        """Bring logits to the volume's grid, where they or the mask so far are inside."""
        within = join(self._grid.box_of(view.patch, view.logits > 0), self._bounds)
        if self.region is not None:
            within = meet(within, self.region)
        box, values = view.patch.paste(
            view.logits, self._grid.shape_kji, self.ijk_to_ras, within=within
        )
        included = np.array([c.point_ras for c in clicks if c.positive]).reshape(-1, 3)
        start = [part.start for part in box]
        index = ras_to_kji(included, self.ijk_to_ras) - start
        found = self.postprocessing.apply(values > 0, index)
        return box, np.where(np.isneginf(values), self.mask[box], found)

    def _with_edits(self, box: Box, values: Mask, click: Click) -> tuple[Mask, Mask]:
        """Keep what was edited by hand, save where the click says otherwise.

        Returns:
            The voxels of the box, and which of them stay edited by hand.
        """
        by_hand = self._by_hand[box]
        if not by_hand.any():
            return values, by_hand
        from scipy import ndimage

        disputed, _ = ndimage.label(by_hand & (values != self.mask[box]))
        point = ras_to_kji(np.array([click.point_ras]), self.ijk_to_ras)[0]
        voxel = np.clip(np.round(point).astype(int), 0, np.subtract(self.mask.shape, 1))
        index = tuple(voxel - [part.start for part in box])
        inside = all(0 <= n < length for n, length in zip(index, disputed.shape, strict=True))
        conceded = (disputed > 0) & (disputed == (disputed[index] if inside else -1))
        kept = by_hand & ~conceded
        return np.where(kept, self.mask[box], values), kept

    def _replace(self, mask: Mask, *, by_hand: bool) -> Box:
        if mask.shape != self.mask.shape or mask.dtype != bool:
            raise InputError(
                f"Got a mask of shape {mask.shape} and type {mask.dtype}; expected bool of the "
                f"volume's shape {self.mask.shape}."
            )
        box = join(bounds(mask), self._bounds)
        changed = mask[box] != self.mask[box]
        marks = self._by_hand[box] | changed if by_hand else np.zeros_like(changed)
        state = replace(self._state, logits=None)
        return self._do(box, mask[box], marks, state)

    def _do(self, box: Box, values: Mask, by_hand: Mask, after: State) -> Box:
        step = Step(
            Change.between(self.mask, box, values),
            Change.between(self._by_hand, box, by_hand),
            self._state,
            after,
        )
        self._done.append(step)
        self._undone.clear()
        return self._turn(step, after)

    def _turn(self, step: Step, state: State) -> Box:
        self._state = state
        self.message = ""
        step.by_hand.turn(self._by_hand)
        box = step.mask.turn(self.mask)
        self._bounds = join(self._bounds, box)
        return box


def _within(region: Box, shape_kji: tuple[int, ...]) -> Box:
    k, j, i = (
        slice(*part.indices(length)[:2]) for part, length in zip(region, shape_kji, strict=True)
    )
    return k, j, i
