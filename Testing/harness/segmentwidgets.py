# ruff: noqa: N801, N802, N815 -- these stand for C++ classes and are called by their names
"""Doubles of the widgets that show a segmentation: the table of its segments, the 3D button."""

from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from .ctkwidgets import ctkMenuButton, stored
from .mrmlwidgets import Observer, qMRMLWidget
from .pythonqt import double

SEGMENT_CHANGES = ("SegmentAdded", "SegmentRemoved", "SegmentModified", "SegmentsOrderModified")
CLOSED_SURFACE = "Closed surface"


def segment_ids(node: Any) -> list[str]:
    """Return the IDs of a segmentation node's segments, in order; none of no node."""
    return list(node.GetSegmentation().GetSegmentIDs()) if node is not None else []


@double
class qMRMLSegmentsTableView(qMRMLWidget):
    """A table of segments: colour and name; what is selected is told."""

    selectionChanged = Signal(QtCore.QItemSelection, QtCore.QItemSelection)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._ids: list[str] = []
        self._hidden: list[str] = []
        self._watch = Observer(self, self._refill)
        self._table = QtWidgets.QTableWidget(0, 2)
        self._table.setSelectionBehavior(QtWidgets.QTableWidget.SelectionBehavior.SelectRows)
        self._table.setHorizontalHeaderLabels(["", "Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.verticalHeader().hide()
        self._table.setColumnWidth(0, 28)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._table)
        self._table.selectionModel().selectionChanged.connect(self.selectionChanged)

    def segmentationNode(self) -> Any:
        """Return the node whose segments are listed."""
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        """Set the node whose segments are listed."""
        self._node = node
        watched = node.GetSegmentation() if node is not None else None
        self._watch.watch(watched, [getattr(slicer.vtkSegmentation, e) for e in SEGMENT_CHANGES])
        self._refill()

    def tableWidget(self) -> QtWidgets.QTableWidget:
        """Return the table."""
        return self._table

    def selectedSegmentIDs(self) -> list[str]:
        """Return the IDs of the segments selected."""
        rows = {index.row() for index in self._table.selectionModel().selectedRows()}
        return [self._ids[row] for row in sorted(rows)]

    def setSelectedSegmentIDs(self, identities: list[str]) -> None:
        """Select segments."""
        wanted, model = QtCore.QItemSelection(), self._table.model()
        for row in [self._ids.index(found) for found in identities if found in self._ids]:
            wanted.select(model.index(row, 0), model.index(row, model.columnCount() - 1))
        select = QtCore.QItemSelectionModel.SelectionFlag.ClearAndSelect
        self._table.selectionModel().select(wanted, select)

    def clearSelection(self) -> None:
        """Select nothing."""
        self._table.clearSelection()

    def displayedSegmentIDs(self) -> list[str]:
        """Return the IDs of the segments listed."""
        return list(self._ids)

    def rowForSegmentID(self, identity: str) -> int:
        """Return a segment's row, -1 if it is not listed."""
        return self._ids.index(identity) if identity in self._ids else -1

    def segmentIDForRow(self, row: int) -> str:
        """Return the ID of a row's segment, nothing for a row that is not there."""
        return self._ids[row] if 0 <= row < len(self._ids) else ""

    def setHideSegments(self, identities: list[str]) -> None:
        """List all segments but these."""
        self._hidden = list(identities)
        self._refill()

    def _refill(self) -> None:
        ids = [found for found in segment_ids(self._node) if found not in self._hidden]
        if ids != self._ids:
            selected = self.selectedSegmentIDs()
            self._ids = ids
            self._table.setRowCount(len(ids))
            self.setSelectedSegmentIDs([found for found in selected if found in ids])
        for row, identity in enumerate(ids):
            self._fill(row, self._node.GetSegmentation().GetSegment(identity))

    def _fill(self, row: int, segment: Any) -> None:
        colour = QtWidgets.QTableWidgetItem()
        colour.setBackground(QtGui.QColor.fromRgbF(*segment.GetColor()))
        self._table.setItem(row, 0, colour)
        self._table.setItem(row, 1, QtWidgets.QTableWidgetItem(segment.GetName()))

    def _count(self) -> int:
        return len(self._ids)

    segmentCount = Property(int, _count)

    def _get_mode(self) -> int:
        return int(self._table.selectionMode().value)

    def _set_mode(self, mode: int) -> None:
        self._table.setSelectionMode(QtWidgets.QTableWidget.SelectionMode(mode))

    selectionMode = Property(int, _get_mode, _set_mode)
    headerVisible = stored(bool, "headerVisible", True)
    visibilityColumnVisible = stored(bool, "visibilityColumnVisible", True)
    colorColumnVisible = stored(bool, "colorColumnVisible", True)
    opacityColumnVisible = stored(bool, "opacityColumnVisible", True)
    statusColumnVisible = stored(bool, "statusColumnVisible", True)
    layerColumnVisible = stored(bool, "layerColumnVisible", False)
    filterBarVisible = stored(bool, "filterBarVisible", False)
    readOnly = stored(bool, "readOnly", False)
    textFilter = stored(str, "textFilter", "")


@double
class qMRMLSegmentationShow3DButton(ctkMenuButton):
    """A button that makes a segmentation's surface and takes it away."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._watch = Observer(self, self._follow)
        self.setText("Show 3D")
        self.setCheckable(True)
        self.clicked.connect(self._show)

    def segmentationNode(self) -> Any:
        """Return the node whose surface is shown."""
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        """Set the node whose surface is shown."""
        self._node = node
        names = ("ContainedRepresentationNamesModified",)
        watched = node.GetSegmentation() if node is not None else None
        self._watch.watch(watched, [getattr(slicer.vtkSegmentation, name) for name in names])
        self._follow()

    def _show(self, show: bool) -> None:
        if self._node is None or self.locked:
            return
        if show:
            self._node.CreateClosedSurfaceRepresentation()
        else:
            self._node.RemoveClosedSurfaceRepresentation()

    def _follow(self) -> None:
        shown = self._node is not None and self._node.GetSegmentation().ContainsRepresentation(
            CLOSED_SURFACE
        )
        self.setChecked(shown)

    locked = stored(bool, "locked", False)


ALL = (qMRMLSegmentsTableView, qMRMLSegmentationShow3DButton)
