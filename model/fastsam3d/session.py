"""One object in one volume, click by click."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .edits import Foreign, Said, agreed, as_logits, included_kji, keep_edits
from .geometry import Box, Patch, box_shape, meet
from .grid import Grid, Space
from .history import NOTHING, Change, Mask, bounds, join, nested
from .mosaic import Logits, View, blend, in_patch
from .pieces import holding, row_ends
from .postprocess import Postprocessing
from .pursuit import Cuts, goes_on, look_round
from .refinement import refine
from .sight import Click, Network, Sight
from .state import Past, State, Step
from .zoom import first_patch, patch_round, patch_with


class Session:
    """Segments one object of one volume.

    Attributes:
        model: encodes patches and decodes clicks.
        volume_kji: (k, j, i), read only where patches are; may be memory-mapped.
        ijk_to_ras: (4, 4), voxel centres (i, j, k, 1) to mm; any affine that can be inverted.
        spacing_mm: of the first patch.
        region: voxels beyond it are never written by a click; None for the whole volume.
        postprocessing: of what the network says; not of `probability`.
        mask: (k, j, i) the object so far; it changes with each step, so copy what is to be kept.
            Change it through `edit` or `start_from`.
        message: the last thing that a user should be told, or "".
    """

    def __init__(
        self,
        model: Network,
        volume_kji: NDArray[Any],
        ijk_to_ras: NDArray[np.float64],
        spacing_mm: float = 1.5,
        region: Box | None = None,
        postprocessing: Postprocessing | None = None,
    ) -> None:
        """Open a session; see the attributes.

        Raises:
            InputError: no 3D volume, or a region that is none.
        """
        self.model, self.volume_kji = model, volume_kji
        self.ijk_to_ras = np.asarray(ijk_to_ras, np.float64)
        self._grid = Grid.of(volume_kji, self.ijk_to_ras)
        self._sight = Sight(model, volume_kji, self._grid)
        self.spacing_mm = spacing_mm
        self.region = region
        self.postprocessing = postprocessing or Postprocessing()
        self.mask: Mask = np.zeros(self._grid.shape_kji, bool)
        self._by_hand: Mask = np.zeros(self._grid.shape_kji, bool)
        self._bounds = NOTHING  # holds all that is true in the two masks
        self.reset()

    @property
    def region(self) -> Box | None:
        """Return the box beyond which no click writes; None for the whole volume."""
        return self._region

    @region.setter
    def region(self, region: Box | None) -> None:
        self._region = None if region is None else self._grid.part(region)

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
        if not any(each.positive for each in clicks) and not self.mask[self._bounds].any():
            state = replace(self._state, clicks=clicks)
            box = self._do(NOTHING, self.mask[NOTHING], self._by_hand[NOTHING], state)
            self.message = (
                "There is nothing to exclude from yet: the point is kept, "
                "now include a point of the object."
            )
            return box
        patch, cuts = self._patch_for(click), Cuts(clicks, self._grid)
        known = self._state.views(self.model.mask_size)
        views = look_round(self._sight, patch, self._previous(known, patch), known, cuts)
        return self._show(views, cuts, click)

    def refine(self) -> Box:
        """Draw the border more finely: look at the object again in finer cubes that overlap.

        Worth it where an object is larger than a patch, and its mask coarse. One step to undo.

        Returns:
            The box of `mask` that changed; empty, with a message, if nothing did.
        """
        known = self._state.views(self.model.mask_size)
        finer: tuple[View, ...] = ()
        if views := known or self._from_mask():
            finer = refine(self._sight, views, self.clicks, lambda at: self._previous(known, at))
        if not finer:
            self.message = (
                "There is nothing to refine: the mask is empty or as fine as can be, "
                "or a closer look shows something else."
            )
            return NOTHING
        return self._show(finer, Cuts(self.clicks, self._grid), None)

    def undo(self) -> Box | None:
        """Take the last step back; return the box that changed, None if there is no step."""
        if (step := self._past.back()) is None:
            return None
        box = self._turn(step, step.before)
        self._bounds = step.bounds
        return box

    def redo(self) -> Box | None:
        """Do the last step undone again; return the box that changed, None if there is none."""
        step = self._past.forth()
        return None if step is None else self._turn(step, step.after)

    def reset(self) -> Box:
        """Forget clicks, mask and history, but not the embeddings; return the box that changed."""
        box, self._bounds = self._bounds, NOTHING
        # Not by new masks: memory that is written to for the first time costs 8 ms a click.
        self.mask[box] = self._by_hand[box] = False
        self._state, self._past, self.message = State(), Past(), ""
        return box

    def tidy(self) -> None:
        """Do what can wait until the mask is shown: keep the last step small."""
        self._past.pack()

    def start_from(self, mask: Mask) -> Box:
        """Go on from an existing mask, (k, j, i), that came from elsewhere.

        It stays, as if all of it had been drawn by hand, save where a click says otherwise: each
        changes the piece that it lies in, and the core of the mask is never taken away. `refine`
        draws its border anew.
        """
        known = Foreign(self.clicks) if mask.any() else State(self.clicks)
        return self._replace(mask, known, by_hand=False)

    def edit(self, mask: Mask) -> Box:
        """Take over a mask, (k, j, i), that was changed by hand: what was changed stays.

        Only a later click into a changed place gives that place back to the network: of a piece
        that it excludes, no more than is nearer to it than to the core of the mask.
        """
        return self._replace(mask, replace(self._state, seen=()), by_hand=True)

    def probability(self) -> NDArray[np.float32]:
        """Estimate for every voxel, (k, j, i), how likely it belongs to the object.

        The mean of a few decoder passes over the kept embedding. It is the mask, 1 or 0, where it
        was edited by hand, beyond the region and what was looked at, and before the first click.
        """
        out = self.mask.astype(np.float32)
        soft = self._soft()
        box = self._reach(soft)
        likely = blend(soft, self._grid.shape_kji, self.ijk_to_ras, box)
        known = self._by_hand[box] | np.isneginf(likely)
        out[box] = np.where(known, out[box], likely)
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

    def _patch_for(self, click: Click) -> Patch:
        """Keep the patch that holds the click best; else take one that holds click and mask."""
        if (patch := self._state.patch_at(click)) is not None:
            return patch
        box, size = self._mask_box(), self.model.patch_size
        point = np.array(click.point_ras)
        if 0 in box_shape(box):
            return first_patch(point, self._grid, self.spacing_mm, size)
        if self.patch is not None:
            return first_patch(point, self._grid, self.patch.spacing_mm, size)
        corners = self._grid.corners_ras(box)
        return patch_with(point, corners, self._grid, self.spacing_mm, size)

    def _mask_box(self) -> Box:
        """Return the smallest box that holds the mask; an empty one if there is none."""
        return nested(self._bounds, bounds(self.mask[self._bounds]))

    def _from_mask(self) -> list[View]:
        """Return the mask as if it had been seen, in a patch round it."""
        box = self._mask_box()
        if 0 in box_shape(box):
            return []
        patch = patch_round(self._grid.corners_ras(box), self._grid, self.model.patch_size)
        logits = as_logits(self.mask, self.ijk_to_ras, patch, self.model.mask_size)
        return [View(patch, logits, self.confidence)]

    def _previous(self, known: Sequence[View], patch: Patch) -> Logits | None:
        """Return what the network is to go on from: its logits so far, or the mask."""
        own = [view.logits for view in known if view.patch == patch]
        if own or not self.mask[self._bounds].any():
            return own[0] if own else None
        if known:
            return in_patch(known, patch, self.model.mask_size)
        return as_logits(self.mask, self.ijk_to_ras, patch, self.model.mask_size)

    def _show(self, views: tuple[View, ...], cuts: Cuts, click: Click | None) -> Box:
        """Bring views to the mask as one step, and remember them."""
        clicks = tuple(cuts.clicks)
        box, values = self._on_grid(views, clicks)
        said = None if click is None else Said.by(click, clicks, self._grid)
        foreign = isinstance(self._state, Foreign)
        kept, marks = keep_edits(self.mask, self._by_hand, box, values, said, foreign=foreign)
        views = agreed(views, box, values, kept, self.ijk_to_ras)
        changed = self._do(box, kept, marks, self._state.after(clicks, views))
        if goes_on(views, cuts):
            self.message = (
                "The object goes on beyond what the network sees at once: "
                "click where it goes on to follow it."
            )
        return changed

    def _on_grid(self, views: tuple[View, ...], clicks: tuple[Click, ...]) -> tuple[Box, Mask]:
        """Bring logits to the volume's grid, where they or the mask so far are inside."""
        within = self._bounds
        for view in views:
            within = join(within, self._grid.box_of(view.patch, row_ends(view.logits > 0)))
        within = meet(within, self._reach(views))
        inside, shown = self._sight.scan.signs(views, within)
        index = included_kji(clicks, self.ijk_to_ras) - [part.start for part in within]
        fixed = self.mask if isinstance(self._state, Foreign) else self._by_hand
        firm = holding(inside, shown, within, self.mask, fixed)
        found = self.postprocessing.apply(inside, index, firm)
        return within, found if shown.all() else np.where(shown, found, self.mask[within])

    def _reach(self, views: Sequence[View]) -> Box:
        """Return the part of the region that views may show."""
        reach = self._grid.reach(view.patch for view in views)
        return reach if self.region is None else meet(reach, self.region)

    def _replace(self, mask: Mask, state: State, *, by_hand: bool) -> Box:
        self._grid.check_mask(mask)
        box = join(bounds(mask), self._bounds)
        changed = mask[box] != self.mask[box]
        marks = self._by_hand[box] | changed if by_hand else np.zeros_like(changed)
        return self._do(box, mask[box], marks, state)

    def _do(self, box: Box, values: Mask, by_hand: Mask, after: State) -> Box:
        turned = Change.between(self.mask, box, values)
        marked = Change.between(self._by_hand, box, by_hand)
        step = Step(turned, marked, self._state, after, self._bounds)
        self._past.add(step)
        return self._turn(step, after)

    def _turn(self, step: Step, state: State) -> Box:
        self._state = state
        self.message = ""
        step.by_hand.turn(self._by_hand)
        box = step.mask.turn(self.mask)
        self._bounds = join(self._bounds, box)
        return box
