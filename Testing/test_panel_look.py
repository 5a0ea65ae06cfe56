"""The panel's look, measured: nothing cut off, everything aligned, short, light and dark."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import pytest

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from PySide6 import QtCore, QtGui, QtWidgets

from FastSAM3DSlicerLib import install
from harness import ctkwidgets, fastsam, fixtures
from harness.fastsam import MIDDLE, settle
from harness.looks import DARK, LIGHT, dressed

application, scene, views = fixtures.application, fixtures.scene, fixtures.views
volume, network, module = fixtures.volume, fastsam.network, fastsam.module
widget, red, panel, clicking = fastsam.widget, fastsam.red, fastsam.panel, fastsam.clicking

WIDTHS_PX = (360, 400, 520)
SHORT_PX = 470
"""Height of the panel with its options folded: no scrolling beside the slice views."""


@pytest.fixture(params=["nothing loaded", "clicked", "all unfolded", "to be installed", "busy"])
def state(request, widget, application):
    """The panel in one of its states."""
    if request.param != "nothing loaded":
        clicking = request.getfixturevalue("clicking")
        clicking(MIDDLE)
        widget.ui.nextButton.click()
        clicking(MIDDLE, positive=False)
    if request.param == "all unfolded":
        widget.ui.optionsButton.collapsed = widget.ui.weightsButton.collapsed = False
        widget.ui.weightsBox.currentText = "fastsam3d"
    if request.param == "to be installed":
        wanted = ["torch>=2.5", "safetensors>=0.5"]
        request.getfixturevalue("monkeypatch").setattr(install, "missing", lambda: wanted)
        widget.exit()
        widget.enter()
    if request.param == "busy":
        widget.status.begin(0.4)
    return request.param


def laid_out(module, application, width_px):
    """Show the panel at a width, and return it."""
    module.panel.show()
    module.panel.resize(width_px, 900)
    settle(application)
    settle(application)
    return module.panel


def visible(panel, *kinds):
    """Return the panel's visible widgets of some kinds that have an object's name."""
    found = [each for kind in kinds for each in panel.findChildren(kind)]
    folded = [
        each for each in panel.findChildren(ctkwidgets.ctkCollapsibleButton) if each.collapsed
    ]
    return [
        each
        for each in found
        if each.visible and each.name and not any(fold.isAncestorOf(each) for fold in folded)
    ]


@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_no_text_is_cut_off(module, application, state, width_px):
    panel = laid_out(module, application, width_px)
    assert panel.width == width_px
    for each in visible(panel, QtWidgets.QPushButton, QtWidgets.QCheckBox):
        assert each.width >= each.minimumSizeHint().width(), each.name
        assert each.height >= each.minimumSizeHint().height(), each.name
    for each in visible(panel, QtWidgets.QLabel):
        if each.wordWrap:
            assert each.height >= each.heightForWidth(each.width), each.text
        else:
            assert each.width >= each.sizeHint().width(), each.text


@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_nothing_lies_on_top_of_anything_else(module, application, state, width_px):
    panel = laid_out(module, application, width_px)
    kinds = (QtWidgets.QPushButton, QtWidgets.QCheckBox, QtWidgets.QLabel, QtWidgets.QComboBox)
    there = visible(panel, *kinds)
    for n, one in enumerate(there):
        for other in there[:n]:
            assert not place_of(one, panel).intersects(place_of(other, panel)), (
                one.name,
                other.name,
            )


def place_of(widget, panel):
    """Return where a widget lies on the panel."""
    return QtCore.QRect(widget.mapTo(panel, QtCore.QPoint(0, 0)), widget.size)


def edges(widgets, panel):
    """Return the left and the right edges of widgets."""
    places = [place_of(each, panel) for each in widgets]
    return {each.left() for each in places}, {each.right() for each in places}


def test_fields_below_one_another_are_aligned(module, application, clicking):
    clicking(MIDDLE)
    ui = module.widget.ui
    ui.optionsButton.collapsed = ui.weightsButton.collapsed = False
    panel = laid_out(module, application, 400)
    for group in (
        (ui.volumeSelector, ui.segmentationSelector),
        (ui.overwriteBox, ui.regionSelector, ui.smoothSlider),
    ):
        left, right = edges(group, panel)
        assert len(left) == len(right) == 1
    below = (ui.segmentsTable, ui.statusLabel, ui.footerLabel)
    lefts, _ = edges((ui.includeButton, ui.undoButton, ui.refineButton, *below), panel)
    assert len(lefts) == 1
    _, rights = edges((ui.excludeButton, ui.nextButton, ui.uncertaintyButton, *below), panel)
    assert len(rights) == 1


def test_buttons_of_a_row_are_of_one_size(module, application, clicking):
    clicking(MIDDLE)
    ui, panel = module.widget.ui, laid_out(module, application, 400)
    assert panel.visible
    for row in (
        (ui.includeButton, ui.excludeButton),
        (ui.undoButton, ui.redoButton, ui.resetButton, ui.nextButton),
        (ui.refineButton, ui.show3DButton, ui.uncertaintyButton),
    ):
        assert len({each.height for each in row}) == 1
        assert max(each.width for each in row) - min(each.width for each in row) <= 20


def test_the_panel_is_short(module, application, clicking):
    clicking(MIDDLE)
    panel = laid_out(module, application, 400)
    footer = place_of(module.widget.ui.footerLabel, panel)
    assert footer.bottom() <= SHORT_PX


def test_nothing_moves_when_progress_is_shown(module, application, clicking):
    clicking(MIDDLE)
    panel, ui = laid_out(module, application, 400), module.widget.ui
    before = place_of(ui.footerLabel, panel)
    module.widget.status.begin()
    settle(application)
    assert place_of(ui.footerLabel, panel) == before


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_the_panel_takes_the_colours_of_the_application(module, application, clicking, look):
    clicking(MIDDLE)
    with dressed(application, look):
        panel = laid_out(module, application, 400)
        picture = panel.grab().toImage()
        expected = look.color(QtGui.QPalette.ColorRole.Window)
        assert picture.pixelColor(2, 600) == expected
        text = look.color(QtGui.QPalette.ColorRole.WindowText).lightness()
        assert abs(text - expected.lightness()) > 120
