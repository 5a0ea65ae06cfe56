"""A mask to go on from: which part of it is whose, and what is said if nothing changed."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from fastsam3d.errors import InputError
from fastsam3d.images import read_labels, read_volume
from fastsam3d.masks import write_mask
from fastsam3d.starting import share_out

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
    _, mask = go_on(start, [("Spleen", 2), ("aorta", 3), ("liver", 1)])
    slabs = read_labels(start).array_kji
    for label, slab in ((1, 2), (2, 3), (3, 1)):
        overlap = (mask == label) & (slabs == slab)
        assert overlap.sum() > 0.5 * (slabs == slab).sum()
        assert not ((mask == label) & (slabs != slab) & (slabs > 0)).any()


def test_what_is_whose_is_told_where_names_leave_something_over(go_on, start):
    summary, mask = go_on(start, [("spleen", 2), ("cyst", 1)])
    assert summary["notes"][:2] == [
        "cyst: nothing in start.seg.nrrd belongs to it; it starts from its points alone.",
        "liver and aorta of start.seg.nrrd got no points and will not be in the mask.",
    ]
    assert (mask[read_labels(start).array_kji == 2] == 1).mean() > 0.5


def test_of_a_single_object_one_segment_is_taken_not_all(run, network, image, start, tmp_path):
    places = ["--start-from", start, "-o", tmp_path / "m.nii.gz"]
    point = ["--coordinates", "ijk", "--point", "4,10,4", "--name", "spleen"]
    assert run("segment", image, *point, *places)[0] == 0
    slabs = read_labels(start).array_kji
    mask = read_labels(tmp_path / "m.nii.gz").array_kji > 0
    assert mask[slabs == 2].mean() > 0.5
    assert not mask[(slabs == 1) | (slabs == 3)].any()


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


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "unchanged."),
        (["--smooth", "2"], "unchanged, and --smooth did nothing: only what a point changes"),
        (["--largest", "--fill-holes"], "unchanged, and --largest and --fill-holes did nothing"),
    ],
)
def test_a_point_that_agrees_changes_nothing_and_that_is_said(go_on, start, options, told):
    summary, mask = go_on(start, [("liver", 1)], *options)
    np.testing.assert_array_equal(mask > 0, read_labels(start).array_kji == 1)
    assert f"liver: the points agree with the mask that it started from, so it is {told}" in (
        " ".join(summary["notes"])
    )


def test_a_point_that_changes_the_mask_is_no_reason_for_words(run, network, image, start, tmp_path):
    places = ["--start-from", start, "--json", "-o", tmp_path / "m.nii.gz"]
    code, out, err = run("segment", image, "--point", "-10,0,30", "--name", "liver", *places)
    assert code == 0, err
    assert "agree" not in " ".join(json.loads(out)["notes"])
