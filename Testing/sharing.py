"""Work for several processes, which have to be able to import it."""

from contextlib import suppress
from time import sleep

import numpy as np
import pytest

from distilling import STUDENT, network
from fastsam3d.benchmark import entrants
from fastsam3d.benchmark.accuracy import evaluate_share, planned
from fastsam3d.errors import InputError

MANY = 20_000
"""More cases than a pipe has room for."""

LONG = 3000
"""Cases that take half a minute."""


def fail_or_go_on(end, share, on_done):
    """Fail in the first process; in others be at case after case, and make a file in the end."""
    if share.index == 0:
        raise InputError("no such weights")
    for n in range(LONG):
        sleep(0.01)
        on_done(f"case {n}")
    end.touch()


def fail_or_talk(share, on_done):
    """Fail in the first process; in others tell of case after case, whatever one is told."""
    if share.index == 0:
        raise InputError("no such weights")
    for n in range(MANY):
        with suppress(InterruptedError):
            on_done(f"case {n}")


class LastDigits:
    """A real network whose masks are of the last binary digit of its logits."""

    def __init__(self):
        self._network = network(STUDENT).eval()
        self.mask_size = self._network.mask_size
        self.embed_patch = self._network.embed_patch

    def predict(self, *given):
        logits, iou = self._network.predict(*given)
        return (logits.view(np.int32) % 2).astype(np.float32) - np.float32(0.5), iou


def evaluate_last_digits(asked, share, on_done):
    chosen, methods = planned(asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entrants, "network_of", lambda entrant, device: LastDigits())
        evaluate_share(asked, chosen.tasks, methods, share, on_done)
