import math
from dataclasses import replace
from inspect import signature

import pytest

from fastsam3d.cli_distill import distill
from fastsam3d.errors import InputError
from fastsam3d.progressive import layers_at
from fastsam3d.recipes import OURS, PAPER, Recipe, Setting, adapted, fitted, recipe_of, shown


def test_paper_recipe_is_what_the_paper_states():
    stage = PAPER.feature
    assert (stage.optimizer, stage.learning_rate, stage.batch) == ("adam", 5e-3, 16)
    assert (stage.epochs, stage.count_epochs, stage.schedule) == (36, True, "constant")
    assert (PAPER.logits.optimizer, PAPER.logits.learning_rate) == ("adam", 5e-3)


def test_paper_schedule_on_its_own_numbers():
    """AMOS, TotalSegmentator and BraTS 2021 have 3079 scans: 193 steps of 16 an epoch."""
    scans, stage = 600 + 1228 + 1251, PAPER.feature
    last = stage.last_step(scans)
    assert last == math.ceil(36 * scans / 16)
    moments = [stage.moment(step, 0.0, scans) for step in range(last)]
    assert [moments[0].iteration, moments[-1].iteration, moments[0].total] == [1, 36, 36]
    ks = [layers_at(moment) for moment in moments]
    assert sorted(ks) == ks
    steps_of_each = [ks.count(k) for k in range(1, 7)]
    assert sum(steps_of_each) == last
    assert all(abs(steps - 6 * scans / 16) <= 1 for steps in steps_of_each)


def test_our_schedule_counts_steps():
    stage = OURS.feature
    ks = [layers_at(stage.moment(step, 0.0, 999)) for step in range(stage.steps)]
    assert ks[0] == 1
    assert all(abs(ks.count(k) - stage.steps / 6) <= 1 for k in range(1, 7))


def test_a_users_length_is_that_of_each_stage():
    both = adapted(OURS, Setting(steps=7))
    assert (both.feature.steps, both.logits.steps) == (7, 7)
    both = adapted(PAPER, Setting(epochs=5))
    assert (both.feature.epochs, both.logits.epochs) == (5, 5)
    assert both.feature.count_epochs
    both = adapted(PAPER, Setting(steps=5))
    assert (both.feature.steps, both.feature.epochs, both.feature.count_epochs) == (5, None, False)


def test_nothing_decided_is_the_recipe():
    assert adapted(OURS, Setting()) == OURS
    assert adapted(PAPER, Setting()) == PAPER


def test_logits_alone_are_learnt_as_long_as_both_stages():
    assert adapted(OURS, Setting(features="none")).logits.steps == 20000
    assert adapted(PAPER, Setting(features="none")).logits.epochs == 72


def test_logits_alone_take_the_steps_that_a_user_gives():
    assert adapted(OURS, Setting(steps=7, features="none")).logits.steps == 7
    assert adapted(PAPER, Setting(epochs=5, features="none")).logits.epochs == 5


def test_no_more_examples_are_shown_than_the_longer_stage_has_patches():
    assert shown(adapted(OURS, Setting(steps=3, batch=2)), 2000) == 6
    assert shown(adapted(OURS, Setting(steps=3, batch=2)), 4) == 4
    assert shown(replace(OURS, feature=replace(OURS.feature, steps=1)), 2000) == 2000
    assert shown(replace(adapted(OURS, Setting(steps=1)), features="none"), 2000) == 16
    assert shown(adapted(PAPER, Setting(epochs=1)), 2000) == 2000
    seconds = replace(OURS.logits, steps=None, seconds=9)
    assert shown(replace(OURS, logits=seconds), 2000) == 2000


def test_machine_seed_and_weights_reach_both_stages():
    setting = Setting(
        batch=8, micro=2, device="cpu", devices=2, nodes=3, precision="32-true", seed=4, truth=0.5,
        teacher=2.0,
    )  # fmt: skip
    made = adapted(OURS, setting)
    for stage in (made.feature, made.logits):
        assert (stage.batch, stage.micro, stage.device, stage.devices) == (8, 2, "cpu", 2)
        assert (stage.nodes, stage.precision, stage.seed) == (3, "32-true", 4)
    assert (made.question.truth, made.question.teacher) == (0.5, 2.0)
    assert made.feature.learning_rate == OURS.feature.learning_rate


def test_unknown_recipe_features_and_two_lengths_are_refused():
    with pytest.raises(InputError, match="expected ours or paper"):
        recipe_of("theirs")
    with pytest.raises(InputError, match="progressive, all, none"):
        replace(OURS, features="some")
    with pytest.raises(InputError, match="give steps, epochs or seconds"):
        adapted(OURS, Setting(steps=1, epochs=1))
    assert isinstance(recipe_of("paper"), Recipe)


def test_the_help_of_distill_tells_how_long_the_recipes_are():
    steps, epochs = (
        parameter.annotation.__metadata__[0].help
        for name, parameter in signature(distill).parameters.items()
        if name in ("steps", "epochs")
    )
    assert f"{OURS.feature.steps} and {OURS.logits.steps} by --recipe ours" in steps
    assert f"{PAPER.feature.epochs} by --recipe paper" in epochs
    assert PAPER.feature.epochs == PAPER.logits.epochs


def test_few_epochs_are_shortened_as_as_many_steps():
    steps = fitted(adapted(OURS, Setting(steps=12)).logits, 96)
    epochs = fitted(adapted(OURS, Setting(epochs=2)).logits, 96)
    assert epochs.last_step(96) == steps.last_step(96) == 12
    for short in (steps, epochs):
        assert (short.warm_up, short.average) == (1, pytest.approx(1 / 6))
    assert fitted(OURS.logits, 96) == OURS.logits
    assert fitted(PAPER.logits, 96) == PAPER.logits
    seconds = replace(OURS.logits, steps=None, seconds=9)
    assert fitted(seconds, 96) == seconds
