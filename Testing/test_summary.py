import csv
import json
import re

import pytest

from fastsam3d.errors import InputError
from fastsam3d.results import ObjectResult
from fastsam3d.summary import summarise
from fastsam3d.tables import markdown, write_report


def result(method, case, patient, folder, dice, **others):
    values = {"modality": "CT", "label": 1, "name": "", "voxels": 500, "seed": 0} | others
    return ObjectResult(
        method=method,
        case=case,
        patient=patient,
        folder=folder,
        strategy="centre",
        dice=dice,
        surface_dice=dice,
        seconds=(0.5, 0.1, 0.3),
        placed=((1, 2, 3, 1),),
        **values,
    )


@pytest.fixture
def results():
    return [
        result("ours", "x1", "x", "ct", (0.5, 0.9, 0.85)),
        result("ours", "x2", "x", "ct", (0.7, 0.7, 0.95)),
        result("ours", "y", "y", "ct", (0.2, 0.4, 0.6)),
        result("ours", "z", "z", "mr", (0.0, 0.0, 0.3), failure="ValueError: no"),
        result("theirs", "x1", "x", "ct", (0.4, 0.4, 0.4)),
        result("theirs", "z", "z", "mr", (0.1, 0.1, 0.1)),
    ]


def test_summary_averages_objects_then_patients_then_folders(results):
    ours = summarise(results).methods[0]
    assert [e.mean for e in ours.dice] == pytest.approx([0.2, 0.3, 0.525])
    assert [e.mean for e in ours.best_dice] == pytest.approx([0.2, 0.3, (0.925 + 0.6) / 4 + 0.15])
    assert ours.folders["ct"] == pytest.approx((0.4, 0.6, 0.75))
    assert all(e.low <= e.mean <= e.high for e in (*ours.dice, *ours.surface_dice))
    assert (ours.objects, ours.patients, ours.failures) == (4, 3, 1)
    assert (ours.first_seconds, ours.later_seconds) == (0.5, 0.2)


def test_object_that_never_reaches_a_dice_counts_with_all_clicks(results):
    at_80, at_90 = summarise(results).methods[0].reach
    assert (at_80.share, at_80.clicks) == pytest.approx((0.25, ((2.5 + 3) / 2 + 3) / 2))
    assert (at_90.share, at_90.clicks) == pytest.approx((0.25, ((2.5 + 3) / 2 + 3) / 2))


def test_where_no_object_reaches_a_dice_there_is_no_number_of_clicks(results):
    summary = summarise([each for each in results if each.method == "theirs"])
    assert [(reach.share, reach.clicks) for reach in summary.methods[0].reach] == [(0, None)] * 2
    text = markdown(summary)
    assert "| theirs | - | 0% | - | 0% |" in text
    assert "counts with all 3 clicks made; a dash where none reaches it" in text


def test_methods_are_compared_on_the_objects_that_both_have(results):
    found = summarise(results).versus
    assert [(v.method, v.other, v.clicks) for v in found] == [("ours", "theirs", n) for n in (1, 3)]
    assert found[1].comparison.difference == pytest.approx((0.45 + 0.2) / 2)
    assert found[1].comparison.patients == 2


def test_results_of_different_protocols_are_not_mixed(results):
    with pytest.raises(InputError, match="different seeds"):
        summarise([*results, result("ours", "q", "q", "ct", (0.1, 0.2, 0.3), seed=4)])
    with pytest.raises(InputError, match="no results"):
        summarise([])


def test_report_says_protocol_scores_failures_and_what_was_left_out(results):
    small = [
        ("x1", "label 2: 4 voxels, below 200 voxels"),
        ("y", "label 5: 9 voxels, below 200 voxels"),
    ]
    left_out = [("plain", "no label map"), *small]
    text = markdown(summarise(results), left_out)
    assert "Protocol `sound`" in text
    assert "| Method | 1 click | 3 clicks |" in text
    assert "| ours | 0.20 |" in text
    assert "1 of 4" in text
    assert "| ct | ours | 0.40 | 0.75 |" in text
    assert "### Left out\n\n2 objects below 200 voxels, 1 case with no label map; `report" in text
    assert "`report.json`, which --output writes, names each." in text


@pytest.mark.parametrize(("patients", "interval"), [(5, False), (6, True)])
def test_interval_needs_as_many_patients_as_a_test(patients, interval):
    found = [result("ours", f"x{n}", f"x{n}", "ct", (n / 10,)) for n in range(patients)]
    text = markdown(summarise(found))
    assert bool(re.search(r"\| ours \| 0\.\d\d \(0\.\d\d to ", text)) == interval
    why = "but none of fewer than 6 patients (here 5), where it would be little more than their"
    assert (why in text) == (not interval)


def test_what_was_left_out_takes_one_line_however_much_it_is(results):
    few, many = ([(f"c{n}", "no image") for n in range(count)] for count in (1, 500))
    lines = [markdown(summarise(results), each).count("\n") for each in (few, many)]
    assert lines[0] == lines[1]


def test_report_is_written_as_markdown_csv_and_json(results, tmp_path):
    paths = write_report(tmp_path / "report", results, [("plain", "no label map")])
    assert [path.name for path in paths] == ["report.md", "objects.csv", "report.json"]
    text = paths[0].read_text(encoding="utf-8")
    assert "1 case with no label map; `report.json` names each." in text
    with paths[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert (rows[1]["case"], rows[1]["dice_3"], rows[3]["failure"]) == (
        "x2",
        "0.9500",
        "ValueError: no",
    )
    report = json.loads(paths[2].read_text())
    assert report["protocol"] == "sound"
    assert report["objects"][2]["dice"] == [0.2, 0.4, 0.6]
    assert report["left_out"] == [{"case": "plain", "reason": "no label map"}]
