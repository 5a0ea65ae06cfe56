"""One object in one volume, click by click."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .edits import keep_edits
from .errors import InputError
from .geometry import Box, Patch, box_shape, meet, ras_to_kji
from .grid import Grid, Space
from .history import NOTHING, Change, Mask, bounds, join, nested
from .mosaic import Logits, View, blend, cells_of, in_patch
from .postprocess import Postprocessing
from .pursuit import goes_on, look_round
from .refinement import refine
from .sight import Click, Network, Sight
from .state import State, Step
from .zoom import first_patch, patch_round


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
        click = Click(self._grid.world(point, space), positive)
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
        known = self._state.views(self.model.mask_size)
        views = look_round(self._sight, patch, self._previous(patch), known, clicks)
        return self._show(views, clicks, click)

    def refine(self) -> Box:
        """Draw the border more finely: look at the object again in finer cubes that overlap.

        Worth it where an object is larger than a patch, and its mask coarse. One step to undo.

        Returns:
            The box of `mask` that changed; empty, with a message, if nothing did.
        """
        views = self._state.views(self.model.mask_size) or self._from_mask()
        finer = refine(self._sight, views, self.clicks, self._previous) if views else ()
        if not finer:
            self.message = (
                "There is nothing to refine: the mask is empty or as fine as can be, "
                "or a closer look shows something else."
            )
            return NOTHING
        return self._show(finer, self.clicks, None)

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
        soft = self._soft()
        box = NOTHING
        for view in soft:
            box = join(box, view.patch.box_in(self._grid.shape_kji, self.ijk_to_ras))
        out[box] = np.maximum(blend(soft, self._grid.shape_kji, self.ijk_to_ras, box), 0)
        return out

    def uncertainty(self) -> float:
        """Return how undecided those passes are: 0 if they agree, towards 1 if they do not."""
        soft = np.array([view.logits for view in self._soft()])
        return float((soft * (1 - soft)).sum() / max(soft.sum(), 1e-6))

    def _soft(self) -> list[View]:
        """Return probabilities in place of logits."""
        if not self.clicks:
            return []
        views = self._state.views(self.model.mask_size) or self._from_mask()
        return [view._replace(logits=self._sight.passes(view, self.clicks)) for view in views]

    def _clear(self) -> None:
        self.mask: Mask = np.zeros(self._grid.shape_kji, bool)
        self._by_hand: Mask = np.zeros(self._grid.shape_kji, bool)
        self._bounds: Box = NOTHING
        self._state = State()
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self.message = ""

    def _patch_for(self, click: Click) -> Patch:
        """Keep the patch that holds the click best; else take one that holds click and mask."""
        if (patch := self._state.patch_at(click)) is not None:
            return patch
        point, size = np.array([click.point_ras]), self.model.patch_size
        box = self._mask_box()
        if 0 in box_shape(box):
            return first_patch(point[0], self._grid, self.spacing_mm, size)
        if self.patch is not None:
            return first_patch(point[0], self._grid, self.patch.spacing_mm, size)
        corners = self._grid.corners_ras(box)
        both = patch_round(np.concatenate([corners, point]), self._grid, size)
        if both.contains(point)[0]:
            return both
        return first_patch(point[0], self._grid, self.spacing_mm, size)

    def _mask_box(self) -> Box:
        """Return the smallest box that holds the mask; an empty one if there is none."""
        return nested(self._bounds, bounds(self.mask[self._bounds]))

    def _from_mask(self) -> list[View]:
        """Return the mask as if it had been seen: in the patch, or in one round it."""
        box = self._mask_box()
        if 0 in box_shape(box):
            return []
        size = self.model.patch_size
        patch = self.patch or patch_round(self._grid.corners_ras(box), self._grid, size)
        previous = self._previous(patch)
        return [] if previous is None else [View(patch, previous, self.confidence)]

    def _previous(self, patch: Patch) -> Logits | None:
        """Return what the network is to go on from: its logits so far, or the mask."""
        cells = self.model.mask_size
        if (own := self._state.logits(patch, cells)) is not None:
            return own
        if not self.mask[self._bounds].any():
            return None
        if views := self._state.views(cells):
            return in_patch(views, patch, cells)
        share = cells_of(patch, cells).sample(
            self.mask.view(np.uint8), self.ijk_to_ras, outside=0.0
        )
        return (16 * share - 8).astype(np.float32)

    def _show(self, views: tuple[View, ...], clicks: tuple[Click, ...], click: Click | None) -> Box:
        """Bring views to the mask as one step, and remember them."""
        state = self._state.after(clicks, views)
        box, values = self._on_grid(views, clicks)
        voxel = None if click is None else self._grid.voxel_at(click.point_ras)
        changed = self._do(box, *keep_edits(self.mask, self._by_hand, box, values, voxel), state)
        if goes_on(views, clicks, self._grid):
            self.message = (
                "The object goes on beyond what the network sees at once: "
                "click where it goes on to follow it."
            )
        return changed

    def _on_grid(self, views: tuple[View, ...], clicks: tuple[Click, ...]) -> tuple[Box, Mask]:
        """Bring logits to the volume's grid, where they or the mask so far are inside."""
        within, reach = self._bounds, NOTHING
        for view in views:
            within = join(within, self._grid.box_of(view.patch, view.logits > 0))
            reach = join(reach, view.patch.box_in(self._grid.shape_kji, self.ijk_to_ras))
        within = meet(within, reach)
        if self.region is not None:
            within = meet(within, self.region)
        values = blend(views, self._grid.shape_kji, self.ijk_to_ras, within)
        included = np.array([c.point_ras for c in clicks if c.positive]).reshape(-1, 3)
        index = ras_to_kji(included, self.ijk_to_ras) - [part.start for part in within]
        found = self.postprocessing.apply(values > 0, index)
        return within, np.where(np.isneginf(values), self.mask[within], found)

    def _replace(self, mask: Mask, *, by_hand: bool) -> Box:
        if mask.shape != self.mask.shape or mask.dtype != bool:
            raise InputError(
                f"Got a mask of shape {mask.shape} and type {mask.dtype}; expected bool of the "
                f"volume's shape {self.mask.shape}."
            )
        box = join(bounds(mask), self._bounds)
        changed = mask[box] != self.mask[box]
        marks = self._by_hand[box] | changed if by_hand else np.zeros_like(changed)
        state = replace(self._state, seen=())
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
