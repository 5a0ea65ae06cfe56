import csv
import json
import re

import pytest
from matplotlib.image import imread

from benchmarked import MACHINE, OURS, efficiency, form, scored, write_folder
from benchmarked import write_results as write
from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.collect import collect, note_machine
from fastsam3d.benchmark.grids import significant
from fastsam3d.benchmark.page import Section, page
from fastsam3d.benchmark.report import write_report
from fastsam3d.benchmark.styled import styled
from fastsam3d.benchmark.systems import SYSTEMS
from fastsam3d.benchmark.table_ablation import ablation_grids
from fastsam3d.benchmark.table_accuracy import accuracy_grids
from fastsam3d.benchmark.table_efficiency import by_place, efficiency_grids, traits_grid
from fastsam3d.document import markdown
from fastsam3d.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of measurements, and its report."""
    folder = tmp_path_factory.mktemp("bench")
    write_folder(folder)
    write_report(folder, "another machine")
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    (folder / "tables").mkdir()
    (folder / "tables" / "table3-old.csv").write_text("Method\n")
    write_report(folder, "another machine")
    return folder


def table(folder, name):
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def row(rows, method, figures="measured"):
    (found,) = [one for one in rows if (one["Method"], one["Figures"]) == (method, figures)]
    return found


def cells(grid):
    return [dict(zip(grid.head, line, strict=True)) for line in grid.rows]


def test_paper_has_figures_for_each_of_its_seven_systems_in_each_table():
    seven = [key for key in SYSTEMS if key != "fastsam3d-default"]
    assert list(paper.TRAITS) == list(paper.EFFICIENCY) == seven
    assert all(list(dice) == seven for dice in paper.DICE.values())
    assert tuple(paper.DICE) == paper.DATASETS


def test_forms_of_the_paper_end_with_its_own_row_of_table_2_and_3():
    last = paper.ABLATION["sparse+flash"]
    assert last.dice == {name: paper.DICE[name]["fastsam3d"] for name in paper.DATASETS}
    assert last[:3] == tuple(paper.EFFICIENCY["fastsam3d"].encoder)


def test_systems_declare_what_table_1_prints():
    assert [line["Paper's Table 1"].text for line in cells(traits_grid())] == [
        *["the same"] * 7, "not in it",
    ]  # fmt: skip


def test_measured_figures_stand_above_the_papers(folder):
    rows = table(folder, "table3-cpu")
    assert row(rows, "TinySAM")["Encoder, ms"] == "6090.0"
    assert row(rows, "TinySAM", "paper")["Encoder, ms"] == "609"
    methods = [one["Method"] for one in rows]
    assert methods[:4] == ["SAM", "SAM", "MobileSAM", "MobileSAM"]
    assert (folder / "report.md").read_text(encoding="utf-8").count("| SAM | paper | 1024² |") == 1


def test_accelerations_are_of_the_rows_own_sums(folder):
    rows = table(folder, "table3-cpu")
    assert float(row(rows, "FastSAM3D")["Acceleration to 3D"]) == pytest.approx(90 / 8)
    text = (folder / "report.md").read_text(encoding="utf-8").replace(paper.TIMES, "x")
    assert "| 8.75x (sums: 11.25x) |" in text
    assert "| 60.27x (sums: 46.88x) |" in text


def test_times_that_are_missing_say_why_and_counts_are_shown_all_the_same(folder):
    sam = row(table(folder, "table3-cpu"), "SAM")
    assert (sam["Encoder, ms"], sam["Encoder, GFLOPs"], sam["Acceleration to 2D"]) == (
        "",
        "369.0",
        "",
    )
    assert "not measured: took longer than 60 s (Encoder, ms; Encoder, GB)" in sam["Note"]
    assert "acceleration needs the times of SAM and of the system (Acceleration" in sam["Note"]
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "Not measured (SAM): took longer than 60 s." in text
    assert "timed on 4 of the slices, and their times scaled" in text


def test_a_time_counts_more_than_none_and_all_slices_more_than_some():
    some, late = efficiency()[2], efficiency()[3]
    whole = type(some)(**{**vars(some), "ms_median": 1.0, "scaled_from": None})
    skipped = type(late)(**{**vars(late), "ms_median": None, "skipped": "took longer"})
    best = by_place([whole, some, late, skipped])["cpu"]
    assert best[some.system, some.part] == whole
    assert best[late.system, late.part] == late


def test_machines_with_the_same_device_have_tables_of_their_own():
    rows = [*efficiency(), *efficiency(machine="Another CPU"), *efficiency("cuda")]
    names = [grid.name for grid in efficiency_grids(rows)]
    assert names == ["table3-cpu-1", "table3-cpu-2", "table3-cuda", "table3-details"]


def test_variant_of_a_system_has_a_row_below_it():
    rows = efficiency()
    encoder = next(one for one in rows if (one.system, one.part) == ("sam-med3d", "encoder"))
    padded = type(encoder)(**{**vars(encoder), "system": "sam-med3d (padded windows)"})
    grid = next(iter(efficiency_grids([*rows, padded])))
    methods = [line["Method"].text for line in cells(grid)]
    place = methods.index("SAM-Med3D (padded windows)")
    assert methods[place - 1 : place + 2 : 2] == ["SAM-Med3D", "SAM-Med3D"]


def test_table_2_gives_the_kth_click_and_the_best_of_k_beside_the_papers(folder):
    for name in ("dice", "best-dice"):
        rows = table(folder, f"table2-amos-published-{name}")
        assert row(rows, "SAM-Med3D", "paper")["10 clicks"] == "0.448"
        assert float(row(rows, "SAM-Med3D")["10 clicks"]) == pytest.approx(0.7, abs=0.02)
    assert {one["Figures"] for one in table(folder, "table2-dev-sound-dice")} == {"measured"}


def test_best_so_far_never_falls():
    one = scored(methods=(OURS,), patients=2)
    falling = [type(r)(**{**vars(r), "dice": (0.9, *r.dice[1:])}) for r in one.results]
    kth, best = (
        cells(grid)
        for grid in accuracy_grids([type(one)("dev", tuple(falling))])
        if grid.name in ("table2-dev-sound-dice", "table2-dev-sound-best-dice")
    )
    ours = [line for line in (kth, best) for line in line if line["Failures"].value == 0]
    assert ours[0]["3 clicks"].value < 0.9
    assert ours[1]["3 clicks"].value == pytest.approx(0.9)


def test_better_and_worse_than_ours_are_marked_where_the_test_says_so():
    grid = next(iter(accuracy_grids([scored(methods=("sam-med3d 1", OURS, "fast-marching"))])))
    marks = {line["Method"].text: line["10 clicks"].mark for line in cells(grid)}
    assert marks["SAM-Med3D"] == "better"
    assert marks["FastSAM3D, default"] == ""
    assert marks["Fast marching (SimpleITK)"] == "worse"
    few = next(iter(accuracy_grids([scored(patients=3)])))
    assert {line["10 clicks"].mark for line in cells(few)} == {""}


def test_page_shows_marks_in_bold_and_blue_as_the_paper_does(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    worse = re.findall(r"<td([^>]*)>[^<]* ▼</td>", page)
    assert len(worse) > 10
    assert set(worse) == {' style="color: #0000ff"'}
    assert page.count(" style=") == len(worse)
    assert styled("<td>0.5 ▲</td><td>0.4</td>") == (
        '<td style="font-weight: bold">0.5 ▲</td><td>0.4</td>'
    )


def test_table_says_which_clicks_a_method_gets_by_published(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    told = "Published 3D networks get the newest click alone"
    assert text.count(told) == 3
    assert told not in " ".join(next(iter(accuracy_grids([scored(patients=2)]))).notes)


def test_untrained_network_shows_no_dice(tmp_path):
    names = ("sam untrained", OURS)
    write(tmp_path / "accuracy" / "dev-sound" / "objects.jsonl", scored(methods=names))
    found = collect(tmp_path).scored[0]
    assert {one.method for one in found.results} == {OURS}
    grid = next(iter(accuracy_grids([found])))
    assert "SAM" not in [line["Method"].text for line in cells(grid)]
    assert any(note.startswith("Not measured (SAM): ran with random") for note in grid.remarks)


def test_dataset_where_only_untrained_networks_ran_is_named(tmp_path):
    path = tmp_path / "accuracy" / "try-published" / "objects.jsonl"
    write(path, scored(strategy="published", methods=("sam untrained",), patients=1))
    text = markdown(page({2: Section(())}, collect(tmp_path), "here"))
    assert "On try only untrained networks ran; they have no Dice." in text


def test_two_weights_of_a_system_are_told_apart():
    other = "fastsam3d-default 76543210"
    grid = next(iter(accuracy_grids([scored(methods=(OURS, other))])))
    methods = [line["Method"].text for line in cells(grid)]
    assert methods[-2:] == [OURS, other]


def test_each_organ_has_a_row(folder):
    rows = table(folder, "table2-dev-sound-organs")
    assert [(one["Organ"], one["Objects"]) for one in rows] == [("liver", "24"), ("spleen", "24")]
    assert float(rows[0]["FastSAM3D, default"]) == pytest.approx(0.8, abs=0.02)


def test_results_of_a_run_that_was_stopped_are_shown_as_unfinished(tmp_path):
    write(tmp_path / "accuracy" / "dev-sound" / "records" / "1-of-1.ab.jsonl", scored(patients=2))
    (found,) = collect(tmp_path).scored
    assert not found.finished
    assert next(iter(accuracy_grids([found]))).notes[0].startswith("Unfinished")


def test_table_4_shows_the_papers_form_and_all_others_in_a_file(folder):
    rows = [(one["Attention"], one["Figures"]) for one in table(folder, "table4-published-8-cpu")]
    assert ("sparse, w 64, r 4", "measured") in rows
    assert ("sparse and flash", "paper") in rows
    assert len(rows) == 8
    assert len(table(folder, "table4-published-8-cpu-sweep")) == 20


def test_dice_of_a_form_stands_beside_the_papers():
    dice = {"AMOS": [0.1, 0.2, 0.3, 0.4]}
    grid = list(ablation_grids([form("flash", dice=dice)]))[-1]
    flash = [line for line in cells(grid) if line["Dataset"].text == "AMOS"][1:3]
    assert [line["10 clicks"].text for line in flash] == ["0.400", "0.432"]


def test_json_holds_each_table_as_the_csv_files_do(folder):
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    files = {path.stem for path in (folder / "tables").iterdir()}
    assert set(content["tables"]) == files
    (sam,) = [
        one for one in content["tables"]["table3-cpu"]["rows"]
        if (one["Method"], one["Figures"]) == ("SAM", "paper")
    ]  # fmt: skip
    assert sam["Encoder, ms"] == 3980
    worst = content["tables"]["table2-dev-sound-dice"]["rows"][-1]["10 clicks"]
    assert worst["mark"] == "worse"
    assert worst["value"] == pytest.approx(0.5, abs=0.02)


def test_folder_where_nothing_was_measured_shows_the_papers_figures_and_no_zero(empty):
    rows = table(empty, "table3")
    assert row(rows, "SAM", "paper")["Encoder, ms"] == "3980"
    for name in ("table2-amos", "table3", "table4-published-8"):
        assert {one["Figures"] for one in table(empty, name)} == {"paper"}
    text = (empty / "report.md").read_text(encoding="utf-8")
    assert "| not measured" not in text
    assert "`fastsam3d benchmark efficiency` measures it" in text


def test_tables_of_an_earlier_report_that_are_no_more_are_gone(empty):
    old = empty / "tables" / "table3-old.csv"
    assert not old.exists()
    assert (empty / "tables" / "table3.csv").exists()


def test_machines_are_named_once(folder, tmp_path):
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert f"Measured on: {MACHINE}." in text.rpartition("## Machine and versions")[2]
    assert "Report written on: another machine." in text
    for name in ("one", "two", "one"):
        note_machine(tmp_path, name)
    assert collect(tmp_path).machines == ("one", "two")
    assert len((tmp_path / "machines.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("name", ["efficiency.jsonl", "ablation.jsonl", "machines.jsonl"])
@pytest.mark.parametrize("line", ["hello", "[1]"])
def test_file_that_holds_something_else_is_refused(name, line, tmp_path):
    (tmp_path / name).write_text(f"{line}\n")
    with pytest.raises(InputError, match=name):
        collect(tmp_path)


def test_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="run a benchmark into it first"):
        write_report(tmp_path / "none", "here")


def test_pictures_are_drawn(folder):
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert pictures == [
        "clicks-amos-published.png", "clicks-dev-sound.png", "sweep-published-8-cpu.png",
        "table3-cpu.png", "table4-published-8-cpu.png", "time-dice.png",
    ]  # fmt: skip
    assert all(imread(folder / name).std() > 0.02 for name in pictures)


@pytest.mark.parametrize(
    ("value", "text"),
    [(126261.4, "126261"), (2219.0, "2219"), (95.12, "95.1"), (0.206, "0.206"), (0.0, "0.00")],
)
def test_numbers_have_three_digits_that_count_and_no_power_of_ten(value, text):
    assert significant(value).text == text
