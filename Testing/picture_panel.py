"""Pictures of the panel beside a slice, in Slicer's light and dark colours, without a desktop.

A session on the built-in phantom with the default weights, clicked as in `make_slicer_pictures`.
"""

from pathlib import Path
from typing import Annotated

import typer
from PySide6 import QtCore, QtGui

from bench_networks import default_network
from desk import Desk
from fastsam3d.phantom import make_phantom
from harness import application, looks
from harness.surfaced import surfaced
from harness.views import Picture
from make_slicer_pictures import ABDOMEN, Case, Target, played

SCREENSHOTS = Path(__file__).parents[1] / "Resources" / "Screenshots"
PANEL_PIXELS = (400, 560)
VIEW_PIXELS = (560, 560)
LOOKS = {"panel": looks.LIGHT, "panel-dark": looks.DARK}


def kidneys() -> Case:
    """Take the phantom and its kidneys."""
    phantom = make_phantom()
    targets = (
        Target("left kidney", phantom.organ("left kidney"), (0.45, 0.65, 0.95), 5),
        Target("right kidney", phantom.organ("right kidney"), (0.95, 0.78, 0.3), 5),
    )
    return Case(phantom.array_kji, phantom.ijk_to_ras, targets)


def main(
    folder: Annotated[Path, typer.Argument(help="Where the PNG files go.")] = SCREENSHOTS,
) -> None:
    """Play a session and write pictures of its end."""
    case = kidneys()
    with surfaced():
        desk = Desk(case.scan_kji, case.ijk_to_ras, default_network()[0], VIEW_PIXELS)
        desk.volume.SetName("Phantom")
        desk.volume.GetDisplayNode().AutoWindowLevelOff()
        desk.volume.GetDisplayNode().SetWindowLevelMinMax(*ABDOMEN)
        desk.panel.show()
        for line in played(desk, case):
            typer.echo(line)
        desk.choose_sign(positive=True)
        for name, look in LOOKS.items():
            drawn(desk, look).save(str(folder / f"{name}.png"))
        desk.close()


def drawn(desk: Desk, look: QtGui.QPalette) -> QtGui.QImage:
    """Draw the panel beside the axial view."""
    with looks.dressed(application.start(), look):
        desk.dress()
        desk.panel.resize(*PANEL_PIXELS)
        desk.settle()
        left = desk.panel.grab().toImage()
    right = image_of(desk.views["Red"].picture())
    height = max(left.height(), right.height())
    both = QtGui.QImage(left.width() + right.width(), height, left.format())
    both.fill(look.color(QtGui.QPalette.ColorRole.Window))
    painter = QtGui.QPainter(both)
    painter.drawImage(QtCore.QPoint(0, 0), left)
    painter.drawImage(QtCore.QPoint(left.width(), 0), right)
    painter.end()
    return both


def image_of(picture: Picture) -> QtGui.QImage:
    height, width, _ = picture.shape
    kind = QtGui.QImage.Format.Format_RGB888
    return QtGui.QImage(picture.tobytes(), width, height, 3 * width, kind).copy()


if __name__ == "__main__":
    typer.run(main)
