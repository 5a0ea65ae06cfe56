"""What the parts of the panel have in common."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Attempt = Callable[[Callable[[], Any]], None]
"""Does something that may end in a sentence for the user."""


class PanelPart:
    """Tells what the user chooses from what the part itself shows in its widgets."""

    _isShowing = False

    @contextmanager
    def _showing(self) -> Iterator[None]:
        was, self._isShowing = self._isShowing, True
        try:
            yield
        finally:
            self._isShowing = was
