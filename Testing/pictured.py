"""Pictures of Table 2; what is written in a picture, and whether it can be read there."""

from itertools import combinations

import pytest
from matplotlib.text import Annotation, Text

from benchmarked import METHODS, scored
from fastsam3d.benchmark.plots_dice import dice_by_clicks, time_and_dice


@pytest.fixture(scope="module")
def time():
    return time_and_dice([scored("amos", "published")])


@pytest.fixture(scope="module")
def clicks():
    return dice_by_clicks(scored("amos", "published", methods=(*METHODS, "region-growing")))


def written(figure):
    """All texts of a picture that say something, but for the numbers along its axes."""
    figure.draw_without_rendering()
    ticks = [
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for label in axis.get_ticklabels(which="both")
    ]
    texts = figure.findobj(Text)
    return [text for text in texts if text.get_text() and text not in ticks]


def box(text):
    return Text.get_window_extent(text)


def assert_apart(texts):
    for one, other in combinations(texts, 2):
        assert not box(one).shrunk(0.98, 0.9).overlaps(box(other).shrunk(0.98, 0.9)), (
            one.get_text(), other.get_text(),
        )  # fmt: skip


def assert_inside(figure, texts):
    for text in texts:
        inner = box(text)
        assert inner.x0 >= -1
        assert inner.y0 >= -1
        assert inner.x1 <= figure.bbox.width + 1
        assert inner.y1 <= figure.bbox.height + 1


def names(texts):
    return [text for text in texts if isinstance(text, Annotation)]
