import csv
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from torch.testing import assert_close

from distilling import drawn
from fastsam3d.errors import InputError
from fastsam3d.gather import Part, Wanted, check_folder, check_source, gather
from fastsam3d.pool import NOTE, Pool
from fastsam3d.supply import EXAMPLES
from trees import nnunet


@pytest.fixture
def source(tmp_path):
    """A manifest of three scans of three patients, the last of whom is for validation."""
    labels = np.zeros((24, 40, 36), np.uint8)
    labels[6:18, 8:30, 10:20] = 1
    lines = ["case,patient,image,label,split"]
    for number, split in enumerate(("train", "train", "val")):
        for name, array in (("scan", labels * np.float32(50 + number)), ("label", labels)):
            path = tmp_path / f"{name}{number}.nrrd"
            sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
        lines.append(f"c{number},p{number},scan{number}.nrrd,label{number}.nrrd,{split}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return tmp_path / "manifest.csv"


@pytest.fixture
def wanted(source, tmp_path):
    return Wanted(source, tmp_path / "out", examples=2, held_out=2, workers=0)


@pytest.fixture
def pool(tmp_path):
    made = Pool(tmp_path / "pool")
    for example in drawn(6):
        made.append(example)
    return made


def test_patients_kept_apart_are_named_and_not_learnt_from(wanted):
    found = gather(wanted)
    assert (len(found.learnt), len(found.held_out)) == (2, 2)
    assert found.how == "of 1 patients, none of whom was learnt from"
    assert {patient for _, patient in found.held_out.patients} == {"p2"}

    def patients(name):
        with (wanted.folder / name).open(newline="") as file:
            return {line["patient"] for line in csv.DictReader(file)}

    assert patients("learnt.csv") == {"p0", "p1"}
    assert patients("heldout.csv") == {"p2"}


def test_examples_kept_apart_are_prepared_once_and_go_on_where_they_stopped(wanted):
    first = gather(replace(wanted, held_out=1)).held_out[0]
    both = gather(wanted).held_out
    other = gather(replace(wanted, folder=wanted.folder / "other")).held_out
    assert_close(both[0].image, first.image)
    assert_close(both[1].image, other[1].image)
    assert len(gather(wanted).held_out) == 2


def test_one_patient_alone_gives_other_patches(wanted, source):
    text = source.read_text().splitlines()[:2]
    source.write_text("\n".join(text))
    found = gather(wanted)
    assert (len(found.learnt), len(found.held_out)) == (2, 2)
    assert "maybe of the same patients" in found.how
    assert len(Pool(wanted.folder / EXAMPLES)) == 4


def test_nothing_kept_apart_learns_from_all(wanted):
    found = gather(replace(wanted, held_out=0))
    assert (len(found.learnt), len(found.held_out)) == (2, 0)
    assert not (wanted.folder / "learnt.csv").exists()


def test_validation_split_of_a_dataset_is_kept_apart(wanted, tmp_path):
    dataset = nnunet(tmp_path / "nnunet", cases=6)
    found = gather(replace(wanted, source=dataset, held_out=1))
    assert len(found.held_out) == 1
    assert "none of whom was learnt from" in found.how


def test_folder_of_examples_is_used_as_it_is(wanted, pool):
    found = gather(replace(wanted, source=pool.folder))
    assert (len(found.learnt), len(found.held_out)) == (5, 1)
    assert_close(found.held_out[0].image, pool[5].image)
    assert not wanted.folder.exists()


def test_folder_of_an_earlier_distillation_keeps_its_patients_apart(wanted):
    before = gather(wanted)
    found = gather(replace(wanted, source=wanted.folder, folder=wanted.folder / "new"))
    assert len(found.learnt) == len(before.learnt)
    assert_close(found.held_out[1].image, before.held_out[1].image)
    assert found.how == "of other patients"
    assert found.held_out.patients == before.held_out.patients


def test_examples_of_a_fixed_spacing_keep_intensities_and_are_for_that_spacing_alone(
    wanted, source
):
    lines = source.read_text().splitlines()
    source.write_text("\n".join([lines[0] + ",modality", *(line + ",CT" for line in lines[1:])]))
    fixed = replace(wanted, spacing_mm=1.5)
    found = gather(fixed)
    for examples in (found.learnt, found.held_out):
        assert examples[1].intensities.is_ct
    again = replace(fixed, source=wanted.folder, folder=wanted.folder / "new")
    assert len(gather(again).learnt) == 2
    told = "holds examples of 1.5 mm, and these networks learn from examples of many spacings"
    for other in (replace(again, spacing_mm=None), wanted):
        with pytest.raises(InputError, match=told):
            gather(other)


def test_examples_of_many_spacings_are_not_for_one(wanted, pool):
    with pytest.raises(InputError, match=r"of many spacings, and these networks .* of 1\.5 mm"):
        gather(replace(wanted, source=pool.folder, spacing_mm=1.5))
    assert gather(wanted).learnt[0].intensities is None
    (pool.folder / NOTE).write_text("{")
    with pytest.raises(InputError, match=r"pool\.json is damaged"):
        gather(replace(wanted, source=pool.folder))


def test_too_few_examples_are_refused(wanted, tmp_path):
    lonely = Pool(tmp_path / "lonely")
    lonely.append(drawn(1)[0])
    with pytest.raises(InputError, match="holds 1 examples; prepare at least 2"):
        gather(replace(wanted, source=lonely.folder))


def test_part_ends_where_it_ends():
    part = Part([10, 11, 12, 13], range(1, 3))
    assert list(part) == [11, 12]


def test_source_that_is_not_there_is_told_with_all_that_one_may_be(tmp_path):
    with pytest.raises(
        InputError, match=r"There is no .*gone; give a manifest, a dataset's folder"
    ):
        check_source(tmp_path / "gone")
    check_source(tmp_path)


def test_examples_that_nothing_notes_are_not_learnt_from(pool):
    pool.folder.rename(pool.folder.with_name(EXAMPLES))
    note = pool.folder.with_name("distillation.json")
    with pytest.raises(InputError, match="holds examples that another command prepared; choose"):
        check_folder(note)
    note.touch()
    check_folder(note)
