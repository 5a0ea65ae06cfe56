# ruff: noqa: N801, N802, N815 -- these stand for C++ classes and are called by their names
"""Doubles of the ctk widgets: the C++ names, and a look near enough to judge a panel by."""

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from .pythonqt import double

UNLIMITED = 16777215
"""Qt's largest height of a widget."""


def stored(kind: type | str, name: str, default: object) -> Property:
    """Return a Qt property that is kept and has no effect of its own."""

    def read(self: Any) -> object:
        return self.__dict__.get(f"_{name}", default)

    def write(self: Any, value: object) -> None:
        self.__dict__[f"_{name}"] = value

    return Property(kind, read, write)


@double
class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A headline that folds away what is below it."""

    contentsCollapsed = Signal(bool)

    flat = stored(bool, "flat", False)

    def __init__(self, *arguments: Any) -> None:
        text = [argument for argument in arguments if isinstance(argument, str)]
        super().__init__(*[argument for argument in arguments if argument not in text])
        self._collapsed = False
        self._header = self.fontMetrics().height() + 8
        self.setText("".join(text))
        self.setContentsMargins(0, self._header, 0, 0)
        self.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Preferred
        )
        self.clicked.connect(self._toggle)

    def _toggle(self) -> None:
        self._set_collapsed(not self._collapsed)

    def _is_collapsed(self) -> bool:
        return self._collapsed

    def _set_collapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setMaximumHeight(self._header if collapsed else UNLIMITED)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    collapsed = Property(bool, _is_collapsed, _set_collapsed)

    def sizeHint(self) -> QtCore.QSize:
        """Return the headline's size if folded."""
        hint = QtWidgets.QWidget.sizeHint(self)  # what `super()` gives is the property's value
        return QtCore.QSize(hint.width(), self._header) if self._collapsed else hint

    def minimumSizeHint(self) -> QtCore.QSize:
        """Return the headline's size if folded."""
        hint = QtWidgets.QWidget.minimumSizeHint(self)
        return QtCore.QSize(hint.width(), self._header) if self._collapsed else hint

    def hitButton(self, point: QtCore.QPoint) -> bool:
        """Tell whether a point is on the headline."""
        return point.y() < self._header

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        """Draw the headline."""
        painter = QtWidgets.QStylePainter(self)
        header = QtCore.QRect(0, 0, self.width, self._header)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = header
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        option.rect = QtCore.QRect(4, 0, self._header - 4, self._header)
        arrow = "PE_IndicatorArrowRight" if self._collapsed else "PE_IndicatorArrowDown"
        painter.drawPrimitive(QtWidgets.QStyle.PrimitiveElement[arrow], option)
        text = header.adjusted(self._header + 4, 0, 0, 0)
        painter.drawText(text, int(QtCore.Qt.AlignmentFlag.AlignVCenter), self.text)


@double
class ctkSliderWidget(QtWidgets.QWidget):
    """A slider beside a box with the number."""

    valueChanged = Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._box = QtWidgets.QDoubleSpinBox()
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider)
        row.addWidget(self._box)
        self._fit()
        self._slider.valueChanged.connect(lambda step: self._box.setValue(step * self.singleStep))
        self._box.valueChanged.connect(self._show)

    def _show(self, value: float) -> None:
        self._slider.blockSignals(True)
        self._slider.setValue(round(value / self.singleStep))
        self._slider.blockSignals(False)
        self.valueChanged.emit(value)

    def _fit(self) -> None:
        box, step = self._box, self._box.singleStep
        self._slider.blockSignals(True)
        self._slider.setRange(round(box.minimum / step), round(box.maximum / step))
        self._slider.setValue(round(box.value / step))
        self._slider.blockSignals(False)

    def setValue(self, value: float) -> None:
        """Set the number."""
        self._box.setValue(value)

    @staticmethod
    def _of_box(name: str, kind: type) -> Property:
        def read(self: "ctkSliderWidget") -> object:
            return getattr(self._box, name)

        def write(self: "ctkSliderWidget", value: object) -> None:
            setattr(self._box, name, value)
            self._fit()

        return Property(kind, read, write)

    value = _of_box("value", float)
    minimum = _of_box("minimum", float)
    maximum = _of_box("maximum", float)
    singleStep = _of_box("singleStep", float)
    decimals = _of_box("decimals", int)
    suffix = _of_box("suffix", str)
    prefix = _of_box("prefix", str)
    tracking = stored(bool, "tracking", True)


@double
class ctkPathLineEdit(QtWidgets.QWidget):
    """A line for the path of a file."""

    currentPathChanged = Signal(str)

    nameFilters = stored("QStringList", "nameFilters", [])
    settingKey = stored(str, "settingKey", "")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._line = QtWidgets.QLineEdit()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._line)
        self._line.textChanged.connect(self.currentPathChanged)

    def setCurrentPath(self, path: str) -> None:
        """Set the path."""
        self._line.setText(path)

    def browse(self) -> None:
        """Ask for a file, in a dialogue: nobody answers here."""

    def _path(self) -> str:
        return self._line.text

    currentPath = Property(str, _path, setCurrentPath)


@double
class ctkComboBox(QtWidgets.QComboBox):
    """A combo box."""

    defaultText = stored(str, "defaultText", "")


@double
class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box."""


@double
class ctkMenuButton(QtWidgets.QPushButton):
    """A push button with a menu at its side."""


ALL = (
    ctkCollapsibleButton,
    ctkSliderWidget,
    ctkPathLineEdit,
    ctkComboBox,
    ctkCheckBox,
    ctkMenuButton,
)
