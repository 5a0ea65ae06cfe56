"""Examples kept apart, and whose they are."""

import numpy as np
import pytest

from distilling import drawn
from fastsam3d import heldout as module
from fastsam3d.apart import OfPatient
from fastsam3d.heldout import PATIENTS, Kept, keep, kept_in, units_of
from fastsam3d.pool import Pool
from fastsam3d.stats import paired_wilcoxon

WHOSE = [("set", "ann"), ("set", "bob"), ("set", "ann"), ("set", "bob")]


@pytest.fixture
def cut(monkeypatch):
    """Patches of two patients in turn; how often they were asked for."""
    asked = []

    def patches(rows, seed, spacing_mm):
        asked.append(len(rows))
        for example, whose in zip(drawn(4), WHOSE, strict=True):
            yield OfPatient(example.image, example.objects, example.targets, whose)

    monkeypatch.setattr(module, "patches", patches)
    return asked


def test_patients_are_kept_beside_the_examples(cut, tmp_path):
    found = keep(Pool(tmp_path), [], 3, 0, None)
    assert (len(found), found.patients) == (3, WHOSE[:3])
    again = keep(Pool(tmp_path), [], 3, 0, None)
    assert again.patients == WHOSE[:3]
    assert len(cut) == 1
    assert kept_in(tmp_path, 2).patients == WHOSE[:2]


def test_keeping_goes_on_where_it_stopped(cut, tmp_path):
    pool = Pool(tmp_path)
    pool.append(drawn(1)[0])
    found = keep(pool, [], 2, 0, None)
    assert (len(pool), found.patients) == (2, WHOSE[:2])
    with pytest.raises(IndexError):
        found[2]


@pytest.mark.parametrize("text", [None, "{", "[[1]]", '[["set", "ann"]]'])
def test_examples_whose_patients_are_not_all_known_are_kept_in_no_order(text, tmp_path):
    pool = Pool(tmp_path)
    for example in drawn(2):
        pool.append(example)
    if text is not None:
        (tmp_path / PATIENTS).write_text(text)
    assert kept_in(tmp_path) is None


def test_test_counts_patients_and_not_their_patches():
    """Sixty patches of two patients, all better, are no evidence that 100 patients would be."""
    ours, theirs = np.full(60, 0.8) + np.arange(60) / 1000, np.full(60, 0.7)
    known = units_of(Kept([None] * 60, [("set", f"p{n % 2}") for n in range(60)]))
    unknown = units_of([None] * 60)
    assert paired_wilcoxon(ours, theirs, unknown.patients).p < 1e-6
    found = paired_wilcoxon(ours, theirs, known.patients)
    assert (found.patients, known.called) == (2, "patients")
    assert found.p > 0.1
    assert unknown.called == "examples, whose patients are not known"
