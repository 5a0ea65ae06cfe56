"""The panel's list of weights: their source and licence; fetched, taken from a file, removed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

from . import install, weights
from .errors import UserError
from .language import tr as _
from .logic import FastSAM3DSlicerLogic
from .parameters import Parameters
from .statuspanel import StatusPanel


class WeightsPanel:
    """Shows weights; those that are here are used as soon as they are chosen."""

    def __init__(self, ui: Any, logic: FastSAM3DSlicerLogic, status: StatusPanel) -> None:
        self._ui, self._logic, self._status = ui, logic, status
        self._isShowing = False
        self._isFetching = False
        self._isWanted = False
        self._isGone = False
        ui.importPath.hide()
        ui.weightsBox.addItems(weights.names())
        ui.weightsBox.connect("currentIndexChanged(int)", self._chosen)
        ui.weightsBox.connect("destroyed()", self._forget)
        ui.downloadButton.connect("clicked(bool)", self._download)
        ui.importButton.connect("clicked(bool)", self._import)
        ui.removeButton.connect("clicked(bool)", self._remove)

    @property
    def name(self) -> str:
        """Return what is chosen in the list, used or not."""
        return str(self._ui.weightsBox.currentText)

    @property
    def isFetching(self) -> bool:
        """Tell whether weights are on their way."""
        return self._isFetching

    def show(self) -> None:
        """Use what the scene remembers, or the default where that is not here; and show it."""
        remembered, default = Parameters().preset, weights.names()[0]
        used = remembered if weights.isHere(remembered) else default
        self._logic.engine.preset = used
        self._isShowing = True
        self._ui.weightsBox.currentText = used
        self._isShowing = False
        self._describe()

    def cancel(self) -> None:
        """Leave off a download or a copy; what has arrived of a download is kept."""
        self._isWanted = False

    def _forget(self) -> None:
        self._isGone = True
        self.cancel()

    def _describe(self) -> None:
        ui, name = self._ui, self.name
        ui.sourceLabel.text = weights.source(name)
        ui.licenceLabel.text = weights.licence(name)
        ui.sizeLabel.text = weights.size(name)
        isFree = not self._isFetching
        ui.downloadButton.enabled = isFree and not weights.isHere(name)
        ui.importButton.enabled = isFree and not weights.isHere(name)
        ui.removeButton.enabled = isFree and weights.isRemovable(name)

    def _chosen(self) -> None:
        if self._isShowing:
            return
        if weights.isHere(self.name):
            self._status.say(self._use(self.name))
        else:
            self._status.say(
                _("{name}: press Download, or import its file, to use these weights.").format(
                    name=self.name
                )
            )
        self._describe()

    def _use(self, name: str) -> str:
        Parameters().preset = self._logic.engine.preset = name
        return _("{name}: used from the next click on.").format(name=name)

    def _download(self) -> None:
        name = self.name
        if self._isAllowed(name):
            self._status.say(_("{name}: downloading. You can go on working.").format(name=name))
            self._bring(name, lambda: self._fetch(name))

    def _fetch(self, name: str) -> bool:
        install.installDownloader(self._status.say)
        return weights.fetch(name, self._progress)

    def _import(self) -> None:
        self._ui.importPath.setCurrentPath("")
        self._ui.importPath.browse()
        name, path = self.name, Path(self._ui.importPath.currentPath)
        if path.name and self._isAllowed(name):
            self._status.say(_("{name}: checking {file}.").format(name=name, file=path.name))
            self._bring(name, lambda: weights.take(name, path, self._progress))

    def _isAllowed(self, name: str) -> bool:
        """Tell whether weights may be brought here now; ask if nobody vouches for their file."""
        if self._logic.isBusy:  # what is under way could not go on before they are here
            self._status.say(_("Wait until the mask is there, then press again."))
            return False
        text = _(
            "Nobody has published a checksum of {name}. Accept the file as it is? From then on it "
            "is held to the checksum that it has now."
        ).format(name=name)
        return not weights.isUnknown(name) or bool(slicer.util.confirmOkCancelDisplay(text))

    def _bring(self, name: str, work: Callable[[], bool]) -> None:
        """Get weights while the window lives: panel, scene and choice may be others after it."""
        self._isFetching = self._isWanted = True
        self._describe()
        slicer.app.connect("lastWindowClosed()", self.cancel)
        try:
            said = self._outcome(name, work)
        except UserError as error:
            said = str(error)
        finally:
            self._isFetching = self._isWanted = False
            slicer.app.disconnect("lastWindowClosed()", self.cancel)
            if not self._isGone:
                self._status.rest()
                self._describe()
        if not self._isGone:
            self._status.say(said)

    def _outcome(self, name: str, work: Callable[[], bool]) -> str:
        if not work() or not self._isWanted:
            return _("{name}: left off.").format(name=name)
        if name != self.name:
            return _("{name}: here now; choose it in the list to use it.").format(name=name)
        return self._use(name)

    def _progress(self, share: float | None) -> bool:
        self._status.begin(share)
        slicer.app.processEvents()
        return self._isWanted

    def _remove(self) -> None:
        name = self.name
        try:
            weights.remove(name)
        except UserError as error:
            self._status.say(str(error))
            return
        if Parameters().preset == name:
            self._use(weights.names()[0])
            self.show()
        self._status.say(_("{name}: removed.").format(name=name))
        self._describe()
