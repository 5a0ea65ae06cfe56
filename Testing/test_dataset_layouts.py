"""What lies in a dataset's folder, told without reading a voxel."""

import json
import re
import shutil

import pytest

import trees
from fastsam3d.dataset_layouts import read_dataset, recognise
from fastsam3d.dataset_paired import label_names
from fastsam3d.errors import InputError
from fastsam3d.manifest import groups_text


def splits_of(dataset):
    return {item.name: item.split for item in dataset.items}


def left_out_of(dataset):
    return {one.case: one.reason for one in dataset.left_out}


@pytest.mark.parametrize("layout", trees.LAYOUTS)
def test_each_layout_is_recognised_for_what_it_is(tmp_path, layout):
    source = trees.LAYOUTS[layout](tmp_path / "set")
    assert recognise(source) == layout
    assert read_dataset(source).layout == layout


def test_a_folder_of_no_layout_gets_one_sentence_that_says_what_is_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"none of the layouts.*brats21.*nnunet.*choose"):
        read_dataset(tmp_path)


def test_the_folder_above_a_dataset_is_told_where_the_dataset_is(tmp_path):
    source = trees.amos(tmp_path / "amos22")
    with pytest.raises(InputError, match=f"did you mean {source}"):
        read_dataset(tmp_path)


def test_the_folder_above_several_datasets_is_told_each_of_them(tmp_path):
    named = [f"{trees.LAYOUTS[name](tmp_path / name)} ({name})" for name in ("amos22", "nnunet")]
    with pytest.raises(InputError, match=re.escape(f"one of these: {', '.join(named)}?")):
        read_dataset(tmp_path)


def test_none_of_several_datasets_is_taken_in_silence(tmp_path):
    data = trees.brats(tmp_path / "sets") / "TrainingData"
    amos = trees.amos(data.parent / "amos22")
    inner = f"{data} (brats21), {data.parent / 'ValidationData'} (brats21), {amos} (amos22)"
    with pytest.raises(InputError, match=re.escape(f"several datasets: {inner}; give the folder")):
        read_dataset(data.parent)
    assert read_dataset(data.parent, "brats21").layout == "brats21"
    assert read_dataset(data).layout == "brats21"


def test_a_folder_of_two_layouts_is_taken_by_the_one_that_is_named(tmp_path):
    source = trees.totalsegmentator(trees.nnunet(tmp_path / "set"))
    both = f"several datasets: {source} (totalsegmentator), {source} (nnunet); give"
    with pytest.raises(InputError, match=re.escape(both)):
        read_dataset(source)
    assert read_dataset(source, "nnunet").layout == "nnunet"


def test_a_layout_that_is_not_the_folders_is_refused(tmp_path):
    source = trees.brats(tmp_path / "brats")
    with pytest.raises(InputError, match=r"amos22: dataset\.json"):
        read_dataset(source, "amos22")
    with pytest.raises(InputError, match="Got the layout 'bids'; expected auto, "):
        read_dataset(source, "bids")


@pytest.mark.parametrize("version", [1, 2])
def test_nnunet_of_both_versions_gives_the_same(tmp_path, version):
    dataset = read_dataset(trees.nnunet(tmp_path / "Dataset007_Trunk", version=version))
    assert dataset.name == "Dataset007_Trunk"
    assert splits_of(dataset) == {f"case_00{n}": "train" for n in range(3)}
    assert dict(dataset.items[0].names) == {1: "liver", 2: "kidney"}
    assert dataset.items[0].channels[0].modality == "CT"
    assert left_out_of(dataset) == {"case_003": "no label in labelsTs"}


def test_test_images_with_labels_are_test_images(tmp_path):
    source = trees.nnunet(tmp_path / "set")
    trees.write(trees.Body().labels(), source / "labelsTs" / "case_003.nii.gz")
    assert splits_of(read_dataset(source))["case_003"] == "test"


def test_several_channels_are_as_many_images_or_the_one_that_is_chosen(tmp_path):
    source = trees.nnunet(tmp_path / "set", cases=1, channels=("T2 w", "ADC"))
    (item,) = read_dataset(source).items
    assert [channel.case for channel in item.channels] == ["case_000_T2-w", "case_000_ADC"]
    assert [channel.modality for channel in item.channels] == ["T2 w", "ADC"]
    for choice in ("1", "0001", "adc"):
        (item,) = read_dataset(source, channel=choice).items
        assert [channel.image.name for channel in item.channels] == ["case_000_0001.nii.gz"]
    with pytest.raises(InputError, match=r"'FLAIR'; expected one of 0 \(T2 w\), 1 \(ADC\)"):
        read_dataset(source, channel="FLAIR")


def test_channels_of_one_name_are_told_apart_by_their_numbers(tmp_path):
    source = trees.nnunet(tmp_path / "set", cases=1, channels=("MRI", "MRI"))
    (item,) = read_dataset(source).items
    assert [channel.case for channel in item.channels] == ["case_000_0000", "case_000_0001"]


def test_a_channel_that_is_missing_leaves_the_others(tmp_path):
    source = trees.nnunet(tmp_path / "set", cases=1, channels=("T2", "ADC"))
    (source / "imagesTr" / "case_000_0000.nii.gz").unlink()
    dataset = read_dataset(source)
    assert [channel.case for channel in dataset.items[0].channels] == ["case_000_ADC"]
    assert left_out_of(dataset)["case_000_0000"] == "no such image in imagesTr"


def test_missing_pairs_are_left_out_with_the_reason(tmp_path):
    source = trees.nnunet(tmp_path / "set", version=1, tests=0)
    (source / "imagesTr" / "case_000_0000.nii.gz").unlink()
    (source / "labelsTr" / "case_001.nii.gz").unlink()
    dataset = read_dataset(source)
    assert splits_of(dataset) == {"case_002": "train"}
    assert left_out_of(dataset) == {
        "case_000": "no image in imagesTr",
        "case_001": "no label in labelsTr",
        "./labelsTr/case_001.nii.gz": "named in dataset.json, but not there",
    }


def test_the_decathlons_images_without_a_channel_are_read_too(tmp_path):
    source = trees.nnunet(tmp_path / "Task04_Hippocampus", version=1, tests=0)
    for path in (source / "imagesTr").iterdir():
        path.rename(path.with_name(path.name.replace("_0000", "")))
    assert len(read_dataset(source).items) == 3


def test_ignored_voxels_are_no_object_and_regions_are_named_by_the_smallest():
    names, notes = label_names(
        {
            "labels": {
                "background": 0,
                "whole tumour": [1, 2, 3],
                "tumour core": [2, 3],
                "enhancing": 3,
                "ignore": 4,
            }
        }
    )
    assert names == {1: "whole tumour outside tumour core", 2: "tumour core outside enhancing"} | {
        3: "enhancing"
    }
    assert "value 4" in notes[0]
    assert "overlap" in notes[1]


@pytest.mark.parametrize("labels", [None, {}, {"liver": "one"}, ["liver"]])
def test_labels_that_cannot_be_read_are_refused(labels):
    with pytest.raises(InputError, match="expected names by value or values by name"):
        label_names({"labels": labels})


def test_amos_has_ct_up_to_500_and_mri_above_and_no_shadow_files(tmp_path):
    source = trees.amos(tmp_path / "amos22", train=(1, 500, 501, 600))
    dataset = read_dataset(source)
    found = {item.name: item.channels[0].modality for item in dataset.items}
    assert found == {"amos_0001": "CT", "amos_0500": "CT", "amos_0501": "MRI"} | {
        "amos_0600": "MRI", "amos_0008": "CT",
    }  # fmt: skip


def test_amos_keeps_its_validation_images_out_of_training(tmp_path):
    dataset = read_dataset(trees.amos(tmp_path / "amos22"))
    assert splits_of(dataset) == {"amos_0001": "train", "amos_0507": "train", "amos_0008": "val"}
    assert left_out_of(dataset) == {"amos_0020": "no label in labelsTs"}


@pytest.mark.parametrize("version", [1, 2])
def test_totalsegmentator_has_a_value_for_each_structure_and_its_own_splits(tmp_path, version):
    dataset = read_dataset(trees.totalsegmentator(tmp_path / "ts", version=version))
    assert splits_of(dataset) == {"s0000": "train", "s0001": "val", "s0002": "test"}
    item = dataset.items[0]
    assert item.names == {1: "aorta", 2: "liver", 3: "skull"}
    assert {value: path.name for value, path in item.masks.items()} == {
        1: "aorta.nii.gz", 2: "liver.nii.gz", 3: "skull.nii.gz",
    }  # fmt: skip


def test_a_value_of_totalsegmentator_means_the_same_in_scans_that_lack_a_file(tmp_path):
    source = trees.totalsegmentator(tmp_path / "ts")
    (source / "s0001" / "segmentations" / "aorta.nii.gz").unlink()
    item = read_dataset(source).items[1]
    assert {item.names[value] for value in item.masks} == {"liver", "skull"}
    assert item.masks[2].name == "liver.nii.gz"


def test_totalsegmentators_mri_is_read_as_mri(tmp_path):
    source = trees.totalsegmentator(tmp_path / "ts", splits=("train",))
    (source / "s0000" / "ct.nii.gz").rename(source / "s0000" / "mri.nii.gz")
    assert read_dataset(source).items[0].channels[0].modality == "MRI"


def test_scans_without_an_image_or_masks_are_left_out(tmp_path):
    source = trees.totalsegmentator(tmp_path / "ts")
    (source / "s0000" / "ct.nii.gz").unlink()
    shutil.rmtree(source / "s0001" / "segmentations")
    dataset = read_dataset(source)
    assert left_out_of(dataset) == {"s0000": "no ct.nii.gz", "s0001": "no segmentations"}


def test_a_meta_csv_with_commas_or_another_split_is_refused(tmp_path):
    source = trees.totalsegmentator(tmp_path / "ts")
    meta = source / "meta.csv"
    text = meta.read_text(encoding="utf-8-sig")
    meta.write_text(text.replace(";", ","))
    with pytest.raises(InputError, match="image_id and split, parted by semicolons"):
        read_dataset(source)
    meta.write_text(text.replace(";val", ";holdout"))
    with pytest.raises(InputError, match="has the split 'holdout'"):
        read_dataset(source)


def test_brats_gives_four_images_a_patient_and_names_its_values(tmp_path):
    dataset = read_dataset(trees.brats(tmp_path / "brats"))
    item = dataset.items[0]
    assert item.patient == "BraTS2021_00002"
    assert [channel.modality for channel in item.channels] == [
        "MRI FLAIR", "MRI T1", "MRI T1ce", "MRI T2",
    ]  # fmt: skip
    assert sorted(item.names) == [1, 2, 4]
    assert groups_text(item.groups) == "1+2+4:whole tumour;1+4:tumour core;4:enhancing tumour"
    assert left_out_of(dataset) == {"BraTS2021_00009": "no label (_seg)"}


def test_brats_may_be_given_as_the_folder_of_patients_and_by_one_channel(tmp_path):
    source = trees.brats(tmp_path / "brats") / "TrainingData"
    (first, _) = read_dataset(source, channel="T1ce").items
    assert [channel.case for channel in first.channels] == ["BraTS2021_00002_t1ce"]
    with pytest.raises(InputError, match="expected one of flair, t1, t1ce, t2"):
        read_dataset(source, channel="pd")


def test_labelled_validation_patients_of_brats_are_not_for_training(tmp_path):
    source = trees.brats(tmp_path / "brats")
    patient = source / "ValidationData" / "BraTS2021_00009"
    trees.write(trees.Body().labels(), patient / f"{patient.name}_seg.nii.gz")
    assert splits_of(read_dataset(source))[patient.name] == "val"


def test_a_description_that_is_no_json_is_told(tmp_path):
    source = trees.nnunet(tmp_path / "set")
    (source / "dataset.json").write_text("{")
    with pytest.raises(InputError, match=r"Cannot read .*dataset\.json as JSON"):
        read_dataset(source)


@pytest.mark.parametrize("training", [7, {"label": 5}, [{"label": 5}], [7]], ids=str)
def test_training_pairs_that_are_none_are_told(tmp_path, training):
    source = trees.nnunet(tmp_path / "set", version=1)
    description = json.loads((source / "dataset.json").read_text())
    trees.write_json(description | {"training": training}, source / "dataset.json")
    with pytest.raises(InputError, match=r"under training in .*dataset.json; expected pairs"):
        read_dataset(source)


def test_two_files_of_one_name_are_refused(tmp_path):
    source = trees.amos(tmp_path / "amos22")
    label = source / "labelsTr" / "amos_0001.nii.gz"
    shutil.copy(label, label.with_suffix("").with_suffix(".nrrd"))
    with pytest.raises(InputError, match="remove one of them"):
        read_dataset(source)
