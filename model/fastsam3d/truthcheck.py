"""Whether what a manifest calls label maps can be some: a scan in their place has other values."""

from collections import Counter

from .errors import InputError
from .plan import Plan

MOST_VALUES = 500
"""That a label map holds; the finest atlases of the brain have some 400, a scan has thousands."""


def check_labels(chosen: Plan) -> None:
    """Refuse label maps whose values are none of a label map.

    Raises:
        InputError: a negative value, or more values than any label map has.
    """
    for task in chosen.tasks:
        if task.label.value < 0:
            raise _refused(task.row.case, f"the value {task.label.value}, and labels are positive")
    small = (case for case, reason in chosen.left_out if reason.startswith("label "))
    counts = Counter([task.row.case for task in chosen.tasks]) + Counter(small)
    for case, count in counts.items():
        if count > MOST_VALUES:
            raise _refused(case, f"{count} values, and no label map has more than {MOST_VALUES}")


def _refused(case: str, why: str) -> InputError:
    return InputError(
        f"The label map of {case} holds {why}: is it a scan? Give its label map in the column "
        "label of the manifest."
    )
