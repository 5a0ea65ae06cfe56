import json

import numpy as np
import pytest

from fastsam3d.errors import InputError
from fastsam3d.points import (
    Point,
    Target,
    check_given,
    check_targets,
    in_ras,
    parse_point,
    read_targets,
)
from fastsam3d.region import parse_region

SHAPE = (20, 30, 40)
AFFINE = np.array([[-2.0, 0, 0, 50], [0, -1, 0, 10], [0, 0, 3, -20], [0, 0, 0, 1]])


def save(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def markup(*points, **kwargs):
    controls = [{"position": p, "positionStatus": "defined", **more} for p, more in points]
    return {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": controls, **kwargs}


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("1,2,3", Point((1, 2, 3))),
        ("-1.5, 2e1,-3", Point((-1.5, 20, -3))),
        ("1,2,3,out", Point((1, 2, 3), positive=False)),
        ("1,2,3,in", Point((1, 2, 3))),
    ],
)
def test_a_point_is_read_from_the_command_line(text, point):
    assert parse_point(text) == point


@pytest.mark.parametrize(
    "text", ["a,2,3", "1,2", "1,2,3,4", "1,2,3,outside", "nan,1,2", "1,inf,2", ""]
)
def test_a_point_that_is_no_number_is_refused(text):
    with pytest.raises(InputError, match="not three numbers"):
        parse_point(text)


def test_a_list_of_slicer_is_read_as_slicer_has_it(tmp_path):
    slicer = pytest.importorskip("slicer", reason="Needs slicer-core.")
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "liver")
    storage = slicer.vtkMRMLMarkupsJsonStorageNode()
    scene.AddNode(storage)
    node.AddControlPoint(10, -20, 30)
    node.AddControlPoint(1, 2, 3)
    node.SetNthControlPointDescription(1, "out: the stomach")
    path = tmp_path / "liver.mrk.json"
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    (target,) = read_targets(path)
    expected = (Point((10, -20, 30)), Point((1, 2, 3), positive=False))
    assert in_ras(target, AFFINE) == Target("liver", expected)


@pytest.mark.parametrize("label", ["out", "Exclude-1", "negative 3", "BACKGROUND"])
def test_a_label_or_description_marks_an_exclude_point(tmp_path, label):
    listed = markup(([0, 0, 0], {"label": label}), ([0, 0, 0], {"description": label}))
    (target,) = read_targets(save(tmp_path / "a.mrk.json", {"markups": [listed]}))
    assert [point.positive for point in target.points] == [False, False]


@pytest.mark.parametrize("label", ["F-1", "outlet", "not out", ""])
def test_other_labels_do_not(tmp_path, label):
    path = save(tmp_path / "a.mrk.json", {"markups": [markup(([0, 0, 0], {"label": label}))]})
    assert read_targets(path)[0].points[0].positive


def test_several_lists_are_several_objects(tmp_path):
    lists = [
        markup(([1, 2, 3], {}), name="liver"),
        markup(
            ([1, 2, 3], {}), ([9, 9, 9], {"positionStatus": "undefined"}), coordinateSystem="RAS"
        ),
    ]
    targets = [
        in_ras(t, AFFINE) for t in read_targets(save(tmp_path / "a.mrk.json", {"markups": lists}))
    ]
    assert targets == [Target("liver", (Point((-1, -2, 3)),)), Target("a 2", (Point((1, 2, 3)),))]


def test_our_file_holds_several_objects_and_says_its_coordinates(tmp_path):
    objects = [
        {"name": "liver", "points": [[1, 2, 3], [4, 5, 6, "out"]]},
        {"points": [[0, 0, 0]]},
    ]
    path = save(tmp_path / "a.json", {"coordinates": "ijk", "objects": objects})
    liver, other = (in_ras(target, AFFINE) for target in read_targets(path))
    assert liver.points == (Point((48, 8, -11)), Point((42, 5, -2), positive=False))
    assert other == Target("object 2", (Point((50, 10, -20)),))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([1, 2], "neither"),
        ({"objects": [{"name": "liver"}]}, 'no list of "points"'),
        ({"objects": [{"points": [[1, "x", 3]]}]}, "not three numbers"),
        ({"objects": [{"points": [7]}]}, "not three numbers"),
        ({"markups": [{}]}, 'no "controlPoints"'),
        ({"markups": [{"controlPoints": [7]}]}, "point 7 of a.json is none"),
        ({"markups": [markup(([1, 2, 3], {}), coordinateUnits="um")]}, "in mm"),
        ({"markups": [markup(([1, 2, 3], {}), coordinateSystem="IJK")]}, "LPS or RAS"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, content, told):
    with pytest.raises(InputError, match=told):
        read_targets(save(tmp_path / "a.json", content))


def test_a_file_that_is_not_there_or_no_json_is_refused(tmp_path):
    with pytest.raises(InputError, match="no points file"):
        read_targets(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="no JSON"):
        read_targets(tmp_path / "a.json")


def test_no_points_and_only_exclude_points_are_refused():
    with pytest.raises(InputError, match="no points"):
        check_given([Target("liver", ())])
    with pytest.raises(InputError, match="liver has only exclude points"):
        check_given([Target("liver", (Point((0, 0, 0), positive=False),))])


@pytest.mark.parametrize("voxel_ijk", [(-0.4, 0, 0), (39.4, 29.4, 19.4)])
def test_a_point_in_a_border_voxel_is_inside(voxel_ijk):
    check_targets([in_ras(Target("a", (Point(voxel_ijk),), "ijk"), AFFINE)], SHAPE, AFFINE)


@pytest.mark.parametrize("voxel_ijk", [(-0.6, 0, 0), (39.6, 0, 0), (0, 29.6, 0), (0, 0, 19.6)])
def test_a_point_outside_is_refused_with_where_the_volume_is(voxel_ijk):
    (point,) = in_ras(Target("a", (Point(voxel_ijk),), "ijk"), AFFINE).points
    target = Target("a", (Point(point.position),))
    with pytest.raises(InputError, match=r"R -28.0 to 50.0, A -19.0 to 10.0, S -20.0 to 37.0 mm"):
        check_targets([target], SHAPE, AFFINE)


def test_a_point_meant_in_lps_is_recognised():
    with pytest.raises(InputError, match="--coordinates lps"):
        check_targets([Target("a", (Point((-40, -5, 0)),))], SHAPE, AFFINE)


@pytest.mark.parametrize("space", ["ras", "lps", "ijk"])
def test_a_region_is_the_voxels_between_its_corners(space):
    text = {"ras": "40,0,-14,10,8,-5", "lps": "-40,0,-14,-10,-8,-5", "ijk": "5,2,2,20,10,5"}[space]
    assert parse_region(text, space, SHAPE, AFFINE) == (slice(2, 6), slice(2, 11), slice(5, 21))


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5,x", "900,0,0,910,1,1"])
def test_a_region_that_holds_nothing_is_refused(text):
    with pytest.raises(InputError, match=r"(Region|Point) '"):
        parse_region(text, "ras", SHAPE, AFFINE)
