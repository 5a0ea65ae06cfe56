from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from distilling import PUBLISHED_TEACHER, STUDENT, TEACHER, drawn, network
from fastsam3d.growth import seed_from
from fastsam3d.trial import dice_of_each, feature_distance, play, ready, replay

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def examples():
    return drawn(2)


@pytest.fixture(scope="module")
def asked():
    return ready(network(STUDENT), CPU)


@pytest.fixture(scope="module")
def played(asked, examples):
    return play(asked, examples[0], 0, clicks=3)


def test_session_answers_each_click_on_an_object_of_the_example(played, examples):
    assert played.masks.shape == (3, 64, 64, 64)
    groups = [np.isin(examples[0].objects, group) for group in examples[0].targets]
    assert any(np.array_equal(played.truth, group) for group in groups)
    assert len(played.dice) == 3
    assert played.points.shape == (1, 3, 3)
    cell = tuple((played.points[0, 0] / 2).long().tolist())
    assert played.truth[cell]


def test_dice_is_that_of_the_masks(played):
    for mask, value in zip(played.masks, played.dice, strict=True):
        both = 2 * (mask & played.truth).sum() / (mask.sum() + played.truth.sum())
        assert value == pytest.approx(both)


def test_same_network_answers_the_same_clicks_the_same(asked, examples, played):
    again = replay(asked, examples[0], played)
    assert np.array_equal(again.masks, played.masks)


def test_first_click_is_the_same_for_all_networks(examples, played):
    other = play(ready(network(PUBLISHED_TEACHER), CPU), examples[0], 0, clicks=2)
    assert_close(other.points[:, 0], played.points[:, 0])
    assert np.array_equal(other.truth, played.truth)


def test_published_network_replays_clicks_from_its_own_masks(examples, played):
    other = replay(ready(network(PUBLISHED_TEACHER), CPU), examples[0], played)
    assert other.masks.shape == played.masks.shape
    assert other.points is played.points


def test_measuring_leaves_the_network_as_it_was(examples):
    student = network(STUDENT).train()
    list(dice_of_each(ready(student, CPU), examples[:1], clicks=1))
    assert student.training
    assert all(value.requires_grad and value.grad is None for value in student.parameters())


def test_feature_distance_is_none_where_widths_differ(examples, asked):
    wide = ready(network(replace(TEACHER, width=32)), CPU)
    assert feature_distance(asked, wide, examples) is None


def test_feature_distance_tells_near_students_from_far_ones(examples):
    teacher = ready(network(TEACHER, seed=1), CPU)
    near = network(STUDENT)
    seed_from(near, teacher.network)
    far, close = (
        feature_distance(ready(each, CPU), teacher, examples) for each in (network(STUDENT), near)
    )
    assert 0 < close < far
