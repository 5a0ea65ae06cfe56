"""Load a `.ui` file as Slicer does: custom widgets become doubles, its connections are made."""

from collections.abc import Iterable
from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from . import pythonqt


class UiLoader(QtUiTools.QUiLoader):
    """Qt's loader, with the doubles; connections go through PythonQt's `connect`."""

    doubles: Iterable[type[QtWidgets.QWidget]] = ()

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        for kind in self.doubles:
            self.registerCustomWidget(kind)

    def load(
        self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None
    ) -> QtWidgets.QWidget:
        """Return the widget that a file describes."""
        root = ElementTree.fromstring(bytes(device.readAll().data()))
        connections = [_connection(found) for found in root.iter("connection")]
        for found in root.findall("connections"):
            root.remove(found)  # Qt's own loader knows the doubles' signals by other signatures
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        with pythonqt.loading():
            widget = super().load(buffer, parent)
        for sender, signal, receiver, slot in connections:
            pythonqt.connect(_named(widget, sender), signal, _named(widget, receiver), slot)
        return widget


def _connection(element: ElementTree.Element) -> tuple[str, str, str, str]:
    sender, signal, receiver, slot = (
        element.findtext(tag, "") for tag in ("sender", "signal", "receiver", "slot")
    )
    return sender, signal, receiver, slot


def _named(widget: QtWidgets.QWidget, name: str) -> QtCore.QObject:
    if widget.objectName == name:
        return widget
    found = widget.findChild(QtCore.QObject, name)
    if found is None:
        raise LookupError(f"A connection of the .ui names {name!r}, which is not in it.")
    return found
