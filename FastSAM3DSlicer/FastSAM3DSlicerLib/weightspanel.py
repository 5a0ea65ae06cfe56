"""The panel's list of weights: where they come from, under which licence; fetched and removed."""

from typing import Any

import slicer

from . import weights
from .errors import UserError
from .language import tr as _
from .logic import FastSAM3DSlicerLogic
from .parameters import Parameters
from .statuspanel import StatusPanel

UNKNOWN = _(
    "Nobody has published a checksum of {name}. Accept the file as it is? From then on it is held "
    "to the checksum that it has now."
)


class WeightsPanel:
    """Shows weights; those that are here are used as soon as they are chosen."""

    def __init__(self, ui: Any, logic: FastSAM3DSlicerLogic, status: StatusPanel) -> None:
        self._ui, self._logic, self._status = ui, logic, status
        self._isShowing = False
        self._isWanted = False
        ui.weightsBox.addItems(weights.names())
        ui.weightsBox.connect("currentIndexChanged(int)", self._chosen)
        ui.downloadButton.connect("clicked(bool)", self._download)
        ui.removeButton.connect("clicked(bool)", self._remove)

    @property
    def name(self) -> str:
        """Return what is chosen in the list, used or not."""
        return str(self._ui.weightsBox.currentText)

    @property
    def isFetching(self) -> bool:
        """Tell whether a download is under way."""
        return self._isWanted

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
        """Leave off a download; what has arrived is kept."""
        self._isWanted = False

    def _describe(self) -> None:
        ui, name = self._ui, self.name
        ui.sourceLabel.text = weights.source(name)
        ui.licenceLabel.text = weights.licence(name)
        ui.sizeLabel.text = weights.size(name)
        ui.downloadButton.enabled = not weights.isHere(name) and not self._isWanted
        ui.removeButton.enabled = weights.isRemovable(name) and not self._isWanted

    def _chosen(self) -> None:
        if self._isShowing:
            return
        if weights.isHere(self.name):
            self._use(self.name)
        else:
            self._status.say(
                _("{name}: press Download to use these weights.").format(name=self.name)
            )
        self._describe()

    def _use(self, name: str) -> None:
        Parameters().preset = self._logic.engine.preset = name
        self._status.say(_("{name}: used from the next click on.").format(name=name))

    def _download(self) -> None:
        name = self.name
        if weights.isUnknown(name) and not slicer.util.confirmOkCancelDisplay(
            UNKNOWN.format(name=name)
        ):
            return
        self._isWanted = True
        self._describe()
        self._status.say(_("{name}: downloading. You can go on working.").format(name=name))
        try:
            if weights.fetch(name, self._progress):
                self._use(name)
            else:
                self._status.say(
                    _("{name}: left off; the next download goes on.").format(name=name)
                )
        except UserError as error:
            self._status.say(str(error))
        finally:
            self._isWanted = False
            self._status.rest()
            self._describe()

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
