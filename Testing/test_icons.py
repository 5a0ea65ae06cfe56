"""The icons: drawn from their sources, readable on light and on dark panels."""

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parent.parent / "Resources" / "Icons"
LIGHT_PANEL = (240, 240, 240)
DARK_PANEL = (50, 50, 50)
ELEMENTS = {"svg", "title", "g", "rect", "circle", "ellipse", "path"}
"""What Qt draws in every version; filters, masks and style sheets it leaves out."""


@pytest.fixture(scope="module")
def drawing_tool():
    spec = importlib.util.spec_from_file_location("icons_render", FOLDER / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawings(drawing_tool):
    return drawing_tool.drawings()


def pixels(name):
    with Image.open(FOLDER / name) as image:
        return np.asarray(image.convert("RGBA"))


def luminance(rgb):
    """Return the relative luminance of WCAG 2.2 of (..., 3) values of 0 to 255."""
    share = np.asarray(rgb) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(name, panel):
    """Return the ratio, 1 to 21, between the icon's middling pixel and what lies behind it."""
    rgba = pixels(name)
    ink = luminance(rgba[rgba[..., 3] > 200][:, :3])
    lighter, darker = np.maximum(ink, luminance(panel)), np.minimum(ink, luminance(panel))
    return np.median((lighter + 0.05) / (darker + 0.05))


def test_every_picture_carries_the_hash_of_the_drawing_it_was_made_from(drawing_tool, drawings):
    expected = {name: drawing_tool.digest(drawing) for name, (drawing, _) in drawings.items()}
    found = {}
    for path in FOLDER.glob("*.png"):
        with Image.open(path) as image:
            found[path.name] = image.text["Source"]
    assert found == expected, "Run Resources/Icons/render.py."


def test_qt_draws_the_committed_pictures(drawing_tool, drawings):
    pytest.importorskip("PySide6.QtSvg", exc_type=ImportError)
    for name, (drawing, size) in drawings.items():
        image = drawing_tool.render(drawing, size)
        fresh = np.frombuffer(image.constBits(), np.uint8).reshape(size, size, 4)[..., [2, 1, 0, 3]]
        apart = np.abs(fresh.astype(int) - pixels(name))
        assert apart.max() <= 8, name


def test_buttons_have_twice_24_pixels_and_the_module_128(drawings):
    sizes = {name: pixels(name).shape[:2] for name in drawings}
    assert sizes.pop("FastSAM3DSlicer.png") == (128, 128)
    assert set(sizes.values()) == {(48, 48)}


@pytest.mark.parametrize(
    "name", ["include", "exclude", "undo", "redo", "reset", "next", "uncertainty"]
)
def test_a_button_stands_out_from_light_and_from_dark_panels(name):
    assert contrast(f"{name}.png", LIGHT_PANEL) >= 3
    assert contrast(f"{name}-dark.png", DARK_PANEL) >= 3


@pytest.mark.parametrize("panel", [LIGHT_PANEL, DARK_PANEL])
def test_the_modules_icon_stands_out_from_both_panels(panel):
    assert contrast("FastSAM3DSlicer.png", panel) >= 1.5


def test_every_colour_of_a_button_has_a_dark_form(drawing_tool):
    for path in FOLDER.glob("*.svg"):
        if path.stem != drawing_tool.MODULE:
            colours = set(re.findall(r"#\w+", path.read_text(encoding="utf-8")))
            assert colours
            assert colours <= set(drawing_tool.DARK), path.name


def test_drawings_use_only_what_every_qt_draws():
    for path in FOLDER.glob("*.svg"):
        for element in ElementTree.parse(path).iter():
            assert element.tag.rpartition("}")[2] in ELEMENTS, path.name
            assert "style" not in element.attrib, path.name


def test_no_icon_is_cut_off_at_its_edge(drawings):
    for name in drawings:
        alpha = pixels(name)[..., 3]
        edge = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
        assert edge.max() < 128, name
