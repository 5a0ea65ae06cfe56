"""How weights follow their gradients, and the running average that is kept of them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .loop_config import LoopConfig


def make_optimizer(module: nn.Module, config: LoopConfig) -> torch.optim.Optimizer:
    """Make the optimiser of a module."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    made: torch.optim.Optimizer = kind(
        module.parameters(),
        config.learning_rate,
        betas=config.betas,
        weight_decay=config.weight_decay,
    )
    return made


class Average:
    """The running average of a module's parameters; starts as its values after one step."""

    def __init__(self, module: nn.Module, kept: float) -> None:
        self._parameters = dict(module.named_parameters())
        self.values = {name: one.detach().clone() for name, one in self._parameters.items()}
        self._blend = get_ema_multi_avg_fn(kept)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Count in the parameters' values after the step of this number, from 1."""
        if step == 1:
            self.load(self._parameters)
        else:
            self._blend(list(self.values.values()), list(self._parameters.values()), step)

    @torch.no_grad()
    def load(self, values: Mapping[str, Tensor]) -> None:
        """Take over values."""
        for name, value in self.values.items():
            value.copy_(values[name])
