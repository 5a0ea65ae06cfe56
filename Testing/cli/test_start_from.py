"""A mask to go on from: which part of it is whose, and what is said if nothing changed."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from fastsam3d.errors import InputError
from fastsam3d.images import read_labels, read_volume
from fastsam3d.masks import write_mask
from fastsam3d.starting import segment_names, share_out

SHAPE = (24, 40, 36)
ORGANS = ("liver", "spleen", "aorta")


@pytest.fixture
def start(image, tmp_path):
    """Save a segmentation of three slabs, labels 1, 2 and 3."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, 2:6], labels[:, 8:12], labels[:, 30:38] = 1, 2, 3
    path = tmp_path / "start.seg.nrrd"
    write_mask(path, labels, read_volume(image).ijk_to_ras, ORGANS)
    return path


@pytest.fixture
def go_on(run, network, image, tmp_path):
    """Go on from a mask with an agreeing point in the slab of each label; returns summary, mask."""
    at = {1: (4, 4, 4), 2: (4, 10, 4), 3: (4, 34, 4)}

    def go_on(start, objects, *options):
        content = [{"name": name, "points": [at[label]]} for name, label in objects]
        points = tmp_path / "points.json"
        points.write_text(json.dumps({"coordinates": "ijk", "objects": content}))
        places = ["--points", points, "--start-from", start, "-o", tmp_path / "m.nii.gz"]
        code, out, err = run("segment", image, *places, "--json", *options)
        assert code == 0, err
        return json.loads(out), read_labels(tmp_path / "m.nii.gz").array_kji

    return go_on


def test_objects_go_on_from_the_segments_of_their_names_in_any_order(go_on, start):
    summary, mask = go_on(start, [("Spleen", 2), ("aorta", 3), ("liver", 1)])
    assert [found["label"] for found in summary["objects"]] == [2, 3, 1]
    slabs = read_labels(start).array_kji
    for slab in (1, 2, 3):
        overlap = (mask == slab) & (slabs == slab)
        assert overlap.sum() > 0.5 * (slabs == slab).sum()
        assert not ((mask == slab) & (slabs != slab) & (slabs > 0)).any()


def test_what_is_whose_is_told_where_names_leave_something_over(go_on, start):
    summary, mask = go_on(start, [("spleen", 2), ("cyst", 1)])
    assert summary["notes"][:2] == [
        "cyst: nothing in start.seg.nrrd belongs to it; it starts from its points alone.",
        "liver and aorta of start.seg.nrrd got no points and stay as before; m.nii.gz holds the "
        "labels (1 and 3) and no names.",
    ]
    assert [found["label"] for found in summary["objects"]] == [2, 4]
    assert (mask[read_labels(start).array_kji == 2] == 2).mean() > 0.5


def test_segments_without_points_stay_with_their_labels_and_names(
    run, network, image, start, tmp_path
):
    places = ["--start-from", start, "-o", tmp_path / "m.seg.nrrd"]
    point = ["--coordinates", "ijk", "--point", "4,10,4", "--name", "spleen"]
    code, _, err = run("segment", image, *point, *places)
    assert code == 0, err
    assert "liver and aorta of start.seg.nrrd got no points and stay as before." in err
    slabs = read_labels(start).array_kji
    mask = read_labels(tmp_path / "m.seg.nrrd").array_kji
    assert (mask[slabs == 2] == 2).mean() > 0.5
    for stays in (1, 3):
        np.testing.assert_array_equal(mask[slabs == stays], stays)
    assert segment_names(tmp_path / "m.seg.nrrd") == dict(enumerate(ORGANS, start=1))


def test_an_object_takes_no_voxel_of_a_segment_that_stays(run, network, image, tmp_path):
    scan = read_volume(image)
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, :16], labels[:, 17:] = 7, 5
    write_mask(tmp_path / "a.seg.nrrd", labels, scan.ijk_to_ras, {7: "bone", 5: "kidney"})
    places = ["--start-from", tmp_path / "a.seg.nrrd", "-o", tmp_path / "m.seg.nrrd"]
    where = ["--coordinates", "ijk", "--point", "20,17,10", "--name", "kidney"]
    code, _, err = run("segment", image, *where, *places)
    assert code == 0, err
    mask = read_labels(tmp_path / "m.seg.nrrd").array_kji
    np.testing.assert_array_equal(mask[:, :16], 7)
    assert (mask[:, 16:] == 5).any()


@pytest.mark.parametrize(
    ("named", "name"),
    [([], "kidney"), (["--name", "cyst"], "cyst"), (["--name", "object"], "object")],
)
def test_a_single_segment_keeps_its_name_unless_another_is_given(
    run, network, image, tmp_path, named, name
):
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, 8:12] = 4
    old, new = tmp_path / "old.seg.nrrd", tmp_path / "new.seg.nrrd"
    write_mask(old, labels, read_volume(image).ijk_to_ras, {4: "kidney"})
    point = ["--coordinates", "ijk", "--point", "4,10,4", *named]
    code, out, err = run("segment", image, *point, "--start-from", old, "-o", new, "--json")
    assert code == 0, err
    assert [found["name"] for found in json.loads(out)["objects"]] == [name]
    assert segment_names(new) == {4: name}


def test_a_label_that_no_mask_holds_is_left_out_and_said(run, network, image, tmp_path):
    labels = np.zeros(SHAPE, np.int32)
    labels[:, 2:6], labels[:, 8:12], labels[:, 14:18] = 1, 70000, -3
    array = sitk.GetImageFromArray(labels)
    array.CopyInformation(sitk.ReadImage(str(image)))
    array.SetMetaData("Segment0_LabelValue", "1")
    array.SetMetaData("Segment0_Name", "liver")
    sitk.WriteImage(array, str(tmp_path / "a.seg.nrrd"))
    places = ["--start-from", tmp_path / "a.seg.nrrd", "-o", tmp_path / "m.nrrd"]
    point = ["--coordinates", "ijk", "--point", "4,4,4", "--name", "liver"]
    code, _, err = run("segment", image, *point, *places)
    assert code == 0
    assert "-3 and 70000 of a.seg.nrrd will not be in the mask, which holds labels from 1 to" in err
    assert set(np.unique(read_labels(tmp_path / "m.nrrd").array_kji)) == {0, 1}


def test_without_names_labels_are_the_objects_in_order(start, go_on, tmp_path):
    plain = tmp_path / "start.nii.gz"
    sitk.WriteImage(sitk.ReadImage(str(start)), str(plain))
    _, mask = go_on(plain, [("x", 1), ("y", 2), ("z", 3)])
    slabs = read_labels(start).array_kji
    assert all((mask[slabs == label] == label).mean() > 0.5 for label in (1, 2, 3))


@pytest.mark.parametrize(
    ("objects", "there", "names", "told"),
    [
        (("a", "b"), [1, 2, 5], {}, "holds the labels 1, 2 and 5 and there are 2 objects"),
        (("a", "b"), [7], {}, "holds the label 7 and there are 2 objects"),
        (("a",), [1, 2], {}, "holds the labels 1 and 2 and there is one object"),
        (("livr", "spln"), [1, 2], {1: "liver", 2: "spleen"}, "no segment called livr or spln"),
        (("object",), [1, 2], {1: "liver", 2: "spleen"}, "but liver and spleen; name the objects"),
        (("liver", "Liver"), [1, 2], {1: "liver", 2: "spleen"}, "several objects for the segment"),
        (("liver",), [1, 2], {1: "liver", 2: "liver"}, "several segments called 'liver'"),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_sentence(objects, there, names, told):
    with pytest.raises(InputError, match=told):
        share_out(objects, there, names, "start.nrrd")


@pytest.mark.parametrize(
    ("objects", "there", "names", "whose"),
    [
        (("a",), [7], {}, [7]),
        (("a",), [7], {7: "liver"}, [7]),
        (("a", "b"), [2], {}, [None, 2]),
        (("object 1", "object 2"), [1, 2], {1: "Segment_1", 2: "Segment_2"}, [1, 2]),
        (("spleen", "b"), [1, 2, 9], {1: "liver", 2: " SPLEEN "}, [2, None]),
    ],
)
def test_what_is_whose(objects, there, names, whose):
    assert share_out(objects, there, names, "start.nrrd") == whose


@pytest.mark.parametrize("options", [[], ["--largest", "--fill-holes"]])
def test_a_point_that_agrees_changes_nothing_and_that_is_said(go_on, start, options):
    summary, mask = go_on(start, [("liver", 1)], *options)
    np.testing.assert_array_equal(mask, read_labels(start).array_kji)
    assert "liver: the points agree with the mask that it started from, so it is unchanged." in (
        " ".join(summary["notes"])
    )


@pytest.mark.parametrize(
    ("option", "tidy"),
    [(["--largest"], "crumb"), (["--fill-holes"], "hole"), (["--smooth", "1"], "crumb hole")],
)
def test_what_is_asked_for_tidies_all_of_the_mask_though_the_point_agrees(
    go_on, image, tmp_path, option, tidy
):
    ragged = np.zeros(SHAPE, np.uint8)
    ragged[4:20, 2:12, 4:30] = 1
    ragged[10, 7, 20], ragged[10, 20, 20] = 0, 1
    path = tmp_path / "ragged.nrrd"
    write_mask(path, ragged, read_volume(image).ijk_to_ras)
    summary, mask = go_on(path, [("liver", 1)], *option)
    assert (mask[10, 7, 20] == 1) == ("hole" in tidy)
    assert (mask[10, 20, 20] == 0) == ("crumb" in tidy)
    assert (mask[8:16, 4:6, 8:26] == 1).all()
    assert "agree" not in " ".join(summary["notes"])


def test_pieces_without_a_point_stay_in_a_mask_to_start_from_unless_asked_for(
    go_on, image, tmp_path
):
    slabs = np.zeros(SHAPE, np.uint8)
    slabs[:, 2:6], slabs[:, 20:24] = 1, 1
    write_mask(tmp_path / "slabs.nrrd", slabs, read_volume(image).ijk_to_ras)
    for options in ([], ["--no-largest"]):
        _, mask = go_on(tmp_path / "slabs.nrrd", [("liver", 1)], *options)
        np.testing.assert_array_equal(mask, slabs)


def test_beyond_the_region_nothing_is_tidied(go_on, image, tmp_path):
    ragged = np.zeros(SHAPE, np.uint8)
    ragged[2:20, 2:12, 2:30], ragged[10, 20, 20], ragged[10, 36, 20] = 1, 1, 1
    path = tmp_path / "ragged.nrrd"
    write_mask(path, ragged, read_volume(image).ijk_to_ras)
    region = ["--coordinates", "ijk", "--roi", "0,0,0,35,30,23"]
    _, mask = go_on(path, [("liver", 1)], "--largest", *region)
    assert (mask[10, 20, 20], mask[10, 36, 20]) == (0, 1)


def test_a_point_that_changes_the_mask_is_no_reason_for_words(run, network, image, start, tmp_path):
    places = ["--start-from", start, "--json", "-o", tmp_path / "m.nii.gz"]
    code, out, err = run("segment", image, "--point", "-10,0,30", "--name", "liver", *places)
    assert code == 0, err
    assert "agree" not in " ".join(json.loads(out)["notes"])
