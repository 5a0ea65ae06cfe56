# ruff: noqa: E402 -- packages are asked for before what needs them is imported
import pytest

from harness import packages

packages.require()

from harness import contract, fixtures
from harness.application import DOUBLES

DEMO_UI = fixtures.DEMO.parent / "Resources" / "UI" / "PlaceDemo.ui"


@pytest.fixture
def edited(tmp_path):
    """Write the demo's `.ui` with one text replaced by another."""

    def edit(old, new):
        text = DEMO_UI.read_text(encoding="utf-8")
        assert old in text
        path = tmp_path / "edited.ui"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return path

    return edit


def test_the_demo_keeps_it():
    widgets = contract.widgets_in(DEMO_UI)
    assert contract.check_ui(DEMO_UI) == []
    assert contract.check_source(fixtures.DEMO.read_text(encoding="utf-8"), widgets) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"noneEnabled"', '"noneEnable"', "has no property noneEnable"),
        ('"QPushButton"', '"QPushBotton"', "neither in Qt nor in the contract"),
        ("<signal>mrmlSceneChanged", "<signal>sceneChanged", "has no signal sceneChanged"),
        ("<slot>setMRMLScene", "<slot>setScene", "has no slot setScene"),
        ("<receiver>volumeSelector", "<receiver>volume", "that is not in the file"),
        (">volumeSelector</cstring>", ">volume</cstring>", "buddy that is not in the file"),
        ('name="radiusLabel"', 'name="volumeLabel"', "the name is used twice"),
        ("<class>ctkSliderWidget<", "<class>ctkSlider<", "not among the file's custom"),
    ],
)
def test_a_slip_in_the_ui_is_found(edited, old, new, problem):
    (found,) = contract.check_ui(edited(old, new))
    assert problem in found


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("self.ui.placeButtom.click()", "no widget placeButtom"),
        ("self.ui.placeButton.enabeld = True", "has no property enabeld"),
        ("self.ui.placeButton.text()", "not to be called"),
        ("self.ui.placeButton.clik()", "has no clik"),
        ('self.ui.placeButton.connect("clickd()", f)', "has no signal clickd()"),
        ('ui.volumeSelector.connect("nodeAdded()", f)', "has no signal nodeAdded()"),
        ("ui.volumeSelector.currentNodes()", "has no currentNodes"),
    ],
)
def test_a_slip_in_the_source_is_found(line, problem):
    (found,) = contract.check_source(line, contract.widgets_in(DEMO_UI))
    assert problem in found


@pytest.mark.parametrize("kind", DOUBLES, ids=lambda kind: kind.__name__)
def test_doubles_offer_nothing_that_slicers_widgets_lack(kind):
    known = contract.names_of(kind.__name__)
    allowed = known.properties | known.methods | set(map(contract.bare, known.signals))
    assert {name for name in vars(kind) if not name.startswith("_")} <= allowed


@pytest.mark.parametrize("kind", DOUBLES, ids=lambda kind: kind.__name__)
def test_doubles_have_the_bases_of_slicers_widgets(kind):
    base = contract.contract()[kind.__name__]["base"]
    assert base in {found.__name__ for found in kind.__mro__}
