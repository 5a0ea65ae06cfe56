"""Objects that may overlap, as an example holds them: groups of numbered cells."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

import torch
from torch import Tensor

from .examples import MOST_PIECES, Example, Separate, make_example, to_uint8

Values = tuple[int, ...]
"""Of a label map; together they are one object."""


def grouped_example(
    image: Tensor, labels: Tensor, groups: Sequence[Values], separate: Separate
) -> Example:
    """Make an example whose objects are the labels or, if there are any, the groups.

    Cells in the same groups have one number, so that each group is some of the numbers. Groups are
    left out from the first on that would make these more than a byte can hold.

    Args:
        image: (128, 128, 128).
        labels: (64, 64, 64); values above 0 are objects, or part of some.
        groups: of values, which may overlap.
        separate: finds the pieces.
    """
    if not groups:
        return make_example(image, labels, split=False, separate=separate)
    numbers, objects = torch.zeros_like(labels, dtype=torch.long), list[Tensor]()
    for values in groups:
        alone = inside(labels, values).to(labels.dtype)
        one = make_example(image, alone, split=False, separate=separate).objects > 0
        shared = 2 * numbers + one
        kinds = torch.unique(shared[shared > 0])
        if len(kinds) > MOST_PIECES:
            break
        numbers = torch.where(shared > 0, torch.searchsorted(kinds, shared) + 1, 0)
        objects.append(one)
    targets = [tuple(torch.unique(numbers[one]).tolist()) for one in objects]
    return Example(to_uint8(image), numbers.byte(), tuple(filter(None, targets)))


def inside(labels: Tensor, values: Sequence[int]) -> Tensor:
    """Tell which cells have one of some values; their type has to hold each value."""
    return reduce(or_, (labels == value for value in values))
