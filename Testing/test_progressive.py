from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from distilling import (
    PUBLISHED,
    PUBLISHED_TEACHER,
    STUDENT,
    TEACHER,
    drawn,
    network,
    randoms,
    state_of,
    teacher,
)
from fastsam3d.config import ModelConfig
from fastsam3d.errors import InputError
from fastsam3d.progressive import FeatureTask, feature_loss, layers_at
from fastsam3d.task import Moment

END = Moment(1, 1)


def eq_1(student, teacher, k):
    """Restate eq. 1 with numbers from 1, as the paper prints it."""
    of_batch = []
    for x in range(len(student[0])):
        norms = [
            np.sqrt(((teacher[2 * i - 1][x] - student[i - 1][x]) ** 2).sum())
            for i in range(1, k + 1)
        ]
        of_batch.append(sum(norms) / k)
    return sum(of_batch) / len(of_batch)


@pytest.mark.parametrize("k", range(1, 7))
def test_loss_is_equation_1(k):
    rng = np.random.default_rng(k)
    student = [rng.normal(size=(3, 2, 2, 2, 5)) for _ in range(6)]
    theirs = [rng.normal(size=(3, 2, 2, 2, 5)) for _ in range(12)]
    loss = feature_loss(
        [torch.from_numpy(each) for each in student], [torch.from_numpy(each) for each in theirs], k
    )
    assert float(loss) == pytest.approx(eq_1(student, theirs, k), rel=1e-5)


def test_one_more_layer_is_followed_every_six_of_the_papers_36_iterations():
    ks = [layers_at(Moment(iteration, 36)) for iteration in range(1, 37)]
    assert ks == [1] * 6 + [2] * 6 + [3] * 6 + [4] * 6 + [5] * 6 + [6] * 6


def test_layers_end_at_all_of_them_where_nothing_divides():
    ks = [layers_at(Moment(iteration, 7), layers=3) for iteration in range(1, 8)]
    assert ks == [1, 1, 2, 2, 3, 3, 3]


def test_student_that_is_its_teacher_has_no_loss_and_a_finite_gradient():
    features = [torch.randn(2, 4, requires_grad=True) for _ in range(3)]
    loss = feature_loss(features, [each.detach() for each in features], 3)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(each.grad.isfinite().all() for each in features)


def learn(task, examples, steps, moment, rate=3e-4):
    optimizer = torch.optim.Adam(task.parameters(), rate)
    losses = []
    for step in range(steps):
        answer = task(examples, randoms(len(examples), step), moment)
        optimizer.zero_grad()
        answer["loss"].backward()
        optimizer.step()
        losses.append(float(answer["loss"].detach()))
    return losses


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (STUDENT, TEACHER),
        (STUDENT, replace(TEACHER, width=32)),
        (PUBLISHED, PUBLISHED_TEACHER),
        (replace(STUDENT, depth=2), PUBLISHED_TEACHER),
    ],
    ids=["own", "another width", "published", "own of published"],
)
def test_student_comes_nearer_to_its_teacher_and_the_teacher_stays(mine, theirs):
    guide = teacher(theirs)
    before = state_of(guide.network)
    torch.manual_seed(0)
    task = FeatureTask(network(mine), guide, variety="none")
    losses = learn(task, drawn(1), 6, END)
    assert losses[-1] < 0.97 * losses[0]
    assert_close(guide.network.state_dict(), before, rtol=0, atol=0)


def test_teacher_is_neither_learnt_nor_saved():
    guide = teacher(TEACHER)
    task = FeatureTask(network(STUDENT), guide)
    assert set(task.state_dict()) == {f"student.{key}" for key in network(STUDENT).state_dict()}
    answer = task(drawn(1), randoms(1), END)
    answer["loss"].backward()
    assert all(value.grad is None for value in guide.network.parameters())


def test_layers_that_are_not_followed_yet_have_no_gradient():
    student = network(STUDENT)
    answer = FeatureTask(student, teacher(TEACHER))(drawn(1), randoms(1), Moment(1, 3))
    answer["loss"].backward()
    followed = [block.mlp.lin1.weight.grad is not None for block in student.image_encoder.blocks]
    assert followed == [True, False, False]
    assert float(answer["k"]) == 1


def test_all_layers_at_once_are_followed_from_the_start_if_asked():
    task = FeatureTask(network(STUDENT), teacher(TEACHER), all_layers=True)
    answer = task(drawn(1), randoms(1), Moment(1, 99))
    assert float(answer["k"]) == 3
    layers = [answer[f"layer{i}"] for i in (1, 2, 3)]
    assert_close(answer["loss"].detach(), torch.stack(layers).mean())


def test_each_layers_distance_is_told_whatever_is_followed():
    task = FeatureTask(network(STUDENT), teacher(TEACHER))
    answer = task(drawn(1), randoms(1), Moment(2, 3))
    assert set(answer) == {"loss", "layer1", "layer2", "layer3", "k"}
    assert_close(answer["loss"].detach(), (answer["layer1"] + answer["layer2"]) / 2)
    assert not answer["layer3"].requires_grad


def test_an_examples_share_does_not_depend_on_its_company():
    task, examples = FeatureTask(network(STUDENT), teacher(TEACHER)), drawn(2)
    together = task(examples, randoms(2), END)["loss"]
    alone = [task([examples[n]], [randoms(2)[n]], END)["loss"] for n in (0, 1)]
    assert_close(together, (alone[0] + alone[1]) / 2, rtol=1e-4, atol=1e-4)


def test_each_network_is_shown_patches_as_it_was_trained_to_see_them():
    student, guide = network(replace(STUDENT, depth=2)), teacher(PUBLISHED_TEACHER)
    seen = []
    for encoder in (student.image_encoder, guide.network.image_encoder):
        encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    FeatureTask(student, guide, variety="none")(drawn(1), randoms(1), END)
    own, published = seen
    inside = drawn(1)[0].image > 0
    assert abs(float(own.mean())) < 1e-3
    assert abs(float(published[0, 0][inside].mean())) < 1e-3
    assert_close(published[0, 0].argmax(), own[0, 0].argmax())
    assert abs(float(published[0, 0][inside].std()) - 1) < 1e-3


def test_published_student_of_another_width_is_refused_in_one_sentence():
    wide = teacher(replace(PUBLISHED_TEACHER, width=32, heads=4))
    with pytest.raises(InputError, match="32 channels wide and the published student 16") as told:
        FeatureTask(network(PUBLISHED), wide)
    assert str(told.value).count(".") == 1


def test_depths_and_grids_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="of 4 and of 3 layers"):
        FeatureTask(network(STUDENT), teacher(replace(TEACHER, depth=4)))
    coarse = ModelConfig(("none",) * 3, heads=2, shortcut=True, width=16, embedding=48, stride=32)
    with pytest.raises(InputError, match="4 tokens along a side and the student 8"):
        FeatureTask(network(STUDENT), teacher(coarse))


def test_seed_decides_the_maps_whatever_was_drawn_before():
    wide = teacher(replace(TEACHER, width=32))
    state = torch.random.get_rng_state()
    first, again, other = (
        FeatureTask(network(STUDENT), wide, seed=seed).maps.state_dict()
        for seed in (1, 1, 2)
        if torch.rand(seed) is not None
    )
    torch.random.set_rng_state(state)
    assert_close(again, first, rtol=0, atol=0)
    assert not torch.equal(other["0.weight"], first["0.weight"])


def test_making_a_task_draws_nothing_from_the_common_random_numbers():
    student, wide = network(STUDENT), teacher(replace(TEACHER, width=32))
    before = torch.random.get_rng_state()
    FeatureTask(student, wide)
    assert torch.equal(torch.random.get_rng_state(), before)
