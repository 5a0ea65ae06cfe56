"""What is drawn over the slices of a preview: clicks, and texts that stay legible on bone."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke

from .canonical import Scene

_ON, _OFF = "#7ddc5a", "#ff5c5c"
_DARK = "#0b0e14"
_NEAR_MM = 6.0


@dataclass(frozen=True)
class Plane:
    """A slice's direction: the world axes across the panel and up it, and what lies at its ends."""

    name: str
    across: int
    up: int
    ends: str
    """Left, right, bottom, top."""

    @property
    def through(self) -> int:
        """The world axis that the slice is cut across."""
        return 3 - self.across - self.up


def draw_clicks(
    panels: Sequence[Axes], scene: Scene, planes: Sequence[Plane], cuts: Sequence[int]
) -> None:
    """Draw each click where it is near a slice, or else hollow in the slice that it is nearest to.

    Args:
        panels: one a plane.
        scene: with the clicks.
        planes: the slices' directions.
        cuts: their indices.
    """
    for voxel, positive in scene.clicks:
        off_mm = [
            abs(voxel[plane.through] - cut) * float(scene.spacing_mm[plane.through])
            for plane, cut in zip(planes, cuts, strict=True)
        ]
        marker, colour = ("o", _ON) if positive else ("X", _OFF)
        for axes, plane, off in zip(panels, planes, off_mm, strict=True):
            near = off <= _NEAR_MM
            if not near and off > min(off_mm):
                continue
            x, y = (voxel[axis] * scene.spacing_mm[axis] for axis in (plane.across, plane.up))
            face, edge = (colour, "white") if near else ("none", colour)
            axes.plot(
                x, y, marker, mfc=face, mec=edge, mew=1.2, markersize=8, zorder=5,
                path_effects=outlined(),
            )  # fmt: skip
            if not near:
                axes.annotate(
                    f"{off:.0f} mm off", (x, y), (7, 0), textcoords="offset points", va="center",
                    color=colour, fontsize=8, zorder=5, path_effects=outlined(),
                )  # fmt: skip


def outlined(width: float = 3) -> list[AbstractPathEffect]:
    """Return what gives bright marks, texts and lines a dark outline."""
    return [Stroke(linewidth=width, foreground=_DARK), Normal()]
