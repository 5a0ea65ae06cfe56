import numpy as np
import pytest

from fastsam3d.errors import InputError
from fastsam3d.manifest import Group, Label, read_manifest
from fastsam3d.masks import write_mask
from fastsam3d.plan import Scan, plan


@pytest.fixture
def manifest(tmp_path):
    """Cases a1, a2 and, in another folder, b1, each with two objects and one that is too small."""
    labels = np.zeros((16, 20, 24), np.uint8)
    labels[2:10, 2:10, 2:10] = 1
    labels[11:14, 10:20, 12:22] = 2
    labels[0, 0, 20:] = 3
    rows = ["case,image,label,labels_voxels"]
    for case in ("ct/a1", "ct/a2", "mr/b1"):
        (tmp_path / case).parent.mkdir(exist_ok=True)
        write_mask(tmp_path / f"{case}.nii.gz", labels, np.eye(4))
        rows.append(f"{case[3:]},{case}.nii.gz,{case}.nii.gz,1:one;2:two;3:dot")
    rows.append("plain,ct/a1.nii.gz,,")
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(rows))
    return path


def test_what_is_left_out_is_listed_with_its_reason(manifest):
    found = plan(manifest)
    assert found.left_out == (
        ("a1", "label 3 (dot): 4 voxels, below 200 voxels"),
        ("a2", "label 3 (dot): 4 voxels, below 200 voxels"),
        ("b1", "label 3 (dot): 4 voxels, below 200 voxels"),
        ("plain", "no label map"),
    )


def test_counts_in_the_manifest_are_believed_and_missing_names_do_not_matter(manifest):
    text = manifest.read_text().replace("1:one;2:two;3:dot", "1:one=512;2:two=199;3:dot=4", 1)
    manifest.write_text(text.replace("1:one;2:two;3:dot", "", 1))
    tasks = [(task.row.case, task.label.value) for task in plan(manifest).tasks]
    assert tasks == [("a1", 1), ("a2", 1), ("a2", 2), ("b1", 1), ("b1", 2)]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (2, [("a1", 1), ("b1", 1)]),
        (4, [("a1", 1), ("a1", 2), ("a2", 1), ("b1", 1)]),
    ],
)
def test_limit_spreads_over_folders_and_images(manifest, limit, expected):
    tasks = plan(manifest, limit=limit).tasks
    assert [(task.row.case, task.label.value) for task in tasks] == expected


def with_groups(manifest, groups, labels="1:one;2:two;3:dot"):
    lines = manifest.read_text().splitlines()
    rows = [f"{line},{groups}" for line in lines[1:-1]]
    text = "\n".join([f"{lines[0]},groups", *rows])
    manifest.write_text(text.replace("1:one;2:two;3:dot", labels))
    return manifest


@pytest.mark.parametrize("labels", ["1:one;2:two;3:dot", "1:one=512;2:two=300;3:dot=4", ""])
def test_groups_are_evaluated_instead_of_labels(manifest, labels):
    found = plan(with_groups(manifest, "1+3:both;2+3:rest;2:two", labels))
    assert [task.row.case for task in found.tasks] == ["a1"] * 3 + ["a2"] * 3 + ["b1"] * 3
    assert [task.label for task in found.tasks[:3]] == [
        Group((1, 3), "both", 516),
        Group((2, 3), "rest", 304),
        Label(2, "two", 300),
    ]
    assert found.left_out == ()


def test_groups_too_small_to_count_are_left_out_by_name(manifest):
    found = plan(with_groups(manifest, "1+2:both;3+9:crumbs", "1:one;2:two;3:dot;9:none"))
    assert [task.label.name for task in found.tasks] == ["both"] * 3
    assert found.left_out[0] == ("a1", "label 3+9 (crumbs): 4 voxels, below 200 voxels")


def test_truth_of_a_group_is_all_of_its_values_and_none_other(manifest):
    scan = Scan(read_manifest(manifest)[0])
    apart = [scan.truth(Label(value)).mask for value in (1, 3)]
    np.testing.assert_array_equal(scan.truth(Group((1, 3), "both")).mask, apart[0] | apart[1])
    with pytest.raises(InputError, match=r"a1 has no voxel of 8\+9"):
        scan.truth(Group((8, 9), "none"))


def test_smallest_object_may_be_a_volume_whatever_the_spacing(manifest):
    labels = np.zeros((16, 20, 24), np.uint8)
    labels[0, 0, :5] = 1
    labels[4, 4, :4] = 2
    write_mask(manifest.parent / "ct/a1.nii.gz", labels, np.diag([2.0, 1.5, 0.75, 1.0]))
    found = plan(manifest, smallest_mm3=10)
    assert [task.label.value for task in found.tasks if task.row.case == "a1"] == [1]
    assert ("a1", "label 2 (two): 4 voxels, below 10 mm³") in found.left_out
    assert ("b1", "label 3 (dot): 4 voxels, below 10 mm³") in found.left_out
