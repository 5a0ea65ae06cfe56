"""3D Slicer without its desktop: the real scene, real views offscreen, and the panel on PySide6."""
