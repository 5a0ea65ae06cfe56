from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from benchmarked import METHODS, OURS, efficiency, form, forms, scored
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.labels import SMALL, Named, name_points, spread
from fastsam3d.benchmark.palette import look
from fastsam3d.benchmark.plots import efficiency_bars
from fastsam3d.benchmark.plots_dice import dice_by_clicks, time_and_dice
from fastsam3d.benchmark.plots_sweep import sweep, sweep_pictures
from fastsam3d.benchmark.systems import SYSTEMS
from fastsam3d.benchmark.table_efficiency import by_place


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


@pytest.fixture(scope="module")
def bars():
    return efficiency_bars(by_place(efficiency())["cpu"], "cpu")


@pytest.fixture(scope="module")
def time():
    return time_and_dice([scored("amos", "published")])


@pytest.fixture(scope="module")
def clicks():
    return dice_by_clicks(scored("amos", "published", methods=(*METHODS, "region-growing")))


@pytest.fixture(scope="module")
def curves():
    return sweep(forms(), "published, 8³ tokens, cpu")


@pytest.mark.parametrize("name", ["bars", "time", "clicks", "curves"])
def test_no_two_names_cover_each_other_and_all_lie_in_the_picture(name, request):
    figure = request.getfixturevalue(name)
    texts = written(figure)
    titles = {axes.get_title(loc="left") for axes in figure.axes}
    assert_apart([text for text in texts if text.get_text() in titles])
    for axes in figure.axes:
        assert_apart([text for text in names(texts) if text.axes is axes])
    assert_inside(figure, texts)


@pytest.mark.parametrize("name", ["bars", "time", "clicks", "curves"])
def test_letters_can_be_read_at_the_size_of_the_page(name, request):
    figure = request.getfixturevalue(name)
    assert figure.bbox.width <= 1120
    ticks = [label for axes in figure.axes for label in axes.get_xticklabels()]
    assert min(text.get_fontsize() for text in (*written(figure), *ticks)) >= SMALL


def test_each_system_has_a_colour_and_a_shape_of_its_own():
    looks = [look(key) for key in SYSTEMS]
    assert len({one.colour for one in looks}) == len({one.marker for one in looks}) == len(looks)
    assert look("grow-from-seeds", 0).marker != look("fast-marching", 1).marker


def test_names_are_moved_apart_no_farther_than_need_be_and_stay_in_order():
    assert spread([5.0, 1.0], 2.0) == [5.0, 1.0]
    assert spread([1.0, 1.0, 1.0], 2.0) == [-1.0, 1.0, 3.0]
    many = np.random.default_rng(0).uniform(0, 10, 20)
    found = np.array(spread(list(many), 1.0))
    order = np.argsort(many, kind="stable")
    assert (np.diff(found[order]) >= 1 - 1e-9).all()
    assert found.mean() == pytest.approx(many.mean())


def test_names_of_points_that_nearly_coincide_are_apart():
    figure = Figure(figsize=(4, 3), dpi=120)
    axes = figure.subplots()
    points = [Named(0.5 + 0.01 * n, 0.5, f"method {n}", "#000000") for n in range(5)]
    axes.plot([point.x for point in points], [point.y for point in points], "o")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    name_points(axes, points)
    found = names(written(figure))
    assert sorted(text.get_text() for text in found) == [point.text for point in points]
    assert_apart(found)
    assert_inside(figure, found)


def test_bars_are_as_long_as_what_was_measured_and_as_what_the_paper_prints(bars):
    encoder_ms, *_ = bars.axes
    widths = [round(patch.get_width(), 6) for patch in encoder_ms.patches]
    assert 10 * paper.EFFICIENCY["tinysam"].encoder.ms in widths
    assert paper.EFFICIENCY["tinysam"].encoder.ms in widths
    assert encoder_ms.get_xscale() == "log"


def test_what_was_not_measured_has_no_bar_and_says_so(bars):
    encoder_ms, encoder_flops, *_ = bars.axes
    absent = [sum(t.get_text() == "not measured" for t in axes.texts) for axes in bars.axes]
    assert absent == [2, 1, 2, 1, 1, 1]
    assert len(encoder_ms.patches) == 6 + 7
    assert len(encoder_flops.patches) == 7 + 7


def test_paper_and_measurements_have_panels_of_their_own(time):
    titles = [axes.get_title(loc="left") for axes in time.axes if axes.axison]
    assert titles == [*(f"Paper: {name}" for name in paper.DATASETS), "amos, protocol published"]
    texts = [text.get_text() for text in time.axes[0].texts if text.get_text()]
    assert sorted(texts) == sorted(SYSTEMS[key].title for key in paper.EFFICIENCY)


def test_times_of_several_processes_say_so():
    labels = [time_and_dice([scored(patients=1, processes=n)]).axes[3].get_xlabel() for n in (1, 4)]
    assert labels == ["first click, ms", "first click, ms, 4 processes at once"]


def test_papers_marks_stand_in_pictures_of_its_own_protocol_alone():
    (axes,) = dice_by_clicks(scored("amos", methods=METHODS, patients=2)).axes
    assert not [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert "paper" not in axes.get_title(loc="left")


def test_without_measurements_the_papers_panels_are_left():
    assert len(time_and_dice([]).axes) == 3


def test_each_method_has_a_line_an_interval_and_its_name(clicks):
    (axes,) = clicks.axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == 10]
    assert len(lines) == 5
    assert {text.get_text() for text in axes.texts} == {
        "FastSAM3D, default", "SAM-Med3D", "grow-from-seeds", "region-growing", "fast-marching",
    }  # fmt: skip
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert [tuple(line.get_ydata()) for line in hollow] == [paper.DICE["AMOS"]["sam-med3d"]]


def test_intervals_are_those_of_the_summary():
    one = scored(methods=(OURS,), patients=3)
    (axes,) = dice_by_clicks(one).axes
    (lines,) = axes.collections
    found = one.methods[OURS].dice
    wanted = [[found[n - 1].low, found[n - 1].high] for n in (1, 3, 5, 10)]
    np.testing.assert_allclose([segment[:, 1] for segment in lines.get_segments()], wanted)


def test_sweep_has_a_curve_for_each_dilation_and_dense_attention_as_a_level(curves):
    assert len(curves.axes) == 4
    for axes in curves.axes:
        named = sorted(text.get_text() for text in axes.texts if text.get_text())
        assert named == ["dense", "r 1", "r 2", "r 4"]
    sparse, fused = curves.axes[0], curves.axes[2]
    assert sparse.lines[0].get_ydata() == pytest.approx([94.2, 97.4, 103.8])
    assert set(sparse.lines[3].get_ydata()) == {120.0}
    assert set(fused.lines[3].get_ydata()) == {70.0}


def test_what_a_sweep_could_not_measure_is_left_out_of_its_curve():
    rows = [form("sparse", segment=w, dilation=1) for w in (32, 64)]
    rows.append(form("sparse", segment=128, dilation=1, ms_median=None, skipped="took longer"))
    figure = sweep(rows, "t")
    assert list(figure.axes[0].lines[0].get_xdata()) == [32, 64]


def test_geometry_that_was_not_swept_has_no_picture(tmp_path):
    rows = [form("plain"), form("sparse", segment=64, dilation=4)]
    assert sweep_pictures(tmp_path, rows) == ()
