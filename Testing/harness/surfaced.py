"""Bring to light what slots and observers raise: Qt and VTK only print it and go on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import vtk


@contextmanager
def surfaced() -> Iterator[list[Exception]]:
    """Raise at the end what was raised in slots and observers, and what VTK complained of.

    Yields:
        What has been raised so far; a test that expects an error takes it out.

    Raises:
        ExceptionGroup: something was.
    """
    raised: list[Exception] = []
    previous = sys.excepthook
    complaints = vtk.vtkStringOutputWindow()
    window = vtk.vtkOutputWindow.GetInstance()

    def keep(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            raised.append(error)
        else:
            previous(kind, error, traceback)

    sys.excepthook = keep
    vtk.vtkOutputWindow.SetInstance(complaints)
    try:
        yield raised
    finally:
        sys.excepthook = previous
        vtk.vtkOutputWindow.SetInstance(window)
    if text := complaints.GetOutput().strip():
        raised.append(RuntimeError(f"VTK: {text}"))
    if raised:
        raise ExceptionGroup("raised where nobody saw it", raised)
