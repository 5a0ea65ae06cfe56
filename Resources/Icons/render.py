"""Draw the PNGs from the SVGs beside this file: `python Resources/Icons/render.py`.

Qt draws them, as it does in Slicer: `pip install PySide6-Essentials` first. A button's icon has a
form for light and one for dark panels, `undo.png` and `undo-dark.png`, both from one drawing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

FOLDER = Path(__file__).parent
MODULE = "FastSAM3DSlicer"
MODULE_SIZE = 128
BUTTON_SIZE = 48
"""Twice the 24 pixels of a button, for dense screens."""

DARK = {
    "#3c4654": "#d6dce5",
    "#1a7f37": "#4ac26b",
    "#cf222e": "#ff7b72",
    "#1f6feb": "#6cb2ff",
    "#b35900": "#f0a742",
    "#ffffff": "#16202c",
}
"""What each colour of a button's drawing becomes on dark panels."""


def darkened(drawing: str) -> str:
    """Exchange a drawing's colours for those of dark panels."""
    for light, dark in DARK.items():
        drawing = drawing.replace(light, dark)
    return drawing


def digest(drawing: str) -> str:
    """Name a drawing: its PNG carries this as the text `Source`."""
    return hashlib.sha256(drawing.encode()).hexdigest()


def drawings(folder: Path = FOLDER) -> dict[str, tuple[str, int]]:
    """Tell each PNG's drawing and its size in pixels."""
    found = {}
    for path in sorted(folder.glob("*.svg")):
        drawing = path.read_text(encoding="utf-8")
        if path.stem == MODULE:
            found[f"{path.stem}.png"] = (drawing, MODULE_SIZE)
        else:
            found[f"{path.stem}.png"] = (drawing, BUTTON_SIZE)
            found[f"{path.stem}-dark.png"] = (darkened(drawing), BUTTON_SIZE)
    return found


def render(drawing: str, size: int) -> QImage:
    """Draw an SVG on a transparent square of so many pixels.

    Raises:
        ValueError: Qt cannot read the drawing.
    """
    from PySide6.QtCore import QByteArray, Qt
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    renderer = QSvgRenderer(QByteArray(drawing.encode()))
    if not renderer.isValid():
        raise ValueError(f"Qt cannot read this drawing: {drawing[:80]!r}.")
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    image.setText("Source", digest(drawing))
    return image


def main() -> None:
    """Write every PNG beside its SVG."""
    for name, (drawing, size) in drawings().items():
        if not render(drawing, size).save(str(FOLDER / name)):
            raise OSError(f"{FOLDER / name} cannot be written.")


if __name__ == "__main__":
    main()
