from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from fastsam3d.augmentation import Prompted, make_batch, varied
from fastsam3d.config import CompactConfig
from fastsam3d.examples import make_example
from fastsam3d.lesson import click_loss, mask_loss, next_clicks, repeated, session
from fastsam3d.model import CompactNetwork
from fastsam3d.synthetic import Random

TINY = CompactConfig(width=16, depth=3, heads=2, embedding=32, middle=8, fine=8)


def box(*bounds):
    mask = torch.zeros(1, 64, 64, 64, dtype=torch.bool)
    (a, b), (c, d), (e, f) = bounds
    mask[:, a:b, c:d, e:f] = True
    return mask


def at(mask, points):
    cells = ((points - 0.5) / 2).long()
    return mask[torch.arange(len(mask)), cells[:, 0], cells[:, 1], cells[:, 2]]


FLIPS = [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
TRUTH = box((5, 20), (30, 44), (12, 50))
NOTHING = torch.zeros_like(TRUTH)


@pytest.mark.parametrize("seed", range(6))
def test_first_click_includes_and_lies_inside(seed):
    points, labels = next_clicks(TRUTH, NOTHING, Random.seeded(seed))
    assert labels.tolist() == [1]
    assert at(TRUTH, points).all()


@pytest.mark.parametrize("seed", range(6))
def test_click_after_a_miss_includes_and_lies_in_the_missed_part(seed):
    found = box((5, 20), (30, 44), (12, 25))
    points, labels = next_clicks(TRUTH, found, Random.seeded(seed))
    assert labels.tolist() == [1]
    assert at(TRUTH & ~found, points).all()


@pytest.mark.parametrize("seed", range(6))
def test_click_after_too_much_excludes_and_lies_in_the_false_part(seed):
    found = TRUTH | box((30, 52), (5, 21), (40, 61))
    points, labels = next_clicks(TRUTH, found, Random.seeded(seed))
    assert labels.tolist() == [0]
    assert at(found & ~TRUTH, points).all()


def test_thin_error_is_clicked_in_its_own_voxels():
    truth = box((9, 10), (11, 40), (7, 50))
    for seed in range(6):
        points, labels = next_clicks(truth, torch.zeros_like(truth), Random.seeded(seed))
        assert at(truth, points).all()
        assert labels.tolist() == [1]


def test_each_object_of_a_batch_gets_its_own_click():
    truth = torch.cat([TRUTH, TRUTH])
    found = torch.cat([NOTHING, TRUTH | box((30, 52), (5, 21), (40, 61))])
    points, labels = next_clicks(truth, found, Random.seeded(0))
    assert labels.tolist() == [1, 0]
    assert at(truth != found, points).all()


def test_mask_that_is_found_entirely_is_clicked_inside():
    points, labels = next_clicks(TRUTH, TRUTH, Random.seeded(0))
    assert labels.tolist() == [1]
    assert at(TRUTH, points).all()


def test_loss_falls_from_wrong_over_unsure_to_right():
    right = (TRUTH.float() * 20 - 10)[:, None]
    losses = [float(mask_loss(sign * right, TRUTH)[0]) for sign in (-1, 0, 1)]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < 0.01
    assert_close(mask_loss(right, TRUTH)[1], torch.ones(1, 1))
    assert_close(mask_loss(-right, TRUTH)[1], torch.zeros(1, 1))


@pytest.fixture
def example():
    """A bright asymmetric object on darkness."""
    labels = torch.zeros(64, 64, 64, dtype=torch.uint8)
    labels[10:40, 12:30, 20:34] = 1
    labels[10:20, 12:55, 20:34] = 1
    image = labels.float()
    for axis in range(3):
        image = image.repeat_interleave(2, axis)
    return make_example(image + 0.1 * torch.rand(128, 128, 128), labels, split=True)


def test_augmented_masks_lie_on_their_augmented_image(example):
    for seed in range(8):
        batch = make_batch([example], 2, [Random.seeded(seed)])
        assert batch.image.shape == (1, 1, 128, 128, 128)
        assert batch.masks.shape == (2, 64, 64, 64)
        assert batch.objects == 2
        coarse = batch.image[0, 0].view(64, 2, 64, 2, 64, 2).mean((1, 3, 5)).flatten()
        together = torch.stack([coarse, batch.masks[0].float().flatten()])
        assert abs(float(torch.corrcoef(together)[0, 1])) > 0.8


def test_half_the_resolution_shows_the_same_fields_of_view(example):
    batch = make_batch([example], 2, [Random.seeded(3)], 64)
    assert batch.image.shape == (1, 1, 64, 64, 64)
    assert batch.masks.shape == (2, 32, 32, 32)
    coarse = batch.image[0, 0].view(32, 2, 32, 2, 32, 2).mean((1, 3, 5)).flatten()
    together = torch.stack([coarse, batch.masks[0].float().flatten()])
    assert abs(float(torch.corrcoef(together)[0, 1])) > 0.8


def test_object_that_half_the_resolution_would_lose_keeps_its_fullest_cells():
    labels = torch.zeros(64, 64, 64, dtype=torch.uint8)
    labels[11, 4:60, 4:60] = 1
    sheet = make_example(torch.rand(128, 128, 128), labels, split=False)
    batch = make_batch([sheet], 1, [Random.seeded(0)], 64)
    assert batch.masks.sum() == 28 * 28


def test_session_at_half_the_resolution_clicks_within_its_patch(example):
    network, random = CompactNetwork(replace(TINY, attention="dense")), Random.seeded(0)
    batch = make_batch([example], 2, [random], 64)
    embedding = repeated(network.embed(batch.image), 2)
    turns = list(session(partial(network.answer_all, embedding), batch.masks, 3, [random]))
    first = ((turns[0].points[:, 0] - 0.5) / 2).long()
    assert turns[-1].logits.shape == (2, 4, 32, 32, 32)
    assert batch.masks[torch.arange(2), first[:, 0], first[:, 1], first[:, 2]].all()


def test_augmentation_turns_and_flips(example):
    masks = {
        make_batch([example], 1, [Random.seeded(n)]).masks.numpy().tobytes() for n in range(12)
    }
    assert len(masks) > 8


def test_unvaried_example_is_shown_as_it_is(example):
    shown, labels = varied(example, Random.seeded(0), "none")
    assert_close(shown.image, example.image.float() / 255)
    assert_close(labels, example.objects)


def test_flips_alone_keep_order_and_brightness(example):
    seen = set()
    for seed in range(12):
        shown, labels = varied(example, Random.seeded(seed), "flips")
        axes = [
            axes
            for axes in FLIPS
            if torch.equal(example.objects.flip(axes), labels)
            and torch.equal(example.image.flip(axes).float() / 255, shown.image)
        ]
        seen.add(*axes)
    assert len(seen) > 4


def test_no_tensor_is_made_on_the_default_device(example):
    network = CompactNetwork(TINY)
    random = Random.seeded(0)
    with torch.device("meta"):
        batch = make_batch([example], 2, [random])
        loss = click_loss(network, batch, (2,), [random], random)
    assert loss.device.type == "cpu"


def test_clicks_between_the_first_and_the_last_leave_no_gradient(example, monkeypatch):
    network, learnt = CompactNetwork(TINY), []
    answer = network.answer_all

    def answer_all(*arguments):
        learnt.append(torch.is_grad_enabled())
        return answer(*arguments)

    monkeypatch.setattr(network, "answer_all", answer_all)
    random = Random.seeded(0)
    click_loss(network, make_batch([example], 1, [random]), (4,), [random], random)
    assert learnt == [True, False, False, True]


def test_network_learns_one_example_by_heart(example):
    torch.manual_seed(0)
    network = CompactNetwork(TINY)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    batch = make_batch([example], 1, [Random.seeded(0)])
    assert isinstance(batch, Prompted)
    losses = []
    for step in range(30):
        random = Random.seeded(step)
        loss = click_loss(network, batch, (1,), [random], random)[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
