from pathlib import Path

import pytest

from fastsam3d.errors import InputError
from fastsam3d.manifest import Label, Row
from fastsam3d.plan import Plan, Task
from fastsam3d.truthcheck import MOST_VALUES, check_labels


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
