"""A session on one bright block, for tests of sessions."""

import numpy as np
import pytest

from fastsam3d.session import Session
from standins import BrightNetwork, volume_with

BLOCK = np.s_[14:26, 12:24, 16:28]


@pytest.fixture
def network():
    return BrightNetwork()


@pytest.fixture
def session(network):
    return Session(network, volume_with(BLOCK), np.eye(4), spacing_mm=1.0)
