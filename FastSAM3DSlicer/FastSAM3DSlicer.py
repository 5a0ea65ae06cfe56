"""The module's face: what Slicer shows of it, and its panel. The only file that knows Qt."""

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from FastSAM3DSlicerLib import buttons, install, points, selftest, wording
from FastSAM3DSlicerLib.about import describe
from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.inputpanel import InputPanel
from FastSAM3DSlicerLib.installpanel import InstallPanel
from FastSAM3DSlicerLib.logic import FastSAM3DSlicerLogic
from FastSAM3DSlicerLib.optionspanel import OptionsPanel
from FastSAM3DSlicerLib.placing import Placing
from FastSAM3DSlicerLib.resources import findEngine, registerSampleData, resource
from FastSAM3DSlicerLib.status import Status
from FastSAM3DSlicerLib.statuspanel import StatusPanel
from FastSAM3DSlicerLib.weightspanel import WeightsPanel

PROGRESS_AFTER_S = 0.1
DRAG_PAUSE_MS = 150
SURFACE_PAUSE_MS = 700
DARK = 128
"""Lightness below which a panel is dark, of 255."""


class FastSAM3DSlicer(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        findEngine()
        describe(parent)
        parent.icon = qt.QIcon(resource("Icons/FastSAM3DSlicer.png"))
        slicer.app.connect("startupCompleted()", registerSampleData)


class Keys(qt.QObject):
    """Answers Ctrl and a key ahead of all others in some widgets; who is typed into has it first.

    A shortcut would not do: Qt lets those who share its keys answer in turns.
    """

    def __init__(self, actions: dict[Any, Callable[[], Any]]) -> None:
        super().__init__()
        self._actions = actions
        self._watched: list[Any] = []

    def watch(self, widgets: list[Any]) -> None:
        """Answer in these widgets and what is in them, and in no others."""
        for widget in self._watched:
            widget.removeEventFilter(self)
        self._watched = widgets
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Take what Qt asks before it looks for shortcuts, and the press that follows."""
        if event.type() not in (qt.QEvent.ShortcutOverride, qt.QEvent.KeyPress):
            return False
        action = self._actions.get(event.key())
        if action is None or event.modifiers() != qt.Qt.ControlModifier:
            return False
        if event.type() == qt.QEvent.ShortcutOverride:
            event.accept()
            action()
        return True


class FastSAM3DSlicerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: hands on what the user does, and shows what has become of it."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self._areColoursOld = False
        self._timers: list[Any] = []

    def setup(self) -> None:
        """Build the panel."""
        super().setup()
        self.panel = slicer.util.loadUI(resource("UI/FastSAM3DSlicer.ui"))
        self.layout.addWidget(self.panel)
        self.ui = slicer.util.childWidgetVariables(self.panel)
        self.panel.setMRMLScene(slicer.mrmlScene)
        self.logic = FastSAM3DSlicerLogic(pump=self._pump)
        self.logic.onStatus = self._showStatus
        self._addParts()
        self._followTimer = self._timer(0, self._follow)
        self._dragTimer = self._timer(DRAG_PAUSE_MS, self._follow)
        self._regionTimer = self._timer(DRAG_PAUSE_MS, self.options.apply)
        self._statusTimer = self._timer(0, self._afterStatus)
        self._surfaceTimer = self._timer(SURFACE_PAUSE_MS, self.logic.updateSurface)
        self._loadTimer = self._timer(0, self.inputs.takeLoaded)
        self.options.onRegionMoved = self._regionTimer.start
        self._connect()
        self._showIcons()
        undo = self._timer(0, lambda: self.ui.undoButton.click())
        redo = self._timer(0, lambda: self.ui.redoButton.click())
        self.keys = Keys({qt.Qt.Key_Z: undo.start, qt.Qt.Key_Y: redo.start})
        self.status.say(self.logic.status.message)
        self.onSceneChanged()

    def _addParts(self) -> None:
        ui, logic = self.ui, self.logic
        self.status = StatusPanel(ui)
        self.placing = Placing(self.onPoints, self._showButtons)
        self.inputs = InputPanel(ui, logic, self.attempt, self._goOnPlacing)
        self.options = OptionsPanel(ui, logic, self.attempt)
        self.weights = WeightsPanel(ui, logic, self.status)
        self.installer = InstallPanel(ui, self._show)

    def _connect(self) -> None:
        ui, logic, scene = self.ui, self.logic, slicer.mrmlScene
        ui.includeButton.connect("clicked(bool)", lambda on: self.onSign(on, positive=True))
        ui.excludeButton.connect("clicked(bool)", lambda on: self.onSign(on, positive=False))
        ui.undoButton.connect("clicked()", lambda: self.attempt(logic.undo))
        ui.redoButton.connect("clicked()", lambda: self.attempt(logic.redo))
        ui.resetButton.connect("clicked()", lambda: self.attempt(logic.reset))
        ui.refineButton.connect("clicked()", lambda: self.attempt(logic.refine))
        ui.nextButton.connect("clicked()", lambda: self.attempt(logic.nextSegment))
        ui.cancelButton.connect("clicked()", self.onCancel)
        ui.uncertaintyButton.connect("clicked(bool)", self.onUncertainty)
        for event in (scene.EndCloseEvent, scene.EndImportEvent):
            self.addObserver(scene, event, self.onSceneChanged)
        self.addObserver(scene, scene.NodeAddedEvent, lambda *_: self._loadTimer.start())

    def _timer(self, pause_ms: int, action: Callable[[], Any]) -> Any:
        timer = qt.QTimer(self.panel)
        timer.setSingleShot(True)
        timer.setInterval(pause_ms)
        timer.connect("timeout()", action)
        self._timers.append(timer)
        return timer

    def _showIcons(self) -> None:
        isDark = self.panel.palette.color(qt.QPalette.Window).lightness() < DARK
        for name in ("include", "exclude", "undo", "redo", "reset", "next", "uncertainty"):
            file = resource(f"Icons/{name}{'-dark' if isDark else ''}.png")
            getattr(self.ui, f"{name}Button").setIcon(qt.QIcon(file))

    def enter(self) -> None:
        """Take the volume that is shown, and let the keys undo."""
        self.installer.show()
        window = slicer.util.mainWindow()
        self.keys.watch([self.parent] if window is None else [self.parent, window])
        self.attempt(self.inputs.takeShown)

    def exit(self) -> None:
        """End placing, and leave the keys to others."""
        self.placing.stop()
        self.keys.watch([])

    def cleanup(self) -> None:
        """Let go of everything."""
        self.logic.onStatus = lambda status: None
        self.removeObservers()
        self.weights.cancel()
        self.options.close()
        self.placing.close()
        self.logic.close()
        for timer in self._timers:
            timer.stop()
        self.keys.watch([])

    def attempt(self, action: Callable[[], Any]) -> None:
        """Do something for the user; what cannot be done is said in the panel."""
        if self._followTimer.isActive():  # what was clicked comes first
            self._followTimer.stop()
            self._follow()
        try:
            action()
        except UserError as error:
            self.status.say(str(error))
        except Exception as error:
            self.status.say(wording.unexpected(error))
            raise
        finally:
            self._show()

    def onSceneChanged(self, caller: Any = None, event: Any = None) -> None:
        """Go back to what the scene remembers, or begin anew."""
        self.attempt(self.inputs.restore)
        self.weights.show()
        self.options.show()
        self.options.apply()

    def onSign(self, on: bool, *, positive: bool) -> None:
        """Let clicks in the views include or exclude, or end it."""
        if on:
            self.logic.nextIsPositive = positive
            self.attempt(self._place)
        else:
            self.placing.stop()

    def onPoints(self, isSettled: bool) -> None:
        """Follow the points as soon as the view has done with the mouse; pause while dragging."""
        if isSettled and self.logic.isBusy:  # at once: it takes the place of what is under way
            self._follow()
        elif isSettled:
            self._followTimer.start()
        elif not self._dragTimer.isActive():
            self._dragTimer.start()

    def onCancel(self) -> None:
        """Leave off what is under way."""
        self.logic.cancel()
        self.weights.cancel()

    def onUncertainty(self, on: bool) -> None:
        """Colour where the mask is undecided, or remove the colours."""
        if on:
            self.ui.uncertaintyButton.checked = False
            self.attempt(self._showUncertainty)
        else:
            self.logic.hideUncertainty()

    def _showUncertainty(self) -> None:
        number = self.logic.showUncertainty()
        if number is not None:
            self.status.say(wording.undecided(number))
            self.ui.uncertaintyButton.checked = True

    def _place(self) -> None:
        self._goOnPlacing(isOn=True)
        try:
            self.logic.warmUp(install.remark)
        except (UserError, OSError) as error:
            raise install.explained(error) from error
        finally:
            if self.logic.engine.isOther and not self.logic.isBusy:  # it failed, or was cancelled
                self.placing.stop()

    def _goOnPlacing(self, *, isOn: bool = False) -> None:
        if isOn or self.placing.isOn:
            positive = self.logic.nextIsPositive
            self.placing.follow(self.logic.pointsNode(), positive=positive)
            self.placing.start(positive=positive)

    def _follow(self) -> None:
        """Predict if the points are others than those that were predicted for."""
        if self.logic.volumeNode is not None and self.placing.takeNews():
            self.attempt(self.logic.update)

    def _pump(self, seconds: float) -> None:
        if seconds > PROGRESS_AFTER_S:
            self.status.begin()
        slicer.app.processEvents()

    def _showStatus(self, status: Status) -> None:
        self.status.show(status)
        self._areColoursOld = bool(self.ui.uncertaintyButton.checked)
        self._statusTimer.start()

    def _afterStatus(self) -> None:
        """Catch up with what happened, once the scene has come to rest."""
        if self._areColoursOld:
            self._areColoursOld = self.ui.uncertaintyButton.checked = False
            self.logic.hideUncertainty()
        if self.ui.show3DButton.checked:
            self._surfaceTimer.start()
        self._show()
        self.logic.tidy()

    def _show(self) -> None:
        logic = self.logic
        if not (logic.isBusy or self.weights.isFetching):
            self.status.rest()
        if slicer.mrmlScene.IsBatchProcessing() or self._statusTimer.isActive():
            return
        self.inputs.show()
        node = logic.segmentationNode and points.nodeOf(logic.segmentationNode, logic.segmentId)
        self.placing.follow(node, positive=logic.nextIsPositive)
        if logic.volumeNode is None:
            self.placing.stop()
        self.options.show()
        self._showButtons()

    def _showButtons(self) -> None:
        buttons.show(
            self.ui, self.logic, isReady=self.installer.isReady, isPlacing=self.placing.isOn
        )


class FastSAM3DSlicerTest(ScriptedLoadableModuleTest):
    """Runs by "Reload and Test" and on a build machine, without torch too."""

    def runTest(self) -> None:
        """Run all tests; Slicer calls this one."""
        for test in selftest.TESTS:
            self.delayDisplay(test.__doc__)
            selftest.run(test)
