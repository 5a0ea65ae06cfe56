"""The part of the panel that says what is missing, and installs it when it is asked to."""

from collections.abc import Callable
from typing import Any

import slicer

from . import install
from .errors import UserError
from .language import tr as _


class InstallPanel:
    """Is shown as long as something is missing.

    Attributes:
        onReady: called when nothing is missing any more.
    """

    def __init__(self, ui: Any, onReady: Callable[[], None]) -> None:
        self.onReady = onReady
        self._ui = ui
        self._isReady = False
        ui.installProgress.hide()
        ui.installLog.hide()
        ui.installButton.connect("clicked(bool)", self._install)

    @property
    def isReady(self) -> bool:
        """Tell whether all that the network needs is there."""
        return self._isReady

    def show(self) -> None:
        """Look for what is missing, and show it."""
        wanted = install.missing()
        self._isReady = not wanted
        self._ui.installPanel.setVisible(not self._isReady)
        if wanted:
            self._ui.installLabel.text = install.announcement(wanted)

    def _install(self) -> None:
        ui = self._ui
        ui.installButton.enabled = False
        ui.installLog.clear()
        ui.installProgress.show()
        try:
            install.install(self._say)
        except UserError as error:
            ui.installLabel.text = str(error)
            return
        finally:
            ui.installButton.enabled = True
            ui.installProgress.hide()
        self._say(_("Done."))
        self.show()
        self.onReady()

    def _say(self, line: str) -> None:
        self._ui.installLog.show()
        self._ui.installLog.appendPlainText(line)
        slicer.app.processEvents()
