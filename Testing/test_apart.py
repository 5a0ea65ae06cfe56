from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from torch.testing import assert_close

from fastsam3d.apart import parted, patches, write_rows
from fastsam3d.manifest import Row, parse_groups, parse_labels, read_manifest


def row(case, patient="", folder="set", split="", *, labelled=True):
    label = Path(f"{case}-label.nii") if labelled else None
    return Row(case, patient or case, folder, Path(f"{case}.nii"), label, split=split)


def cases(rows):
    return [row.case for row in rows]


def test_validation_rows_are_kept_apart_with_all_their_patients():
    rows = [
        row("a", split="train"),
        row("b", "p", split="train"),
        row("c", "p", split="val"),
        row("d", split="test"),
    ]
    learnt, apart = parted(rows, "train")
    assert (cases(learnt), cases(apart)) == (["a"], ["c"])


def test_image_that_is_kept_apart_is_not_learnt_from_under_another_patient():
    shared = replace(row("b", split="train"), image=row("c").image)
    learnt, apart = parted([row("a", split="train"), shared, row("c", split="val")], "train")
    assert (cases(learnt), cases(apart)) == (["a"], ["c"])


def test_validation_rows_that_are_learnt_from_are_not_kept_apart():
    rows = [row(f"{n}", split="val") for n in range(3)]
    learnt, apart = parted(rows, "val")
    assert len(learnt) == 2
    assert len(apart) == 1


def test_a_tenth_of_the_patients_of_each_folder_is_kept_apart():
    rows = [row(f"{f}{n}{k}", f"{f}{n}", f) for f in "ab" for n in range(20) for k in "xy"]
    rows += [row("c1", folder="c"), row("c2", folder="c")]
    learnt, apart = parted(rows)
    held = {one.patient for one in apart}
    assert sorted(name[0] for name in held) == ["a", "a", "b", "b"]
    assert len(apart) == 8
    assert held.isdisjoint({one.patient for one in learnt})
    assert len(learnt) + len(apart) == len(rows)
    again = parted(list(reversed(rows)))[1]
    assert {one.patient for one in again} == held


def test_few_patients_keep_one_apart():
    learnt, apart = parted([row("a"), row("b"), row("c", labelled=False)])
    assert len(apart) == 1
    assert len(learnt) == 2


@pytest.mark.parametrize(
    "rows", [[row("a", "p"), row("b", "p")], [row("a"), row("b", labelled=False)]]
)
def test_one_labelled_patient_is_learnt_from(rows):
    assert parted(rows) == (rows, [])


@pytest.fixture
def scans(tmp_path):
    """A manifest of two labelled scans and one with an empty label map."""
    lines = ["case,patient,image,label,split"]
    for number, inside in enumerate((1, 1, 0)):
        labels = np.zeros((24, 40, 36), np.uint8)
        labels[6:18, 8:30, 10:20] = inside
        scan = labels * 100.0 + np.random.default_rng(number).normal(0, 5, labels.shape)
        for name, array in (("scan", scan.astype(np.float32)), ("label", labels)):
            path = tmp_path / f"{name}{number}.nrrd"
            sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
        lines.append(f"c{number},p{number},scan{number}.nrrd,label{number}.nrrd,train")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return tmp_path / "manifest.csv"


def test_rows_written_are_read_back_from_anywhere(scans, tmp_path):
    rows = read_manifest(scans)
    (tmp_path / "deeper").mkdir()
    path = tmp_path / "deeper" / "rows.csv"
    write_rows(path, rows[:2])
    back = read_manifest(path, split="train")
    assert cases(back) == ["c0", "c1"]
    assert [one.patient for one in back] == ["p0", "p1"]
    assert back[0].image.samefile(rows[0].image)
    assert back[0].label.samefile(rows[0].label)


def test_rows_written_keep_their_labels_and_groups(scans, tmp_path):
    labels = parse_labels("1:one=2640;2")
    row = replace(read_manifest(scans)[0], labels=labels, groups=parse_groups("1+2:both", labels))
    write_rows(tmp_path / "rows.csv", [row])
    (back,) = read_manifest(tmp_path / "rows.csv")
    assert (back.labels, back.groups) == (row.labels, row.groups)


def test_patches_are_labelled_and_the_same_each_time(scans):
    rows = read_manifest(scans)
    first = list(islice(patches(rows, 3, None), 3))
    again = list(islice(patches(list(reversed(rows)), 3, None), 3))
    assert sorted(mine.patient[1] for mine in first[:2]) == ["p0", "p1"]
    for mine, theirs in zip(first, again, strict=True):
        assert mine.patient == theirs.patient
        assert mine.targets
        assert_close(mine.image, theirs.image)
    assert not np.array_equal(first[0].image, first[2].image)


def test_scans_without_objects_yield_nothing(scans):
    assert list(patches(read_manifest(scans)[2:], 0, None)) == []


def test_object_too_small_to_learn_from_yields_nothing(scans, tmp_path):
    labels = np.zeros((24, 40, 36), np.uint8)
    labels[12, 20, 18] = 1
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "label0.nrrd"))
    assert list(patches(read_manifest(scans)[:1], 0, 1.5)) == []
