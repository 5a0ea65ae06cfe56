import pytest
import torch

from fastsam3d.errors import InputError
from fastsam3d.order import example_at, lot_of, sample_random, share_of, stage_seed

CPU = torch.device("cpu")


def epoch(number, examples=13, seed=0):
    return [example_at(number * examples + n, examples, seed) for n in range(examples)]


def test_epoch_holds_every_example_once_in_an_order_of_its_own():
    orders = [epoch(number) for number in range(4)]
    assert all(sorted(order) == list(range(13)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert epoch(2) == orders[2]
    assert epoch(0, seed=1) != orders[0]


def test_samples_draw_other_numbers_than_their_neighbours_and_the_step():
    drawn = [
        int(sample_random(seed, step, number, CPU).integer(0, 2**31 - 1))
        for seed in range(3)
        for step in range(3)
        for number in range(3)
    ]
    drawn += [lot_of(seed, step) for seed in range(3) for step in range(3)]
    assert len(set(drawn)) == 36


def test_stages_have_seeds_of_their_own_that_a_users_seed_decides():
    seeds = [stage_seed(seed, stage) for seed in range(3) for stage in range(3)]
    assert len({*seeds, *range(3)}) == 12
    assert stage_seed(2, 2) == seeds[-1]


def test_devices_share_a_step_without_gap_or_overlap():
    shares = [share_of(12, rank, 3) for rank in range(3)]
    assert [number for share in shares for number in share] == list(range(12))
    with pytest.raises(InputError, match="multiple of 5"):
        share_of(12, 0, 5)
