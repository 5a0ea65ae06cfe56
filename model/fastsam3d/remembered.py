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
        self._source: Tensor | None = None
        self._state: tuple[Hashable, ...] = ()
        self._answers: dict[Hashable, Tensor] = {}

    def of(self, source: Tensor, asked: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """Return what `compute` gives for a source and what else is asked, computed once."""
        if source.is_inference():  # keeps no version
            return compute()
        # A module that is cast or moved keeps its parameters, and gives them other values.
        state = source._version, source.dtype, source.device, source.data_ptr()
        if self._source is not source or self._state != state:
            self._source, self._state, self._answers = source, state, {}
        answers = self._answers  # another thread may begin anew meanwhile
        if asked not in answers:
            with (
                torch.inference_mode(mode=False),
                torch.no_grad(),
            ):  # for a network that learns, too
                answers[asked] = compute()
        return answers[asked]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Remembered":
        return Remembered()

    def __reduce__(self) -> tuple[Any, ...]:
        return Remembered, ()
