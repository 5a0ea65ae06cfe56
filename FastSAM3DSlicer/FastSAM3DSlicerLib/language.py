"""Slicer's translation: `from .language import tr as _`, so that its tools find the texts."""

from collections.abc import Callable

from slicer import i18n

tr: Callable[[str], str] = i18n.tr
"""Slicer's own function: it looks at the file that calls it."""
