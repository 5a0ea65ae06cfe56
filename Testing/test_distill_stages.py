"""The two stages of a distillation, one after the other."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from distilling import STUDENT, TEACHER, drawn, network, teacher
from fastsam3d import distill as module
from fastsam3d.distill import distill
from fastsam3d.logits import LogitConfig
from fastsam3d.recipes import OURS, Setting, adapted

SETTING = Setting(steps=1, batch=1, device="cpu", precision="32-true")
ONCE = replace(adapted(OURS, SETTING), question=LogitConfig(objects=1, clicks=(1,)))


class Read(list):
    """Examples that note which of them are asked for."""

    def __init__(self, examples):
        super().__init__(examples)
        self.numbers = []

    def __getitem__(self, number):
        self.numbers.append(number)
        return super().__getitem__(number)


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """A student, what each stage returned, and the numbers of the examples that each read."""
    states, orders = [], []
    student, read = network(STUDENT), Read(drawn(1) * 9)
    real = module.learn

    def learn(*given):
        states.append(real(*given))
        orders.append(read.numbers)
        read.numbers = []
        return states[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "learn", learn)
        distill(student, teacher(TEACHER), read, tmp_path_factory.mktemp("stages"), ONCE)
    return student, states, orders


def test_few_epochs_warm_up_and_average_over_a_tenth_of_their_steps(monkeypatch, tmp_path):
    asked = []

    def learn(task, examples, folder, name, config, on_step):
        asked.append((name, config.warm_up, config.average))
        return task.state_dict()

    monkeypatch.setattr(module, "learn", learn)
    epochs = adapted(OURS, replace(SETTING, steps=None, epochs=10))
    distill(network(STUDENT), teacher(TEACHER), drawn(1) * 3, tmp_path, epochs)
    assert asked == [("feature", 3, pytest.approx(2 / 3)), ("logits", 3, pytest.approx(2 / 3))]


def test_same_seed_gives_the_same_student_where_widths_differ(tmp_path):
    ends = []
    for number in range(2):
        student = network(STUDENT)
        torch.rand(number)
        distill(
            student, teacher(replace(TEACHER, width=32)), drawn(1), tmp_path / str(number), ONCE
        )
        ends.append(student.state_dict())
    assert_close(ends[0], ends[1], rtol=0, atol=0)


def test_only_the_first_process_brings_the_teacher_to_its_device_to_keep_features(
    tmp_path, monkeypatch
):
    guide, brought = teacher(TEACHER), []
    monkeypatch.setattr(guide, "bring", brought.append)
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        module._cached(network(STUDENT), guide, drawn(1), tmp_path, ONCE)
        assert brought == [torch.device("cpu")]


def test_student_ends_as_the_average_of_the_second_stage(stages):
    student, states, _ = stages
    assert len(states) == 2
    for key, value in student.state_dict().items():
        assert_close(value, states[1][f"student.{key}"], rtol=0, atol=0)


def test_each_stage_shows_the_examples_in_an_order_of_its_own(stages):
    first, second = stages[2]
    assert len(first) == len(second) > 1
    assert first != second
