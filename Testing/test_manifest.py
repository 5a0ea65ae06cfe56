import os
from pathlib import Path

import pytest

from fastsam3d.errors import InputError
from fastsam3d.manifest import (
    Group,
    Label,
    groups_text,
    labels_text,
    parse_groups,
    parse_labels,
    read_manifest,
    split_to_learn_from,
)

TUMOUR = parse_labels("1:necrosis=100;2:oedema=2000;4:enhancing=300")


@pytest.fixture
def write(tmp_path):
    for name in ("scan.nii.gz", "ct/a.nii.gz", "ct/a_label.nii.gz", "mr/b.nii.gz"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()

    def write(text):
        path = tmp_path / "manifest.csv"
        path.write_text(text)
        return path

    return write


def test_row_tells_case_patient_folder_paths_and_labels(write):
    path = write(
        "case,patient,image,label,modality,labels_voxels,split\n"
        "a1,a,ct/a.nii.gz,ct/a_label.nii.gz,CT,1:spleen=9668;2:necrosis/core,dev\n"
    )
    (row,) = read_manifest(path)
    assert (row.case, row.patient, row.folder) == ("a1", "a", "ct")
    assert (row.modality, row.split) == ("CT", "dev")
    assert row.image == path.parent / "ct/a.nii.gz"
    assert row.label == path.parent / "ct/a_label.nii.gz"
    assert row.labels == (Label(1, "spleen", 9668), Label(2, "necrosis/core"))


def test_optional_columns_may_be_missing_and_unknown_ones_are_ignored(write):
    (row,) = read_manifest(write("case,image,remark\nc,scan.nii.gz,good\n").parent)
    assert (row.patient, row.folder, row.label, row.labels) == ("c", "", None, ())


def test_label_map_without_image_is_a_row(write):
    (row,) = read_manifest(write("case,image,label\nc,,ct/a_label.nii.gz\n"))
    assert row.image is None
    assert row.folder == "ct"


def test_split_keeps_its_rows_only(write):
    path = write("case,image,split\na,ct/a.nii.gz,train\nb,mr/b.nii.gz,dev\n")
    assert [row.case for row in read_manifest(path, split="dev")] == ["b"]
    with pytest.raises(InputError, match="no row with split test"):
        read_manifest(path, split="test")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("", ()),
        ("1", (Label(1),)),
        ("21:=6567; 22:=17", (Label(21, "", 6567), Label(22, "", 17))),
        ("3:a=b=7;", (Label(3, "a=b", 7),)),
    ],
)
def test_labels_may_lack_names_and_voxels(text, labels):
    assert parse_labels(text) == labels


@pytest.mark.parametrize("text", ["spleen", "1:spleen=many", "1.5:x", "1:a;1:b"])
def test_labels_that_cannot_be_read_are_shown(text):
    with pytest.raises(InputError, match="labels_voxels"):
        parse_labels(text)


def test_groups_are_the_objects_of_their_row_and_other_rows_have_their_labels(write):
    tumour = "1:necrosis=100;2:oedema=2000;4:enhancing=300"
    path = write(
        "case,image,labels_voxels,groups\n"
        f"a,ct/a.nii.gz,{tumour},1+2+4:whole tumour;4:enhancing tumour\n"
        f"b,mr/b.nii.gz,{tumour},\n"
    )
    grouped, plain = read_manifest(path)
    assert grouped.objects == (
        Group((1, 2, 4), "whole tumour", 2400),
        Label(4, "enhancing tumour", 300),
    )
    assert [one.value for one in grouped.objects] == ["1+2+4", 4]
    assert [one.values for one in grouped.objects] == [(1, 2, 4), (4,)]
    assert grouped.labels == plain.objects == TUMOUR


def test_rows_are_the_same_without_groups_and_without_their_column(write):
    (old,) = read_manifest(write("case,image,labels_voxels\na,ct/a.nii.gz,1:spleen=9;2\n"))
    (new,) = read_manifest(write("case,image,labels_voxels,groups\na,ct/a.nii.gz,1:spleen=9;2,\n"))
    assert old == new
    assert old.objects == (Label(1, "spleen", 9), Label(2))


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", ()),
        (" 4 + 1 : core ; 2:oedema;", (Group((1, 4), "core", 400), Label(2, "oedema", 2000))),
        (
            "1+2:outer: all;1+4:core",
            (Group((1, 2), "outer: all", 2100), Group((1, 4), "core", 400)),
        ),
    ],
)
def test_groups_may_share_values_and_count_the_voxels_of_their_labels(text, groups):
    assert parse_groups(text, TUMOUR) == groups


def test_groups_of_labels_that_are_not_counted_or_not_listed_have_no_voxels_yet():
    (group,) = parse_groups("1+2:both", parse_labels("1:one=5;2:two"))
    assert group.voxels is None
    assert parse_groups("7+3:any") == (Group((3, 7), "any"),)


@pytest.mark.parametrize(
    "text", ["core=1+4", "core", "1+4", "1+4:", "1+:core", "1+1:core", "0+4:core", "1+4:core=400"]
)
def test_groups_of_another_syntax_are_shown_with_the_right_one(text):
    with pytest.raises(InputError, match=r"in groups; expected values:name, such as 1\+2\+4:whole"):
        parse_groups(f"1+2+4:whole;{text}", TUMOUR)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1+2:core;3+4:rest", r"'3\+4:rest' in groups, and no 3 in labels_voxels"),
        ("1+2:core;1+4:core", "with a name twice"),
        ("1+4:core;4+1:rest", "with a value twice"),
    ],
)
def test_groups_that_do_not_fit_their_labels_or_one_another_are_refused(write, text, message):
    row = f"a,ct/a.nii.gz,1:necrosis;2:oedema;4:enhancing,{text}"
    with pytest.raises(InputError, match=message):
        read_manifest(write(f"case,image,labels_voxels,groups\n{row}\n"))


def test_labels_and_groups_are_written_as_they_are_read():
    labels = (Label(1, "a=b", 3), Label(2), Label(5, "five"), Label(9, "", 0))
    assert parse_labels(labels_text(labels)) == labels
    groups = (Group((1, 2), "both"), Label(9, "last: one"))
    assert parse_groups(groups_text(groups)) == groups
    assert parse_labels(labels_text([Label(1, "left; right\nlobe", 7)])) == (
        Label(1, "left, right lobe", 7),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\nscan.nii.gz\n", "expected at least case"),
        ("case,image\n,scan.nii.gz\n", "Row 2 .* lacks a case"),
        ("case,image\nx,\n", "lacks a case or a path"),
        ("case,image\nx\n", "lacks a case or a path"),
        ("case,image\nx,scan.nii.gz\nx,scan.nii.gz\n", "the case x twice"),
        ("case,image\nx,nowhere.nii.gz\n", "nowhere.nii.gz.*does not exist"),
        ("case,image\n", "holds no row"),
        ("", "expected at least case"),
    ],
)
def test_bad_manifest_is_told_in_a_sentence(write, text, message):
    with pytest.raises(InputError, match=message):
        read_manifest(write(text))


def test_missing_manifest_and_one_that_is_no_text_are_told_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"^There is no file .*none\.csv; check the path"):
        read_manifest(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder.csv" / "manifest.csv").mkdir()
    with pytest.raises(InputError, match=r"as a manifest \(Is a directory\); give a CSV file"):
        read_manifest(tmp_path / "folder.csv")
    (tmp_path / "manifest.csv").write_bytes(b"\xff\xfe\x00case")
    with pytest.raises(InputError, match="Cannot read"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("part", ["train", "dev"])
def test_manifest_of_the_real_volumes_is_read_whole(part):
    if "FASTSAM3D_DATA" not in os.environ:
        pytest.skip("FASTSAM3D_DATA is not set: no real volumes")
    folder = Path(os.environ["FASTSAM3D_DATA"]) / part
    rows = read_manifest(folder)
    assert len(rows) == len((folder / "manifest.csv").read_text().strip().splitlines()) - 1
    assert any(len(row.labels) > 5 and row.labels[0].voxels for row in rows)


def test_rows_for_measuring_are_learnt_from_only_if_asked_for(write):
    rows = "a,scan.nii.gz,train\nb,scan.nii.gz,val\nc,scan.nii.gz,test\n"
    path = write("case,image,split\n" + rows)
    assert split_to_learn_from(path, None) == "train"
    assert split_to_learn_from(path, "test") == "test"


def test_manifest_that_names_no_training_rows_is_learnt_from_whole(write):
    assert split_to_learn_from(write("case,image,split\na,scan.nii.gz,dev\n"), None) is None
    assert split_to_learn_from(write("case,image\na,scan.nii.gz\n"), None) is None
