"""A task as Lightning Fabric calls it."""

import torch
from torch import Tensor, nn

from .examples import Example
from .synthetic import Random
from .task import Moment, Task


class Given:
    """What a task is called with; no tuple, list or dataclass, which Fabric would take apart."""

    def __init__(self, examples: list[Example], randoms: list[Random], moment: Moment) -> None:
        self.examples, self.randoms, self.moment = examples, randoms, moment


class Learner(nn.Module):
    """A task that may compute a part without gradients in reduced precision."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def forward(self, given: Given) -> dict[str, Tensor]:
        """Call the task."""
        kind = given.randoms[0].device.type
        # Older torches keep a weight cast without gradients, and cut off what uses it with them.
        uncached = torch.autocast(
            kind,
            torch.get_autocast_dtype(kind),
            enabled=torch.is_autocast_enabled(kind),
            cache_enabled=False,
        )
        with uncached:
            values: dict[str, Tensor] = self.task(given.examples, given.randoms, given.moment)
        return values
