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
from fastsam3d import logits
from fastsam3d.errors import InputError
from fastsam3d.logits import LogitConfig, LogitTask, agreement
from fastsam3d.task import Moment

NOW = Moment(1, 1)
ONE_CLICK = LogitConfig(objects=1, clicks=(1,), variety="none")


def learn(task, examples, steps, rate):
    optimizer = torch.optim.Adam(task.parameters(), rate)
    losses = []
    for _ in range(steps):
        answer = task(examples, randoms(len(examples)), NOW)
        optimizer.zero_grad()
        answer["loss"].backward()
        optimizer.step()
        losses.append(float(answer["loss"].detach()))
    return losses


@pytest.mark.parametrize(
    ("mine", "theirs", "steps", "rate"),
    [
        (STUDENT, TEACHER, 4, 5e-3),
        (PUBLISHED, PUBLISHED_TEACHER, 10, 1e-3),
        (STUDENT, PUBLISHED_TEACHER, 4, 5e-3),
    ],
    ids=["own", "published", "own of published"],
)
def test_student_learns_and_the_teacher_stays(mine, theirs, steps, rate):
    guide = teacher(theirs)
    before = state_of(guide.network)
    losses = learn(LogitTask(network(mine), guide, ONE_CLICK), drawn(1), steps, rate)
    assert losses[-1] < 0.975 * losses[0]
    assert_close(guide.network.state_dict(), before, rtol=0, atol=0)


def test_teacher_is_neither_learnt_nor_saved():
    guide = teacher(TEACHER)
    task = LogitTask(network(STUDENT), guide, ONE_CLICK)
    assert set(task.state_dict()) == {f"student.{key}" for key in network(STUDENT).state_dict()}
    task(drawn(1), randoms(1), NOW)["loss"].backward()
    assert all(value.grad is None for value in guide.network.parameters())


@pytest.mark.parametrize(("truth", "guide"), [(1.0, 0.0), (0.0, 1.0), (0.5, 2.0)])
def test_weights_decide_what_counts(truth, guide):
    config = LogitConfig(objects=1, clicks=(1,), truth=truth, teacher=guide)
    answer = LogitTask(network(STUDENT), teacher(TEACHER), config)(drawn(1), randoms(1), NOW)
    assert set(answer) == {"loss", "truth", "teacher", "iou", "teacher_iou"}
    expected = truth * answer["truth"] + guide * answer["teacher"]
    assert_close(answer["loss"].detach(), expected)
    assert not answer["truth"].requires_grad


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(InputError, match="one above it"):
        LogitConfig(truth=0, teacher=0)
    with pytest.raises(InputError, match="none below 0"):
        LogitConfig(truth=-1)


def test_student_that_is_its_teacher_agrees_with_it():
    guide = teacher(TEACHER)
    task = LogitTask(network(TEACHER, seed=1), guide, LogitConfig(objects=2, clicks=(2,)))
    answer = task(drawn(1), randoms(1), NOW)
    assert float(answer["teacher"]) == pytest.approx(0, abs=1e-5)
    assert_close(answer["iou"], answer["teacher_iou"])


def test_agreement_is_the_divergence_of_the_two_chances():
    mine, theirs = torch.randn(2, 4, 3, 3, 3), torch.randn(2, 4, 3, 3, 3)
    p, q = theirs.sigmoid().double(), mine.sigmoid().double()
    divergence = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    assert float(agreement(mine, theirs)) == pytest.approx(float(divergence), rel=1e-4)
    assert_close(agreement(mine, theirs[:, :1]), agreement(mine[:, :1], theirs))


@pytest.mark.parametrize("pair", [(STUDENT, TEACHER), (PUBLISHED, PUBLISHED_TEACHER)], ids=str)
def test_both_get_the_same_clicks_and_each_its_own_previous_mask(pair, monkeypatch):
    student, guide = network(pair[0]), teacher(pair[1])
    asked, answered = {"student": [], "teacher": []}, {"student": [], "teacher": []}
    real = logits.all_answers

    def listen(name, who, embedding, points, labels, previous):
        out = real(who, embedding, points, labels, previous)
        asked[name].append((points, labels, previous))
        answered[name].append(out[0][:, :1].detach())
        return out

    monkeypatch.setattr(logits, "all_answers", lambda *given: listen("student", *given))
    monkeypatch.setattr("fastsam3d.teacher.all_answers", lambda *given: listen("teacher", *given))
    LogitTask(student, guide, LogitConfig(objects=2, clicks=(3,)))(drawn(1), randoms(1), NOW)
    for mine, theirs in zip(asked["student"], asked["teacher"], strict=True):
        assert_close(mine[:2], theirs[:2])
    for name, given in asked.items():
        assert [points.shape[1] for points, _, _ in given] == [1, 2, 3]
        assert not given[0][2].any()
        for before, (_, _, previous) in zip(answered[name], given[1:], strict=False):
            assert_close(previous, before)


def test_clicks_between_the_first_and_the_last_leave_no_gradient(monkeypatch):
    learnt = []
    real = logits.all_answers
    monkeypatch.setattr(
        logits, "all_answers", lambda *given: learnt.append(torch.is_grad_enabled()) or real(*given)
    )
    config = LogitConfig(objects=1, clicks=(4,))
    LogitTask(network(STUDENT), teacher(TEACHER), config)(drawn(1), randoms(1), NOW)
    assert learnt == [True, False, False, True]


def test_number_of_clicks_comes_from_the_lot_alone(monkeypatch):
    class SeenError(Exception):
        pass

    def seen(answer, masks, count, *rest):
        raise SeenError(count)

    monkeypatch.setattr(logits, "session", seen)
    task, counts = LogitTask(network(STUDENT), teacher(TEACHER), LogitConfig(clicks=(1, 2))), []
    for step, lot in enumerate((5, 5, 5, 6, 7, 8, 9)):
        with pytest.raises(SeenError) as told:
            task(drawn(1), randoms(1, step), Moment(1, 1, lot))
        counts.append(told.value.args[0])
    assert len(set(counts[:3])) == 1
    assert set(counts) == {1, 2}


def test_an_examples_share_does_not_depend_on_its_company():
    task = LogitTask(network(STUDENT), teacher(TEACHER), LogitConfig(objects=2, clicks=(2,)))
    examples = drawn(2)
    together = task(examples, randoms(2), NOW)["loss"]
    alone = [task([examples[n]], [randoms(2)[n]], NOW)["loss"] for n in (0, 1)]
    assert_close(together, (alone[0] + alone[1]) / 2, rtol=1e-4, atol=1e-4)
