"""The colours of Slicer's light and dark styles, for pictures of a panel."""

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6 import QtGui, QtWidgets

from .application import Application

ROLE, GROUP = QtGui.QPalette.ColorRole, QtGui.QPalette.ColorGroup


COLOURED = (
    ROLE.Window, ROLE.WindowText, ROLE.Base, ROLE.AlternateBase, ROLE.Text, ROLE.Button,
    ROLE.ButtonText, ROLE.Highlight, ROLE.HighlightedText, ROLE.Link, ROLE.PlaceholderText,
)  # fmt: skip
"""What `_palette` gives a colour to, in this order."""
FAINT = (ROLE.WindowText, ROLE.Text, ROLE.ButtonText)
"""What looks different where it is disabled."""


def _palette(colours: str, faint: str) -> QtGui.QPalette:
    palette = QtGui.QPalette()
    for role, colour in zip(COLOURED, colours.split(), strict=True):
        palette.setColor(role, QtGui.QColor(colour))
    for role in FAINT:
        palette.setColor(GROUP.Disabled, role, QtGui.QColor(faint))
    return palette


LIGHT = _palette(
    "#efefef #000000 #ffffff #f7f7f7 #000000 #efefef #000000 #308cc6 #ffffff #0000ff #808080",
    faint="#a0a0a0",
)
DARK = _palette(
    "#323232 #ffffff #1e1e1e #2a2a2a #ffffff #323232 #ffffff #2a82da #ffffff #6cb2ff #909090",
    faint="#7f7f7f",
)


@contextmanager
def dressed(application: Application, look: QtGui.QPalette) -> Iterator[None]:
    """Give the application a look for a while."""
    before = QtGui.QGuiApplication.palette()
    QtWidgets.QApplication.setPalette(look)
    application.processEvents()
    try:
        yield
    finally:
        QtWidgets.QApplication.setPalette(before)
        application.processEvents()
