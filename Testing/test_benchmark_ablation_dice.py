import json
from dataclasses import replace

import pytest

from distilling import STUDENT, network, small_presets
from fastsam3d.attention import FUSED
from fastsam3d.benchmark import ablation, published
from fastsam3d.benchmark.ablation import Sweep, measure_all, read_rows
from fastsam3d.benchmark.ablation_dice import (
    add_dice,
    called,
    check_rows,
    dice_of_forms,
    measure_dice,
)
from fastsam3d.benchmark.accuracy import Asked
from fastsam3d.benchmark.measurement import Counted, Outcome, Timed
from fastsam3d.benchmark.table_ablation import FORMS, ablation_grids
from fastsam3d.errors import InputError
from fastsam3d.packing import save_weights
from fastsam3d.results import ObjectResult, read_results
from minibench import write_manifest

DICE = {form: (0.1 * n, 0.2, 0.3, 0.4) for n, form in enumerate(FORMS)}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Two scans and small weights."""
    folder = tmp_path_factory.mktemp("desk")
    save_weights(folder / "small.safetensors", network(STUDENT).state_dict())
    write_manifest(folder, ("a1", "b1"))
    return folder


@pytest.fixture(autouse=True)
def small():
    with small_presets():
        yield


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A file of rows of both geometries, sweeps first, then 16³ tokens and 8³."""
    given = Outcome(Counted(1, 2, 3), Timed((1.0,), 1.0, "memory"))
    monkeypatch.setattr(ablation, "watched", lambda request, limit_s: given)
    path = tmp_path / "ablation.jsonl"
    measure_all(Sweep(path, device="cpu", segments=(128,), dilations=(1,)), lambda row: None)
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
    return path


def asked(desk, output, **options):
    weights = (("sam", desk / "sam.pth"), ("fastsam3d-default", desk / "small.safetensors"))
    options = {"limit": 1, "device": "cpu", "protocol": "published"} | options
    return Asked(desk / "manifest.csv", output, ("sam",), weights, **options)


@pytest.mark.parametrize("protocol", ["published", "sound"])
def test_the_same_weights_are_clicked_on_in_each_form(desk, tmp_path, protocol):
    done = []
    found = dice_of_forms(asked(desk, tmp_path / "out", protocol=protocol), done.append)
    assert list(found) == list(FORMS)
    assert done == ["a1"] * 4
    results = read_results(tmp_path / "out" / "records.jsonl")
    assert [result.method.split()[-1] for result in results] == list(FORMS)
    assert len({result.method.split()[1] for result in results}) == 1
    assert not any(result.failure for result in results)
    for result in results:
        assert found[result.method.split()[-1]] == pytest.approx(
            [result.dice[n - 1] for n in (1, 3, 5, 10)]
        )


@pytest.fixture
def seen(monkeypatch):
    """Evaluate at once; keeps the case, and whether attention was sparse and flash."""
    noted = []

    def evaluate_object(contestant, task, scan, settings):
        attention = contestant._model.image_encoder.blocks[-1].attn
        noted.append((task.row.case, attention.sparse, attention.forms is FUSED))
        dice = tuple(0.05 * len(noted) + 0.01 * n for n in range(settings.clicks))
        return ObjectResult(
            contestant.name, task.row.case, task.row.patient, "ct", "CT", task.label.value, "one",
            9, settings.seed, settings.strategy, dice, dice, dice, (),
        )  # fmt: skip

    monkeypatch.setattr(published, "evaluate_object", evaluate_object)
    return noted


def test_each_form_is_the_networks_when_its_turn_comes(desk, tmp_path, seen):
    found = dice_of_forms(asked(desk, tmp_path, limit=2))
    forms = [(False, False), (False, True), (True, False), (True, True)]
    assert seen == [(case, *form) for case in ("a1", "b1") for form in forms]
    assert found["plain"] == pytest.approx([0.15, 0.17, 0.19, 0.24])
    assert found["sparse+flash"] == pytest.approx([0.3, 0.32, 0.34, 0.39])


def test_another_call_evaluates_only_what_is_missing(desk, tmp_path, seen):
    first = dice_of_forms(asked(desk, tmp_path))
    records = tmp_path / "records.jsonl"
    records.write_bytes(b"".join(records.read_bytes().splitlines(keepends=True)[:-1]))
    again = dice_of_forms(asked(desk, tmp_path))
    assert len(seen) == 5
    assert seen[-1] == ("a1", True, True)
    assert list(again.items())[:3] == list(first.items())[:3]


def test_a_folder_of_another_manifest_is_refused(desk, tmp_path, seen):
    dice_of_forms(asked(desk, tmp_path))
    (tmp_path / "asked.json").write_text(json.dumps({"manifest": "another"}))
    with pytest.raises(InputError, match="another ablation, with another manifest"):
        dice_of_forms(asked(desk, tmp_path))


def test_a_folder_without_a_result_is_free_for_another_manifest(desk, tmp_path, seen):
    (tmp_path / "asked.json").write_text(json.dumps({"manifest": "another"}))
    dice_of_forms(asked(desk, tmp_path))
    about = json.loads((tmp_path / "asked.json").read_text())
    assert about["manifest"] == str(desk / "manifest.csv")


def test_a_manifest_is_the_same_by_its_file_and_by_its_folder(desk, tmp_path, seen):
    one = asked(desk, tmp_path)
    dice_of_forms(one)
    dice_of_forms(replace(one, manifest=desk))
    assert len(seen) == 4


def test_fewer_clicks_than_the_table_shows_are_refused(desk, tmp_path):
    with pytest.raises(InputError, match="Got 9 clicks; give 10"):
        dice_of_forms(asked(desk, tmp_path, clicks=9))


def test_dice_is_written_into_one_row_of_each_form(measured):
    add_dice(measured, "AMOS", DICE)
    add_dice(measured, "dev, sound", DICE)
    rows = [row for row in read_rows(measured) if row.dice]
    assert {(row.geometry, row.tokens) for row in rows} == {("fastsam3d-default", 8)}
    assert [row.form for row in rows] == list(reversed(FORMS))
    assert {row.segment for row in rows} == {None, 64}
    assert all(list(row.dice) == ["AMOS", "dev, sound"] for row in rows)
    table = list(ablation_grids(rows))[-1]
    ours = [row for row in table.rows if row[1].text == "AMOS" and row[2].text == "measured"]
    assert [row[3].value for row in ours] == [dice[0] for dice in DICE.values()]


def test_dice_is_measured_beside_the_rows_and_written_into_them(desk, measured, seen):
    measure_dice(measured, "amos22", asked(desk, desk / "unused"))
    assert len(seen) == 4
    assert (measured.parent / "ablation" / "amos22-published" / "records.jsonl").is_file()
    assert {name for row in read_rows(measured) for name in row.dice} == {"AMOS"}
    assert not (desk / "unused").exists()


def test_nothing_is_evaluated_before_the_forms_have_rows(desk, tmp_path, seen):
    with pytest.raises(InputError, match="measure that first"):
        measure_dice(tmp_path / "ablation.jsonl", "amos22", asked(desk, tmp_path))
    assert not seen


def test_dice_without_a_row_of_the_form_is_refused(tmp_path):
    with pytest.raises(InputError, match="8³ tokens and attention 'plain', where Dice"):
        add_dice(tmp_path / "ablation.jsonl", "AMOS", DICE)


def test_the_table_says_whose_dice_it_is(measured):
    dice = list(ablation_grids(read_rows(measured)))[-1]
    (whose,) = dice.notes
    assert whose.startswith("Dice is of fastsam3d-default's weights in each form")
    assert "`fastsam3d benchmark ablation --manifest` measures it with our weights, on" in " ".join(
        dice.remarks
    )


@pytest.mark.parametrize(
    "kinds", [{"geometries": ("published",)}, {"tokens": (16,)}, {"tokens": (4,)}]
)
def test_a_sweep_that_leaves_dice_without_rows_is_refused_unless_they_are_there(
    tmp_path, measured, kinds
):
    with pytest.raises(InputError, match="with --geometry fastsam3d-default --tokens 8"):
        check_rows(Sweep(tmp_path / "new.jsonl", **kinds))
    check_rows(Sweep(measured, **kinds))
    check_rows(Sweep(tmp_path / "new.jsonl", segments=()))


def test_a_dataset_has_the_papers_name_where_its_figures_can_be_compared():
    assert called("amos22", "published") == "AMOS"
    assert called("TotalSegmentator-v2", "published") == "TotalSegmentator"
    assert called("brats2021", "published") == "BraTS 2021"
    assert called("amos22", "sound") == "amos22, sound"
    assert called("dev", "published") == "dev, published"
