"""Slicer's translation: `from .language import tr as _`, in every file that speaks to the user.

Slicer's tool finds what is written as `_("...")` with one literal text, and files it under the name
of the file; values come after that: `_("{name}: removed.").format(name=name)`. It is looked up when
it is said, in a function: at import the language may not be there yet.
"""

from collections.abc import Callable


def english(text: str) -> str:
    """Return the text: a script that has Slicer's core alone speaks English."""
    return text


try:
    from slicer import i18n
except ImportError:
    tr: Callable[[str], str] = english
else:
    tr = i18n.tr
"""No function of the module's own round Slicer's: that one looks at the file that calls it."""
