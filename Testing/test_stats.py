import numpy as np
import pytest
from scipy.stats import wilcoxon

from fastsam3d.stats import Comparison, Patients, bootstrap_interval, paired_wilcoxon


def test_set_mean_is_over_objects_then_patients_then_folders():
    keys = [("ct", "a")] * 3 + [("ct", "b"), ("mr", "a")]
    values = [0.1, 0.2, 0.3, 0.6, 1.0]
    assert Patients.of(keys).set_mean(values) == pytest.approx(((0.2 + 0.6) / 2 + 1.0) / 2)


def test_set_mean_keeps_the_clicks_apart():
    patients = Patients.of([("ct", "a"), ("ct", "a"), ("ct", "b")])
    means = patients.set_mean([[0.0, 1.0], [1.0, 0.0], [0.2, 0.4]])
    assert means == pytest.approx([0.35, 0.45])


def test_interval_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(0.5, 0.1, 60)
    patients = Patients.of([("ct", str(n)) for n in range(60)])
    low, high = bootstrap_interval(values, patients)
    half = 1.96 * values.std() / np.sqrt(60)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.005)


def test_more_objects_of_the_same_patients_make_no_narrower_interval():
    values = np.array([0.2, 0.5, 0.9])
    keys = [("ct", name) for name in "abc"]
    once = bootstrap_interval(values, Patients.of(keys))
    often = bootstrap_interval(np.tile(values, 50), Patients.of(keys * 50))
    assert often == pytest.approx(once)


def test_folders_of_one_patient_each_still_have_an_interval():
    patients = Patients.of([("ct", "a"), ("mr", "b"), ("pet", "c")])
    low, high = bootstrap_interval([0.1, 0.5, 0.9], patients)
    assert low < 0.2
    assert high > 0.8


def test_interval_has_the_shape_of_one_objects_values():
    values = np.random.default_rng(0).random((9, 4))
    low, high = bootstrap_interval(values, Patients.of([("ct", str(n % 5)) for n in range(9)]))
    assert low.shape == high.shape == (4,)
    assert (low < high).all()


def test_single_patient_has_an_interval_of_no_width():
    low, high = bootstrap_interval([0.25, 0.75], Patients.of([("ct", "a")] * 2))
    assert low == high == 0.5


def test_steady_gain_over_many_patients_is_better():
    rng = np.random.default_rng(0)
    theirs = rng.random(20)
    ours = theirs + rng.uniform(0.01, 0.1, 20)
    patients = Patients.of([("ct", f"{n:02}") for n in range(20)])
    found = paired_wilcoxon(ours, theirs, patients)
    assert found.better
    assert found.p == pytest.approx(wilcoxon(ours - theirs).pvalue)
    assert found.difference == pytest.approx((ours - theirs).mean())
    assert not paired_wilcoxon(theirs, ours, patients).better


def test_sixty_objects_of_two_patients_prove_nothing():
    patients = Patients.of([("ct", "ab"[n % 2]) for n in range(60)])
    found = paired_wilcoxon(np.full(60, 0.9), np.full(60, 0.1), patients)
    assert found.difference == pytest.approx(0.8)
    assert found.patients == 2
    assert not found.better


def test_equal_methods_do_not_differ():
    patients = Patients.of([("ct", name) for name in "abc"])
    assert paired_wilcoxon([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], patients) == Comparison(0.0, 1.0, 3)


@pytest.mark.parametrize(("count", "telling"), [(1, False), (5, False), (6, True), (16, True)])
def test_p_tells_something_only_of_patients_enough_for_one_below_a_twentieth(count, telling):
    patients = Patients.of([("set", f"p{number}") for number in range(count)])
    found = paired_wilcoxon(np.arange(1, count + 1), np.zeros(count), patients)
    assert found.is_telling == telling == (found.p < 0.05)
    assert found.too_few("patients") == (
        f"no test is possible with fewer than 6 patients (here {count})"
    )


def test_patients_without_a_difference_do_not_break_the_test():
    patients = Patients.of([("ct", str(n)) for n in range(8)])
    found = paired_wilcoxon([0.5] * 4 + [0.6] * 4, [0.5] * 8, patients)
    assert 0.01 < found.p < 1
