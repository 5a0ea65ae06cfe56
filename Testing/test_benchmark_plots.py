import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import pictured
from benchmarked import efficiency, form, forms
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.labels import SMALL, Named, name_points, spread
from fastsam3d.benchmark.palette import PALE, look
from fastsam3d.benchmark.plots import efficiency_bars
from fastsam3d.benchmark.plots_forms import form_bars, form_pictures
from fastsam3d.benchmark.plots_sweep import sweep, sweep_pictures
from fastsam3d.benchmark.scored import METHODS as METHODS_BESIDE
from fastsam3d.benchmark.systems import SYSTEMS
from fastsam3d.benchmark.table_ablation import series
from fastsam3d.benchmark.table_efficiency import by_place
from pictured import assert_apart, assert_inside, names, written

time, clicks = pictured.time, pictured.clicks


@pytest.fixture(scope="module")
def bars():
    return efficiency_bars(by_place(efficiency())["cpu"], "cpu")


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
    tools = [look(name) for name in (*METHODS_BESIDE, "some-other-method")]
    assert len({one.marker for one in (*looks, *tools)}) == len(looks) + len(tools)


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


def test_lines_to_far_names_lead_past_other_points():
    figure = Figure(figsize=(3.2, 3), dpi=120)
    axes = figure.subplots()
    places = {
        key: (found.encoder.ms + found.decoder.ms, paper.DICE["AMOS"][key][-1])
        for key, found in paper.EFFICIENCY.items()
    }
    axes.set(xscale="log", xlim=(2, 2e4), ylim=(0, 1))
    figure.draw_without_rendering()
    name_points(axes, [Named(*place, SYSTEMS[key].title, PALE) for key, place in places.items()])
    figure.draw_without_rendering()
    leaders = [text for text in names(axes.texts) if not text.get_text()]
    for leader in leaders:
        line = leader.arrow_patch.get_window_extent()
        start = axes.transData.transform(leader.xy)
        for place in axes.transData.transform(list(places.values())):
            assert np.allclose(place, start) or not line.padded(-1).contains(*place)


def test_bars_are_as_long_as_what_was_measured_and_as_what_the_paper_prints(bars):
    encoder_ms, *_ = bars.axes
    widths = [round(patch.get_width(), 6) for patch in encoder_ms.patches]
    assert 10 * paper.EFFICIENCY["tinysam"].encoder.ms in widths
    assert paper.EFFICIENCY["tinysam"].encoder.ms in widths
    assert encoder_ms.get_xscale() == "log"


def test_what_was_not_measured_has_no_bar_and_says_so(bars):
    encoder_ms, encoder_flops, *_ = bars.axes
    assert bars.get_supxlabel().endswith("Not measured on cpu: SAM (encoder); FastSAM3D, default.")
    assert sum("ot measured" in text.get_text() for text in bars.findobj(Text)) == 1
    titles = [label.get_text() for label in encoder_ms.get_yticklabels()]
    assert titles == [SYSTEMS[key].title for key in paper.EFFICIENCY]
    assert len(encoder_ms.patches) == 6 + 7
    assert len(encoder_flops.patches) == 7 + 7


def test_bars_begin_at_the_same_power_of_ten_in_both_panels_of_a_unit(bars):
    limits = [axes.get_xlim() for axes in bars.axes]
    assert limits[:3] == limits[3:]
    assert [round(low, 6) for low, _ in limits[:3]] == [1, 0.1, 0.1]


def test_bars_are_of_the_colours_that_the_legend_says_and_say_what_they_are_of(bars):
    (legend,) = bars.legends
    said = {patch.get_facecolor() for patch in legend.get_patches()}
    assert {bar.get_facecolor() for axes in bars.axes for bar in axes.patches} == said
    assert "times are for all 128 slices of a volume, their GFLOPs for one" in bars.get_supxlabel()


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
    (picture,) = form_pictures(tmp_path, rows)
    assert picture.path.name == "table4-published-8-cpu.png"
    assert picture.path.exists()


def test_forms_have_bars_beside_the_papers_where_they_compare():
    for geometry, printed in (("published", 4), ("fastsam3d-default", 0)):
        rows = forms(geometry=geometry)[:3]
        (group,) = series(rows)
        figure = form_bars(group, rows)
        milliseconds = figure.axes[0]
        widths = [bar.get_width() for bar in milliseconds.patches]
        assert [width for width in widths if width > 50] == [120.0, 70.0, 94.2]
        assert len(widths) == 3 + printed
        assert milliseconds.get_xscale() == ("log" if printed else "linear")
        assert figure.get_supxlabel() == "Not measured: sparse and flash."
        assert_inside(figure, written(figure))


def test_forms_without_a_time_have_no_picture(tmp_path):
    assert form_pictures(tmp_path, [form("flash", ms_median=None, skipped="took longer")]) == ()
