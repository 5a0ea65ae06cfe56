# ruff: noqa: N802, N815 -- these answer to the names of C++ classes
"""Slicer's layout manager over offscreen views: three slice views and a 3D view."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .headless import Headless
from .views import SliceView, ThreeDView, View

ORIENTATIONS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}


@dataclass(frozen=True)
class ViewHandle:
    """What `sliceWidget(name).sliceView()` and `threeDWidget(0).threeDView()` give."""

    view: View

    def forceRender(self) -> None:
        """Draw now."""
        self.view.render()

    def scheduleRender(self) -> None:
        """Draw when the application next sees to its events."""
        self.view.needs_render = True


@dataclass(frozen=True)
class SliceWidget:
    """What `layoutManager().sliceWidget(name)` gives."""

    view: SliceView

    def sliceLogic(self) -> Any:
        """Return the logic."""
        return self.view.logic

    def mrmlSliceNode(self) -> Any:
        """Return the slice node."""
        return self.view.node

    def sliceView(self) -> ViewHandle:
        """Return the view."""
        return ViewHandle(self.view)


@dataclass(frozen=True)
class ThreeDWidget:
    """What `layoutManager().threeDWidget(index)` gives."""

    view: ThreeDView

    def mrmlViewNode(self) -> Any:
        """Return the view node."""
        return self.view.node

    def threeDView(self) -> ViewHandle:
        """Return the view."""
        return ViewHandle(self.view)


class LayoutManager:
    """The views of a four-up layout; each is made when it is first asked for."""

    threeDViewCount = 1
    tableViewCount = plotViewCount = 0

    def __init__(self, headless: Headless) -> None:
        self._headless = headless
        self.slices: dict[str, SliceView] = {}
        self._paused = 0

    def slice_view(self, name: str) -> SliceView:
        """Return a slice view: Red, Yellow or Green."""
        if name not in self.slices:
            self.slices[name] = SliceView(self._headless, name, ORIENTATIONS[name])
        return self.slices[name]

    @cached_property
    def three_d_view(self) -> ThreeDView:
        """The 3D view."""
        return ThreeDView(self._headless)

    def sliceViewNames(self) -> tuple[str, ...]:
        """Return the slice views' names."""
        return tuple(ORIENTATIONS)

    def mrmlSliceLogics(self) -> Any:
        """Return the logics of the slice views made so far."""
        return self._headless.logic.GetSliceLogics()

    def resetSliceViews(self) -> None:
        """Fit what is shown into the slice views."""
        for view in self.slices.values():
            view.logic.FitSliceToBackground()

    def sliceWidget(self, name: str) -> SliceWidget:
        """Return a slice view's widget."""
        return SliceWidget(self.slice_view(name))

    def threeDWidget(self, index: int) -> ThreeDWidget:
        """Return a 3D view's widget."""
        if index != 0:
            raise IndexError(f"There is one 3D view, number 0, and no number {index}.")
        return ThreeDWidget(self.three_d_view)

    def show(self, volume: Any) -> None:
        """Show a volume in the three slice views."""
        for name in ORIENTATIONS:
            self.slice_view(name).show(volume)

    def pause(self, *, paused: bool) -> None:
        """Hold drawing, or end one hold of it."""
        self._paused = max(0, self._paused + (1 if paused else -1))

    def render_scheduled(self) -> int:
        """Draw the views that have asked for it and return how many did."""
        views = [*self.slices.values(), *self._made_three_d()]
        waiting = [view for view in views if view.needs_render and not self._paused]
        for view in waiting:
            view.render()
        return len(waiting)

    def _made_three_d(self) -> list[ThreeDView]:
        return [self.three_d_view] if "three_d_view" in self.__dict__ else []
