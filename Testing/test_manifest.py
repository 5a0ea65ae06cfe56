import os
from pathlib import Path

import pytest

from fastsam3d.errors import InputError
from fastsam3d.manifest import Label, parse_labels, read_manifest


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
    with pytest.raises(InputError, match="Cannot read"):
        read_manifest(tmp_path / "none.csv")
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
