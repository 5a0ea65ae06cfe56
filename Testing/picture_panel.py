"""Make the pictures of the panel in the README: `python Testing/picture_panel.py`.

A session on the built-in phantom with the default weights, clicked by real mouse events in real
views; drawn without a window, in Slicer's light and dark colours, into `Resources/Screenshots`.
"""

# ruff: noqa: E402 -- the harness is started before what needs it is imported

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / name) for name in ("Testing", "FastSAM3DSlicer", "model")]

from harness import application as slicer_application

application = slicer_application.start()

import slicer
from PySide6 import QtCore, QtGui

from fastsam3d.phantom import ORGANS, make_phantom
from harness import fastsam, looks
from harness.views import Picture, SliceView

FOLDER = ROOT / "Resources" / "Screenshots"
PANEL_PX = (400, 560)
VIEW_PX = (560, 560)
WINDOW_HU, LEVEL_HU = 400, 60
SHOWN = ("spleen", "liver")


def add_phantom() -> tuple[Any, dict[str, tuple[float, float, float]]]:
    """Add the phantom to the scene; return it and a place in the middle of each organ, RAS mm."""
    phantom = make_phantom()
    volume = slicer.util.addVolumeFromArray(phantom.array_kji, phantom.ijk_to_ras, "Phantom")
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevel(WINDOW_HU, LEVEL_HU)
    return volume, {name: _inside(phantom, name) for name in ORGANS}


def click(view: SliceView, place: tuple[float, float, float]) -> None:
    """Show a place and click on it."""
    view.node.JumpSliceByOffsetting(*place)
    application.processEvents()
    view.click(view.pixel_of(place))
    fastsam.settle(application)


def picture_of(panel: Any, view: SliceView, look: QtGui.QPalette) -> QtGui.QImage:
    """Draw the panel beside the view."""
    with looks.dressed(application, look):
        panel.source.FastSAM3DSlicerWidget._showIcons(panel.widget)
        panel.panel.resize(*PANEL_PX)
        fastsam.settle(application)
        left = panel.panel.grab().toImage()
    right = _image(view.picture())
    both = QtGui.QImage(left.width() + right.width(), left.height(), left.format())
    painter = QtGui.QPainter(both)
    painter.drawImage(QtCore.QPoint(0, 0), left)
    painter.drawImage(QtCore.QPoint(left.width(), 0), right)
    painter.end()
    return both


def _inside(phantom: Any, name: str) -> tuple[float, float, float]:
    """Return the voxel of an organ that is farthest from its border, in RAS mm."""
    import numpy as np
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(phantom.organ(name))
    k, j, i = np.unravel_index(depth.argmax(), depth.shape)
    right, anterior, superior, _ = phantom.ijk_to_ras @ [i, j, k, 1]
    return float(right), float(anterior), float(superior)


def _image(picture: Picture) -> QtGui.QImage:
    height, width, _ = picture.shape
    kind = QtGui.QImage.Format.Format_RGB888
    return QtGui.QImage(picture.tobytes(), width, height, 3 * width, kind).copy()


def main() -> None:
    """Make the pictures."""
    panel = slicer_application.load_module(fastsam.MODULE, enter=False)
    volume, middles = add_phantom()
    view = SliceView(slicer_application.headless.start(), "Red", "Axial", VIEW_PX)
    application.layout.slices["Red"] = view
    view.show(volume)
    panel.widget.enter()
    panel.panel.show()
    panel.widget.ui.includeButton.click()
    for name in SHOWN:
        if panel.widget.logic.status.volumeMl:
            panel.widget.ui.nextButton.click()
        click(view, middles[name])
        node, segment = panel.widget.logic.segmentationNode, panel.widget.logic.segmentId
        node.GetSegmentation().GetSegment(segment).SetName(name)
    for name, look in (("panel", looks.LIGHT), ("panel-dark", looks.DARK)):
        picture_of(panel, view, look).save(str(FOLDER / f"{name}.png"))
    panel.unload()


if __name__ == "__main__":
    main()
