"""Means of a set, their confidence intervals, and tests of "better", with patients as the unit.

A set's mean is over the objects of a patient, then the patients of a folder, then the folders,
so that one scan with sixty organs does not outweigh sixty patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import wilcoxon

BETTER_BELOW = 0.01
"""p under which a difference counts."""

FEWEST = 6
"""Patients under which no difference, however clear, has a p under 0.05: of 5 pairs it is 0.06."""

_DRAWS = 2000
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Patients:
    """Who the objects of a set belong to.

    of_object: (N,) index of each object's patient. of_patient: (P,) index of each patient's folder.
    flat: whether a set's mean is over objects alone, as the paper's is.
    """

    of_object: NDArray[np.intp]
    of_patient: NDArray[np.intp]
    flat: bool = False

    @classmethod
    def of(cls, keys: Sequence[tuple[str, str]], *, flat: bool = False) -> "Patients":
        """Group objects by their (folder, patient)."""
        patients = sorted(set(keys))
        folders = sorted({folder for folder, _ in patients})
        return cls(
            np.array([patients.index(key) for key in keys], np.intp),
            np.array([folders.index(folder) for folder, _ in patients], np.intp),
            flat,
        )

    def means(self, values: ArrayLike) -> NDArray[np.float64]:
        """Average (N, ...) values of objects to (P, ...) values of patients."""
        return _grouped_mean(np.asarray(values, np.float64), self.of_object)

    def set_mean(self, values: ArrayLike) -> NDArray[np.float64]:
        """Average (N, ...) values of objects over objects, patients, folders; or all alike."""
        if self.flat:
            return np.asarray(np.asarray(values, np.float64).mean(axis=0))
        means = _grouped_mean(self.means(values), self.of_patient).mean(axis=0)
        return np.asarray(means)


@dataclass(frozen=True)
class Comparison:
    """A paired test: the mean difference over patients, its p, and how many patients."""

    difference: float
    p: float
    patients: int

    @property
    def better(self) -> bool:
        """Tell whether the first is better than the second."""
        return self.difference > 0 and self.p < BETTER_BELOW

    @property
    def is_telling(self) -> bool:
        """Tell whether there are patients enough for p to mean anything."""
        return self.patients >= FEWEST

    def too_few(self, called: str) -> str:
        """Say that there are too few for a test; `called` is what is counted, such as patients."""
        return f"no test is possible with fewer than {FEWEST} {called} (here {self.patients})"


def bootstrap_interval(
    values: ArrayLike, patients: Patients
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bound the set's mean, with 95 % confidence, by drawing its patients again, with replacement.

    Patients are drawn from the whole set, so that a folder of one patient does not seem certain;
    the folders that a draw misses do not count in it.

    Args:
        values: (N, ...) of objects.
        patients: who they belong to.

    Returns:
        The lower and the upper bound, each of the shape of one object's values.
    """
    means = patients.means(values)
    count = len(means)
    rng = np.random.default_rng(0)
    times = rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS).astype(np.float64)
    drawn = _shares(times, patients) @ means.reshape(count, -1)
    low, high = np.quantile(drawn, _INTERVAL, axis=0).reshape(2, *means.shape[1:])
    return low, high


def paired_wilcoxon(ours: ArrayLike, theirs: ArrayLike, patients: Patients) -> Comparison:
    """Test whether two methods differ on the same objects (Wilcoxon, two-sided, over patients).

    Args:
        ours: (N,) values of objects.
        theirs: (N,) values of the same objects, in the same order.
        patients: who they belong to.
    """
    difference = patients.means(np.asarray(ours, float) - np.asarray(theirs, float))
    if not np.any(difference):
        return Comparison(0.0, 1.0, len(difference))
    p = float(wilcoxon(difference, zero_method="zsplit").pvalue)
    return Comparison(float(difference.mean()), p, len(difference))


def _shares(times: NDArray[np.float64], patients: Patients) -> NDArray[np.float64]:
    """Return what each patient weighs in a draw's mean, (draws, P), from how often it is drawn."""
    if patients.flat:
        objects = times * np.bincount(patients.of_object)
        return np.asarray(objects / objects.sum(axis=1, keepdims=True))
    member = np.eye(patients.of_patient.max() + 1)[patients.of_patient]  # (P, F)
    weights = times @ member  # (draws, F)
    share = np.divide(times, weights[:, patients.of_patient], where=times > 0, out=times)
    return np.asarray(share / np.count_nonzero(weights, axis=1)[:, None])


def _grouped_mean(values: NDArray[np.float64], group: NDArray[np.intp]) -> NDArray[np.float64]:
    sums = np.zeros((int(group.max()) + 1, *values.shape[1:]))
    np.add.at(sums, group, values)
    counts = np.bincount(group).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(sums / counts)
