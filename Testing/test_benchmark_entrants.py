import pytest
import torch

from distilling import SMALL, small_presets
from fastsam3d.benchmark.entrants import contestant_of, entrants, network_of
from fastsam3d.benchmark.published import Volumetric
from fastsam3d.errors import InputError


@pytest.fixture(autouse=True)
def small():
    with small_presets():
        yield


def without_weights(key):
    (entrant,) = entrants([key], {}, untrained=True)
    return entrant


@pytest.mark.parametrize("key", ["fastsam3d-teacher", "sam-med3d"])
def test_a_preset_without_weights_runs_with_the_same_random_ones_each_time(key):
    entrant = without_weights(key)
    assert (entrant.name, entrant.kind, entrant.trained) == (f"{key} untrained", "volumes", False)
    one = network_of(entrant, "cpu")
    torch.rand(1)
    other = network_of(entrant, "cpu")
    assert one.config == SMALL[key]
    state = other.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in one.state_dict().items())


def test_random_weights_leave_the_random_numbers_of_others_alone():
    before = torch.random.get_rng_state()
    network_of(without_weights("fastsam3d-teacher"), "cpu")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_advice_to_a_preset_without_weights_can_be_followed():
    with pytest.raises(InputError, match="--untrained"):
        entrants(["fastsam3d-teacher"], {})
    contestant = contestant_of(without_weights("fastsam3d-teacher"), "cpu")
    assert isinstance(contestant, Volumetric)
