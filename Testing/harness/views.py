"""Slice and 3D views without a window: the real displayable managers, real mouse and key events."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from matplotlib.image import imsave
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

from .headless import Headless
from .packages import missing

if "libegl-mesa0" not in missing():  # else VTK looks for an X server first, and complains
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

Pixel = tuple[float, float]
"""(x, y) from the lower left corner, as VTK counts."""
Picture = NDArray[np.uint8]
"""(height, width, 3), the upper row first."""

SLICE_MANAGERS = (
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
)
THREE_D_MANAGERS = (
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
)


@dataclass(frozen=True)
class Key:
    """A key as VTK names it."""

    symbol: str
    code: str = "\0"
    control: bool = False


DELETE = Key("Delete", "\x7f")


class View:
    """What slice and 3D views share: a window in memory, its events, its pictures."""

    def __init__(
        self, headless: Headless, factory: Any, managers: tuple[str, ...], size: tuple[int, int]
    ) -> None:
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.ShowWindowOff()
        self.window.SetMultiSamples(0)
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.EnableRenderOff()
        self.interactor.Initialize()
        self.group = _manager_group(headless, factory, managers, self.renderer)
        self.needs_render = True
        self.interactor.AddObserver(vtk.vtkCommand.RenderEvent, self._schedule)
        self.group.AddObserver(vtk.vtkCommand.UpdateEvent, self._schedule)

    def _schedule(self, *_: object) -> None:
        self.needs_render = True

    def render(self) -> None:
        """Draw the view now."""
        self.needs_render = False
        self.window.Render()

    def picture(self) -> Picture:
        """Draw the view and return its pixels."""
        self.render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
        return np.ascontiguousarray(pixels[::-1])

    def save(self, path: Path) -> None:
        """Draw the view into a PNG."""
        imsave(path, self.picture())

    def send(self, event: str, at: Pixel, *, control: bool = False, shift: bool = False) -> None:
        """Send one VTK event, such as `MouseMoveEvent`."""
        self.interactor.SetEventInformation(round(at[0]), round(at[1]), control, shift)
        self.interactor.InvokeEvent(event)

    def hover(self, at: Pixel) -> None:
        """Move the mouse to a pixel."""
        self.send("MouseMoveEvent", at)

    def click(self, at: Pixel, button: str = "Left") -> None:
        """Click at a pixel."""
        self.hover(at)
        self.send(f"{button}ButtonPressEvent", at)
        self.send(f"{button}ButtonReleaseEvent", at)

    def drag(self, start: Pixel, end: Pixel, steps: int = 5) -> None:
        """Press the left button at one pixel and release it at another."""
        self.hover(start)
        self.send("LeftButtonPressEvent", start)
        for step in range(1, steps + 1):
            part = step / steps
            along = [a + (b - a) * part for a, b in zip(start, end, strict=True)]
            self.hover((along[0], along[1]))
        self.send("LeftButtonReleaseEvent", end)

    def press(self, key: Key, at: Pixel) -> None:
        """Press a key while the mouse is at a pixel."""
        self.hover(at)
        self.interactor.SetKeyEventInformation(key.control, 0, key.code, 0, key.symbol)
        for event in ("KeyPressEvent", "CharEvent", "KeyReleaseEvent"):
            self.interactor.InvokeEvent(event)


class SliceView(View):
    """A slice view with its own slice and composite nodes."""

    def __init__(
        self, headless: Headless, name: str, orientation: str, size: tuple[int, int] = (300, 300)
    ) -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        super().__init__(headless, factory, SLICE_MANAGERS, size)
        self.size = size
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self._mapper = self._add_image()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(headless.logic)
        headless.logic.GetSliceLogics().AddItem(self.logic)
        self.style = slicer.vtkMRMLSliceViewInteractorStyle()
        self.style.SetSliceLogic(self.logic)
        self.style.SetDisplayableManagers(self.group)
        self.logic.SetMRMLScene(headless.scene)
        self.node = self.logic.AddSliceNode(name)
        self.group.SetMRMLDisplayableNode(self.node)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self.style.SetInteractor(self.interactor)
        self.node.SetOrientation(orientation)
        self.logic.ResizeSliceNode(*size)
        self.logic.AddObserver(vtk.vtkCommand.ModifiedEvent, self._schedule)

    def _add_image(self) -> Any:
        """Add what draws the slice, behind all else."""
        mapper = vtk.vtkImageMapper()
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)
        return mapper

    def show(self, volume: Any) -> None:
        """Show a volume, as large as it fits."""
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        self.logic.ResizeSliceNode(*self.size)
        self.logic.FitSliceToBackground()

    def render(self) -> None:
        """Draw the view now."""
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())
        super().render()

    def pixel_of(self, point_ras: tuple[float, float, float]) -> Pixel:
        """Return the pixel below which a point in mm lies."""
        to_pixel = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), to_pixel)
        x, y, _, _ = to_pixel.MultiplyPoint((*point_ras, 1.0))
        return x, y

    def point_of(self, pixel: Pixel) -> tuple[float, float, float]:
        """Return the point in mm that a pixel shows."""
        r, a, s, _ = self.node.GetXYToRAS().MultiplyPoint((*pixel, 0.0, 1.0))
        return r, a, s


class ThreeDView(View):
    """A 3D view with its own view node."""

    def __init__(
        self, headless: Headless, name: str = "1", size: tuple[int, int] = (300, 300)
    ) -> None:
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        super().__init__(headless, factory, THREE_D_MANAGERS, size)
        self.style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self.style.SetDisplayableManagers(self.group)
        self.style.SetInteractor(self.interactor)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyle3D())
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(headless.logic)
        headless.logic.GetViewLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(headless.scene)
        self.node = self.logic.AddViewNode(name)
        self.group.SetMRMLDisplayableNode(self.node)

    def look_at_everything(self) -> None:
        """Move the camera so that all that is shown is in the picture."""
        self.renderer.ResetCamera()


def _manager_group(
    headless: Headless, factory: Any, managers: tuple[str, ...], renderer: Any
) -> Any:
    factory.SetMRMLApplicationLogic(headless.logic)
    for name in managers:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.SetRenderer(renderer)
    group.Initialize(factory, renderer)
    return group
