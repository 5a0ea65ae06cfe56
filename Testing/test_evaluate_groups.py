"""Groups of labels, evaluated each as one object."""

import numpy as np
import pytest

from fastsam3d.evaluate import evaluate, score_masks
from fastsam3d.masks import write_mask
from fastsam3d.summary import summarise
from test_evaluate import AFFINE, Painter, two_objects, write_case


@pytest.fixture
def labels():
    return two_objects()


@pytest.fixture
def grouped(tmp_path, labels):
    """Three cases with a group of labels 1 and 3, and one of label 2 alone."""
    rows = ["case,image,label,labels_voxels,groups"]
    for case in ("a1", "a2", "b1"):
        write_case(tmp_path, case, labels)
        files = f"{case},{case}.nii.gz,{case}_label.nii.gz"
        rows.append(f"{files},1:one;2:two;3:dot,1+3:both;2:second")
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(rows))
    return path


def test_a_group_is_clicked_and_scored_as_one_object(grouped, labels):
    both, second = evaluate(grouped, [Painter()], clicks=4)[:2]
    assert (both.label, both.name, both.voxels) == ("1+3", "both", 516)
    assert (second.label, second.name, second.voxels) == (2, "second", 300)
    clicked = {labels[voxel[:3]] for voxel in both.placed if voxel[3]}
    assert clicked == {1}
    assert summarise([both, second]).methods[0].objects == 2


def test_clicks_on_a_group_are_paired_and_those_on_a_group_of_one_are_the_labels(grouped, tmp_path):
    plain = tmp_path / "plain.csv"
    plain.write_text(grouped.read_text().replace(",groups", ",remark"))
    one, again = (evaluate(grouped, [Painter()], clicks=5, strategy="random") for _ in range(2))
    assert [r.placed for r in one] == [r.placed for r in again]
    single = evaluate(plain, [Painter()], clicks=5, strategy="random")
    assert [r.placed for r in one if r.label == 2] == [r.placed for r in single if r.label == 2]
    assert len({r.placed for r in one if r.label == "1+3"}) == 3


def test_results_of_groups_are_kept_apart_from_those_of_labels(grouped, tmp_path):
    records = tmp_path / "records.jsonl"
    first = evaluate(grouped, [Painter()], clicks=2, records=records)
    idle = Painter()
    assert evaluate(grouped, [idle], clicks=2, records=records) == first
    assert not idle.asked
    grouped.write_text(grouped.read_text().replace("1+3:both;", "1:both;"))
    asked = Painter()
    evaluate(grouped, [asked], clicks=2, records=records)
    assert len(asked.asked) == 3 * 2


def test_masks_of_groups_are_named_by_their_values_and_label_maps_hold_them_too(
    grouped, tmp_path, labels
):
    results = evaluate(grouped, [Painter()], clicks=3, save_masks=tmp_path / "masks")
    folder = tmp_path / "masks" / "painter"
    names = {f"{case}_{value}.nii.gz" for case in ("a1", "a2", "b1") for value in ("1+3", "2")}
    assert {path.name for path in folder.iterdir()} == names
    assert [r.dice for r in score_masks(grouped, folder)] == [r.dice[-1:] for r in results]
    (tmp_path / "maps").mkdir()
    write_mask(tmp_path / "maps" / "a1.nii.gz", np.where(labels == 3, 0, labels), AFFINE)
    both, second = score_masks(grouped, tmp_path / "maps")[:2]
    assert both.dice == (pytest.approx(2 * 512 / (512 + 516)),)
    assert second.dice == (1.0,)
