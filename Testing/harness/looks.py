"""The colours of Slicer's light and dark styles, for pictures of a panel."""

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6 import QtGui, QtWidgets

from .application import Application

ROLE, GROUP = QtGui.QPalette.ColorRole, QtGui.QPalette.ColorGroup


def _palette(colours: dict[QtGui.QPalette.ColorRole, str], faint: str) -> QtGui.QPalette:
    palette = QtGui.QPalette()
    for role, colour in colours.items():
        palette.setColor(role, QtGui.QColor(colour))
    for role in (ROLE.WindowText, ROLE.Text, ROLE.ButtonText):
        palette.setColor(GROUP.Disabled, role, QtGui.QColor(faint))
    return palette


LIGHT = _palette(
    {
        ROLE.Window: "#efefef", ROLE.WindowText: "#000000", ROLE.Base: "#ffffff",
        ROLE.AlternateBase: "#f7f7f7", ROLE.Text: "#000000", ROLE.Button: "#efefef",
        ROLE.ButtonText: "#000000", ROLE.Highlight: "#308cc6", ROLE.HighlightedText: "#ffffff",
        ROLE.Link: "#0000ff", ROLE.PlaceholderText: "#808080",
    },
    "#a0a0a0",
)  # fmt: skip
DARK = _palette(
    {
        ROLE.Window: "#323232", ROLE.WindowText: "#ffffff", ROLE.Base: "#1e1e1e",
        ROLE.AlternateBase: "#2a2a2a", ROLE.Text: "#ffffff", ROLE.Button: "#323232",
        ROLE.ButtonText: "#ffffff", ROLE.Highlight: "#2a82da", ROLE.HighlightedText: "#ffffff",
        ROLE.Link: "#6cb2ff", ROLE.PlaceholderText: "#909090",
    },
    "#7f7f7f",
)  # fmt: skip


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
