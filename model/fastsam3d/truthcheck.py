"""Whether what a manifest calls label maps can be some: a scan in their place has other values."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .errors import InputError
from .manifest import Row

if TYPE_CHECKING:
    from .plan import Plan

MOST_VALUES = 500
"""That a label map holds; the finest atlases of the brain have some 400, a scan has thousands."""

HIGHEST = 65535
"""The highest label."""


def check_labels(chosen: "Plan") -> None:
    """Refuse label maps whose values are none of a label map.

    Raises:
        InputError: a negative or too high a value, or more values than any label map has.
    """
    for task in chosen.tasks:
        check_range(task.row.case, min(task.label.values), max(task.label.values))
    small = (case for case, reason in chosen.left_out if reason.startswith("label "))
    counts = Counter([task.row.case for task in chosen.tasks]) + Counter(small)
    for case, count in counts.items():
        _check_count(case, count)


def check_range(case: str, low: int, high: int) -> None:
    """Refuse a label map whose lowest or highest value is no label.

    Raises:
        InputError: one below 0, or above `HIGHEST`.
    """
    if low < 0:
        raise _refused(case, f"the value {low}, and labels are positive")
    if high > HIGHEST:
        raise _refused(case, f"the value {high}, and no label is above {HIGHEST}")


def check_voxels(row: Row, voxels: Mapping[int, int]) -> None:
    """Refuse a label map that is not what its row of a manifest says.

    Args:
        row: with a label map.
        voxels: of each value but 0 in it.

    Raises:
        InputError: more values than any label map has, one that `labels_voxels` does not name, or
            no voxel of an object that has some there.
    """
    _check_count(row.case, len(voxels))
    named = {label.value for label in row.labels}
    unnamed = [value for value in voxels if named and value not in named]
    if unnamed:
        raise InputError(
            f"The label map of {row.case} holds {voxels[unnamed[0]]} voxels of {unnamed[0]}, which "
            "its labels_voxels does not name. Interpolated labels have values that never were: "
            "mend the label map, or name the value in the manifest."
        )
    for one in row.objects:
        if one.voxels and not any(value in voxels for value in one.values):
            raise InputError(
                f"The label map of {row.case} has no voxel of {one.value}; "
                "correct its labels_voxels in the manifest."
            )


def _check_count(case: str, count: int) -> None:
    if count > MOST_VALUES:
        raise _refused(case, f"{count} values, and no label map has more than {MOST_VALUES}")


def _refused(case: str, why: str) -> InputError:
    return InputError(
        f"The label map of {case} holds {why}: is it a scan? Give its label map in the column "
        "label of the manifest."
    )
