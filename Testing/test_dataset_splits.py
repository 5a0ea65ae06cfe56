"""Patients are in one split, and what is kept for validation is never trained on."""

import json
from dataclasses import replace

import pytest

import trees
from fastsam3d.dataset_layouts import read_dataset
from fastsam3d.dataset_splits import apply_splits, check_splits
from fastsam3d.errors import InputError


@pytest.fixture
def dataset(tmp_path):
    return read_dataset(trees.nnunet(tmp_path / "set", cases=4, tests=0))


@pytest.fixture
def file(tmp_path):
    def file(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return file


def splits_of(dataset):
    return {item.name: item.split for item in dataset.items}


WANTED = {"case_000": "train", "case_001": "train", "case_002": "val", "case_003": "test"}
LISTS = {"train": ["case_000", "case_001"], "val": ["case_002"], "test": ["case_003"]}
PATHS = [
    "data/liver/ct_Trunk/labelsTr/case_000.nii.gz",
    "data/kidney/ct_Trunk/labelsTr/case_000.nii.gz",
    "data/liver/ct_Trunk/imagesTr/case_001_0000.nii.gz",
    "data\\liver\\ct_Trunk\\labelsVal\\case_002.nii.gz",
    "data/liver/ct_Trunk/labelsTs/case_003.nii.gz",
]
FORMS = {
    "lists.json": LISTS,
    "images.json": {
        "training": [{"image": f"imagesTr/{name}_0000.nii.gz"} for name in LISTS["train"]],
        "validation": ["case_002.nii.gz"],
        "testing": [{"case": "case_003"}],
    },
    "names.json": WANTED,
    "splits_final.json": [LISTS, {"train": ["case_003"], "val": ["case_000"]}],
    "paths.json": PATHS,
    "paths.txt": "\n".join(PATHS),
    "cases.csv": "\ufeffcase,split\n" + "\n".join(f"{n},{s}" for n, s in WANTED.items()),
    "meta.csv": "image_id;age;split\n" + "\n".join(f"{n};60;{s}" for n, s in WANTED.items()),
    "patients.csv": "patient,split\n" + "\n".join(f"{n},{s}" for n, s in WANTED.items()),
}


@pytest.mark.parametrize("form", FORMS)
def test_splits_may_be_written_in_many_forms(dataset, file, form):
    assert splits_of(apply_splits(dataset, file(form, FORMS[form]))) == WANTED


def test_what_the_file_does_not_name_is_left_out_not_trained_on(dataset, file):
    found = apply_splits(dataset, file("splits.json", {"train": ["case_000"], "val": ["case_001"]}))
    assert splits_of(found) == {"case_000": "train", "case_001": "val"}
    assert [(one.case, one.reason) for one in found.left_out] == [
        ("case_002", "not named in splits.json"),
        ("case_003", "not named in splits.json"),
    ]


def test_what_the_file_names_and_is_not_there_is_told(dataset, file):
    found = apply_splits(dataset, file("splits.json", LISTS | {"test": ["case_003", "case_9"]}))
    assert found.warnings == ("splits.json names what is not there: case_9.",)


def test_images_of_one_patient_in_two_splits_are_refused(dataset, file):
    lines = ["case,patient,split", "case_000,anna,train", "case_001,anna,val"]
    found = apply_splits(dataset, file("splits.csv", "\n".join(lines)))
    with pytest.raises(InputError, match=r"same patient is in two splits \(anna\)"):
        check_splits(found)


def test_a_case_in_two_splits_is_refused(dataset, file):
    path = file("splits.json", {"train": ["case_000"], "val": ["case_000", "case_001"]})
    with pytest.raises(InputError, match="puts case_000 into two splits"):
        apply_splits(dataset, path)


def test_two_channels_of_a_patient_in_two_splits_are_refused(tmp_path, file):
    dataset = read_dataset(trees.brats(tmp_path / "brats"))
    name = "BraTS2021_00002"
    path = file("splits.json", {"train": [f"{name}_t1"], "val": [f"{name}_t2.nii.gz"]})
    with pytest.raises(InputError, match=f"puts {name} into two splits"):
        apply_splits(dataset, path)


@pytest.mark.parametrize("layout", ["amos22", "totalsegmentator"])
def test_no_file_turns_validation_images_into_training_images(tmp_path, file, layout):
    dataset = read_dataset(trees.LAYOUTS[layout](tmp_path / "set"))
    held_back = next(item.name for item in dataset.items if item.split == "val")
    path = file("splits.json", {"train": [item.name for item in dataset.items]})
    with pytest.raises(
        InputError, match=rf"puts {held_back}.* into train, which the dataset keeps"
    ):
        apply_splits(dataset, path)


def test_training_images_may_be_held_back_for_validation(tmp_path, file):
    dataset = read_dataset(trees.amos(tmp_path / "amos22"))
    found = apply_splits(dataset, file("s.json", {"train": ["amos_0001"], "val": ["amos_0507"]}))
    assert splits_of(found) == {"amos_0001": "train", "amos_0507": "val"}


def test_the_same_case_for_training_and_test_is_refused(tmp_path):
    source = trees.nnunet(tmp_path / "set")
    for part, name in (("images", "case_000_0000"), ("labels", "case_000")):
        copied = (source / f"{part}Tr" / f"{name}.nii.gz").read_bytes()
        (source / f"{part}Ts").mkdir(exist_ok=True)
        (source / f"{part}Ts" / f"{name}.nii.gz").write_bytes(copied)
    with pytest.raises(InputError, match=r"same patient is in two splits \(case_000\)"):
        check_splits(read_dataset(source))


def test_scans_that_meta_csv_does_not_name_are_in_no_split(tmp_path):
    source = trees.totalsegmentator(tmp_path / "ts")
    meta = source / "meta.csv"
    lines = meta.read_text(encoding="utf-8").splitlines()
    meta.write_text("\n".join(lines[:-1]), encoding="utf-8")
    found = check_splits(read_dataset(source))
    assert splits_of(found) == {"s0000": "train", "s0001": "val"}
    assert [(one.case, one.reason) for one in found.left_out] == [("s0002", "in no split")]


def test_without_meta_csv_totalsegmentator_needs_a_splits_file(tmp_path, file):
    source = trees.totalsegmentator(tmp_path / "ts")
    (source / "meta.csv").unlink()
    with pytest.raises(InputError, match=r"meta\.csv is missing .* give a splits file"):
        check_splits(read_dataset(source))
    splits = file("splits.json", {"train": ["s0000", "s0001"], "test": ["s0002"]})
    found = check_splits(apply_splits(read_dataset(source), splits))
    assert len(found.items) == 3


def test_a_patient_named_for_several_items_gives_all_of_them_its_split(dataset, file):
    items = [replace(item, patient="anna") for item in dataset.items[:2]] + [*dataset.items[2:]]
    path = file("splits.csv", "patient;split\nanna;val\ncase_002;train")
    found = apply_splits(replace(dataset, items=tuple(items)), path)
    assert splits_of(found) == {"case_000": "val", "case_001": "val", "case_002": "train"}


BAD = {
    "none.json": ({"train": []}, "names no case"),
    "strange.json": ("[", "Cannot read"),
    "number.json": (3, "expected lists under train"),
    "others.json": ({"train": ["amos_0001"]}, "expected names such as case_000"),
    "entry.json": ({"train": [[1]]}, "expected the names of cases"),
    "columns.csv": ("case,fold\ncase_000,1", "expected case or patient, and split"),
    "word.csv": ("case,split\ncase_000,fold1", "has the split 'fold1'"),
    "folder.txt": ("somewhere/case_000.nii.gz", "lies in no imagesTr"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_says_no_splits_is_refused_in_a_sentence(dataset, file, name):
    content, told = BAD[name]
    with pytest.raises(InputError, match=told):
        apply_splits(dataset, file(name, content))


def test_a_file_that_is_not_there_is_told(dataset, tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*splits\.csv; give a CSV or JSON"):
        apply_splits(dataset, tmp_path / "splits.csv")
