"""Pictures of Table 2: what their axes say, how methods look, where names stand."""

from dataclasses import replace

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.transforms import Bbox

import pictured
from benchmarked import METHODS, OURS, scored
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.palette import PALE, look
from fastsam3d.benchmark.plots_dice import dice_by_clicks, time_and_dice
from fastsam3d.benchmark.systems import SYSTEMS
from pictured import box, names

time, clicks = pictured.time, pictured.clicks


def test_paper_and_measurements_have_panels_of_their_own(time):
    titles = [axes.get_title(loc="left") for axes in time.axes if axes.axison]
    assert titles == [*(f"Paper: {name}" for name in paper.DATASETS), "amos, protocol published"]
    texts = [text.get_text() for text in time.axes[0].texts if text.get_text()]
    assert sorted(texts) == sorted(SYSTEMS[key].title for key in paper.EFFICIENCY)


def test_times_of_several_processes_say_so():
    labels = [time_and_dice([scored(patients=1, processes=n)]).axes[3].get_xlabel() for n in (1, 4)]
    assert labels == ["first click here, ms", "first click here, ms,\n4 processes at once"]


def cut(one, clicks):
    """The same results with fewer clicks."""
    return replace(one, results=tuple(
        replace(r, dice=r.dice[:clicks], surface_dice=r.surface_dice[:clicks]) for r in one.results
    ))  # fmt: skip


def test_axis_says_after_how_many_clicks_the_dice_is_that_is_drawn():
    one = scored(patients=1, methods=(OURS,))
    figure = time_and_dice([one, cut(one, 3), cut(one, 1), cut(one, 1)])
    labels = [axes.get_ylabel() for axes in figure.axes if axes.axison]
    ten, three, first = (f"Dice after {n}" for n in ("10 clicks", "3 clicks", "1 click"))
    assert labels == [ten, "", "", ten, three, first, first]


def test_panels_share_dice_and_those_of_one_kind_time():
    quick = scored(patients=1, methods=(OURS,))
    slow = tuple(replace(one, seconds=(9.0, *one.seconds[1:])) for one in quick.results)
    figure = time_and_dice([quick, replace(quick, results=slow)])
    shown = [axes for axes in figure.axes if axes.axison]
    assert len({axes.get_ylim() for axes in shown}) == 1
    assert len({axes.get_xlim() for axes in shown[:3]}) == 1
    assert len({axes.get_xlim() for axes in shown[3:]}) == 1


def test_times_can_be_read_from_several_numbers_and_the_papers_say_its_machine(time):
    time.draw_without_rendering()
    for axes in (axes for axes in time.axes if axes.axison):
        low, high = axes.get_xlim()
        shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert len(shown) >= 3
    machines = [paper.GPU in axes.get_xlabel() for axes in time.axes if axes.axison]
    assert machines == [True] * 3 + [False]


def test_names_stand_beside_intervals_and_not_on_them():
    one = scored(methods=(OURS, "region-growing"), patients=6)
    wide = tuple(
        replace(r, dice=tuple(min(1.0, d * int(r.patient[-1]) / 3) for d in r.dice))
        for r in one.results
    )
    figure = time_and_dice([replace(one, results=wide)])
    axes = figure.axes[3]
    figure.draw_without_rendering()
    intervals = [line for bars in axes.collections for line in bars.get_segments()]
    assert min(np.ptp(line[:, 1]) for line in intervals) > 0.2
    for text in (text for text in axes.texts if text.get_text()):
        for line in intervals:
            assert not box(text).overlaps(Bbox(axes.transData.transform(line)))


def test_method_has_one_title_and_one_shape_in_every_picture():
    one = scored(methods=(OURS, "region-growing"), patients=1)
    for methods in (one, scored(methods=("fast-marching", "region-growing"), patients=1)):
        (axes,) = dice_by_clicks(methods).axes
        last = axes.lines[list(methods.methods).index("region-growing")]
        points = time_and_dice([methods]).axes[3]
        assert look("region-growing").marker in [line.get_marker() for line in points.lines]
        assert last.get_marker() == look("region-growing").marker
        for panel in (axes, points):
            assert "Region growing (SimpleITK)" in [text.get_text() for text in panel.texts]


def test_lines_to_names_are_not_taken_for_data(clicks):
    (axes,) = clicks.axes
    leaders = [text.arrow_patch for text in names(axes.texts) if text.arrow_patch]
    assert len(leaders) == 5
    assert {(each.get_linestyle(), each.get_linewidth()) for each in leaders} == {(":", 0.7)}
    assert {to_hex(each.get_edgecolor()) for each in leaders} == {PALE}


def test_too_few_patients_have_means_and_no_intervals():
    for figure in (dice_by_clicks(scored(patients=5)), time_and_dice([scored(patients=5)])):
        drawn = [c for axes in figure.axes for c in axes.collections]
        assert sum(np.ptp(line[:, 1]) for c in drawn for line in c.get_segments()) == 0
    assert dice_by_clicks(scored(patients=5)).axes[0].get_title(loc="left").endswith("sound: mean")


def test_papers_marks_stand_in_pictures_of_its_own_protocol_alone():
    (axes,) = dice_by_clicks(scored("amos", methods=METHODS, patients=2)).axes
    assert not [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert "paper" not in axes.get_title(loc="left")


def test_title_tells_of_the_papers_marks_where_there_are_any():
    titles = [
        dice_by_clicks(scored("amos", "published", methods=methods, patients=1))
        .axes[0]
        .get_title("left")
        for methods in ((OURS,), METHODS)
    ]
    assert ["hollow" in title for title in titles] == [False, True]


def test_without_measurements_the_papers_panels_are_left():
    assert len(time_and_dice([]).axes) == 3


def test_each_method_has_a_line_an_interval_and_its_name(clicks):
    (axes,) = clicks.axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == 10]
    assert len(lines) == 5
    assert {text.get_text() for text in axes.texts} == {
        "FastSAM3D, default", "SAM-Med3D", "Grow from seeds (3D Slicer)",
        "Region growing (SimpleITK)", "Fast marching (SimpleITK)",
    }  # fmt: skip
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert [tuple(line.get_ydata()) for line in hollow] == [paper.DICE["AMOS"]["sam-med3d"]]


def test_intervals_are_those_of_the_summary():
    one = scored(methods=(OURS,), patients=6)
    (axes,) = dice_by_clicks(one).axes
    (lines,) = axes.collections
    found = one.methods[OURS].dice
    wanted = [[found[n - 1].low, found[n - 1].high] for n in (1, 3, 5, 10)]
    np.testing.assert_allclose([segment[:, 1] for segment in lines.get_segments()], wanted)
