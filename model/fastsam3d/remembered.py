"""What is computed from a tensor, until the tensor changes."""

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor


class Remembered:
    """Answers of a function of one tensor that changes seldom: a table of positions, say.

    Nothing of it is copied or pickled with the module that it belongs to.
    """

    def __init__(self) -> None:
        self._source: tuple[Tensor, int] | None = None
        self._answers: dict[Hashable, Tensor] = {}

    def of(self, source: Tensor, asked: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """Return what `compute` gives for a source and what else is asked, computed once."""
        if source.is_inference():  # keeps no version
            return compute()
        known = self._source
        if known is None or known[0] is not source or known[1] != source._version:
            self._source, self._answers = (source, source._version), {}
        if asked not in self._answers:
            with (
                torch.inference_mode(mode=False),
                torch.no_grad(),
            ):  # for a network that learns, too
                self._answers[asked] = compute()
        return self._answers[asked]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Remembered":
        return Remembered()

    def __reduce__(self) -> tuple[Any, ...]:
        return Remembered, ()
