from dataclasses import replace
from pathlib import Path

import pytest

from fastsam3d.errors import InputError
from fastsam3d.manifest import Group, Label, Row, parse_groups, parse_labels
from fastsam3d.plan import Plan, Task
from fastsam3d.truthcheck import HIGHEST, MOST_VALUES, check_labels, check_range, check_voxels


def planned(large, small):
    """Plan an object for each of some values, and leave as many out as there are small ones."""
    row = Row("A", "p", "", Path("a.nii.gz"), Path("b.nii.gz"))
    left_out = [("A", f"label {value}: 3 voxels") for value in small]
    return Plan(tuple(Task(row, Label(value)) for value in large), (*left_out, ("B", "no image")))


def test_a_scan_has_more_values_than_any_label_map():
    half = MOST_VALUES // 2
    check_labels(planned(range(1, half + 1), range(half)))
    with pytest.raises(InputError, match=r"A holds 501 values, .* is it a scan"):
        check_labels(planned(range(1, half + 2), range(half)))


def test_no_label_is_negative():
    with pytest.raises(InputError, match="the value -7, and labels are positive"):
        check_labels(planned([3, -7], []))


def test_groups_of_labels_are_objects_like_any_other():
    planned_labels = planned([3], [1])
    (task,) = planned_labels.tasks
    both = Task(task.row, Group((1, 3), "both"))
    check_labels(Plan((*planned_labels.tasks, both), planned_labels.left_out))


def test_labels_lie_between_0_and_the_highest():
    check_range("A", 0, HIGHEST)
    with pytest.raises(InputError, match="the value 65536, and no label is above 65535"):
        check_range("A", 0, HIGHEST + 1)


def said(labels_voxels="", groups=""):
    labels = parse_labels(labels_voxels)
    return replace(
        planned([1], []).tasks[0].row, labels=labels, groups=parse_groups(groups, labels)
    )


@pytest.mark.parametrize(
    ("row", "voxels"),
    [
        (said(), {1: 5, 7: 2}),
        (said("1:one=5;2:two=0;3:three"), {1: 5}),
        (said("1:one=5;2:two=0", "1+2:both"), {1: 5}),
        (said("", "1+2:both"), {7: 2}),
    ],
)
def test_a_label_map_may_hold_what_its_row_says(row, voxels):
    check_voxels(row, voxels)


@pytest.mark.parametrize(
    ("row", "voxels", "told"),
    [
        (said("1:one=5"), {1: 5, 7: 2}, "holds 2 voxels of 7, which its labels_voxels does not"),
        (said("1:one=5;2:two=4"), {1: 5}, "has no voxel of 2; correct its labels_voxels"),
        (said("1:one=5;2:two=4", "1:a;2:b"), {1: 5}, "has no voxel of 2; correct"),
        (said("1:one=5;2:two=4;3", "1+2:both"), {3: 5}, r"has no voxel of 1\+2; correct"),
        (said(), dict.fromkeys(range(MOST_VALUES + 1), 1), "501 values"),
    ],
)
def test_a_label_map_that_is_not_what_its_row_says_is_refused(row, voxels, told):
    with pytest.raises(InputError, match=told):
        check_voxels(row, voxels)
