import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

SHAPE = (24, 40, 36)
LONG = "x" * 300 + ".nrrd"


def array_of(kind):
    array = np.random.default_rng(0).normal(0, 20, SHAPE).astype(np.float32)
    if kind == "NaN":
        array[3, 3, 3] = np.nan
    if kind == "infinite":
        array[3, 3, 3] = np.inf
    return np.full_like(array, 3) if kind == "constant" else array


def bad_image(kind, folder):
    path = folder / "bad.nrrd"
    if kind == "not an image":
        path.write_text("hello")
    if kind in ("no such file", "not an image"):
        return path
    image = sitk.GetImageFromArray(array_of(kind))
    if kind == "2D":
        image = image[:, :, 3]
    if kind == "several frames":
        image = sitk.JoinSeries([image, image])
    if kind == "RGB":
        image = sitk.Compose([sitk.Cast(image, sitk.sitkUInt8)] * 3)
    sitk.WriteImage(image, str(path))
    return path


BAD_IMAGES = {
    "no such file": "no file or folder",
    "2D": "2D image",
    "several frames": "several frames",
    "RGB": "colours",
    "NaN": "NaN or infinite",
    "infinite": "NaN or infinite",
    "constant": "is constant",
    "not an image": "not an image",
}


@pytest.mark.parametrize(("kind", "told"), BAD_IMAGES.items())
def test_a_bad_image_is_told_in_one_sentence_and_nothing_is_written(
    run, network, assert_refused, tmp_path, kind, told
):
    path = bad_image(kind, tmp_path)
    before = sorted(tmp_path.iterdir())
    result = run("segment", path, "--point", "0,0,0", "-o", tmp_path / "m.nii.gz")
    assert_refused(result, tmp_path, before, told)
    assert network == []


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_voxels_that_are_no_numbers_are_refused_in_every_format(
    run, network, assert_refused, tmp_path, suffix
):
    array = np.random.default_rng(0).random((8, 9, 10)).astype(np.float32)
    array[3, 4, 5] = np.nan
    path = tmp_path / f"bad{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    result = run("segment", path, "--point", "0,0,0", "-o", tmp_path / "m.nii.gz")
    assert_refused(result, tmp_path, [path], "1 NaN or infinite")


POINT = ["--point", "-10,0,30"]
MAP = [*POINT, "--uncertainty-map"]

BAD_ARGUMENTS = {
    "a point outside": (["--point", "500,0,30"], "lies outside the volume"),
    "only exclude points": (["--point", "-10,0,30,out"], "only exclude points"),
    "no points": ([], "no points"),
    "a point that is no number": (["--point", "-10,x,30"], "not three numbers"),
    "a points file that is not there": (["--points", "nowhere.json"], "no points file"),
    "voxels in another order": (
        ["--point", "12,30,33", "--coordinates", "ijk"],
        "was it meant as k,j,i?",
    ),
    "a voxel outside": (
        ["--point", "99,30,3", "--coordinates", "ijk"],
        "Voxel 99,30,3 (i,j,k) lies outside the volume (36 x 40 x 24 voxels); check it",
    ),
    "unknown coordinates": (["--point", "1,2,3", "--coordinates", "xyz"], "'xyz'"),
    "a name for points that have names": (
        ["--points", "a.json", "--name", "liver"],
        "name the objects in the points file",
    ),
    "both kinds of points": (["--point", "1,2,3", "--points", "a.json"], "one of the two"),
    "a region outside": ([*POINT, "--roi", "900,0,0,910,1,1"], "no voxel"),
    "a spacing of nothing": ([*POINT, "--spacing", "0"], "0.1 to 20"),
    "a surface that cannot be rounded so": ([*POINT, "--smooth", "-1"], "expected 0 to 10"),
    "a smoothing that is no number": ([*POINT, "--smooth", "nan"], "0 to 10"),
    "a mask to go on from that is not there": (
        [*POINT, "--start-from", "nowhere.nii.gz"],
        "no file or folder nowhere.nii.gz",
    ),
    "a map of another kind": ([*MAP, "a.png"], ".nii.gz or .nrrd"),
    "a map named as a segmentation": ([*MAP, "a.seg.nrrd"], "a map is no segmentation"),
    "a map where nothing can be written": ([*MAP, "nowhere/a.nrrd"], "Cannot write nowhere/a.nrrd"),
    "a series of a file": ([*POINT, "--series", "1"], "folder of DICOM files"),
    "a picture of another kind": ([*POINT, "--preview", "a.gif"], ".png"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_told_in_one_sentence_and_nothing_is_written(
    run, network, assert_refused, image, tmp_path, arguments, told
):
    before = sorted(tmp_path.iterdir())
    result = run("segment", image, *arguments, "-o", tmp_path / "m.nii.gz")
    assert_refused(result, tmp_path, before, told)
    assert network == []


@pytest.mark.parametrize(
    ("space", "point", "told"),
    [
        ("ras", [500, 0, 30], "check it, and the coordinates of clicks.json."),
        ("ras", [30, 0, 30], "was it meant in LPS (then say so in clicks.json)?"),
        ("ijk", [99, 30, 3], "check it, and the coordinates of clicks.json."),
    ],
)
@pytest.mark.parametrize("command", ["segment", "batch"])
def test_of_a_point_outside_the_file_is_named_that_has_it(
    run, network, image, tmp_path, space, point, told, command
):
    points = {"coordinates": space, "objects": [{"points": [point]}]}
    (tmp_path / "clicks.json").write_text(json.dumps(points))
    (tmp_path / "manifest.csv").write_text("case,image,points\nA,scan.nii.gz,clicks.json\n")
    asked = {
        "segment": [image, "--points", tmp_path / "clicks.json", "-o", tmp_path / "m.nrrd"],
        "batch": [tmp_path / "manifest.csv", "-o", tmp_path / "out"],
    }[command]
    code, _, err = run(command, *asked)
    assert code != 0
    assert told in err
    assert "--coordinates" not in err


@pytest.mark.parametrize("content", ['{"objects": []}', '{"objects": [{"points": []}]}'])
def test_a_points_file_without_points_is_named(
    run, network, assert_refused, image, tmp_path, content
):
    points = tmp_path / "points.json"
    points.write_text(content)
    result = run("segment", image, "--points", points, "-o", tmp_path / "m.nii.gz")
    assert_refused(result, tmp_path, [points, image], f"There are no points in {points}")
    assert network == []


@pytest.mark.parametrize(
    "name", ["m.jpg", "nowhere/m.nii.gz", "scan.nii.gz/m.nrrd", "scan.nii.gz", LONG]
)
def test_an_unwritable_output_is_told_before_the_network_is_loaded(
    run, network, assert_refused, image, tmp_path, name
):
    content = image.read_bytes()
    result = run("segment", image, "--point", "-10,0,30", "-o", tmp_path / name)
    assert_refused(result, tmp_path, [image], "")
    assert network == []
    assert image.read_bytes() == content


@pytest.mark.parametrize(
    ("map_name", "told"), [("m.nii.gz", "mask"), ("scan.nii.gz", "image"), ("s.nrrd", "mask")]
)
def test_a_map_replaces_neither_the_scan_nor_a_mask(
    run, network, assert_refused, image, tmp_path, map_name, told
):
    content = image.read_bytes()
    places = ["-o", tmp_path / "m.nii.gz", "--uncertainty-map", tmp_path / map_name]
    start = ["--start-from", tmp_path / "s.nrrd"]
    result = run("segment", image, "--point", "-10,0,30", *places, *start)
    assert_refused(result, tmp_path, [image], f"The map would replace the {told}")
    assert image.read_bytes() == content


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Needs /dev/full.")
def test_a_folder_that_takes_no_files_is_told(run, network, assert_refused, image, tmp_path):
    before = sorted(tmp_path.iterdir())
    result = run("segment", image, "--point", "-10,0,30", "-o", "/proc/m.nii.gz")
    assert_refused(result, tmp_path, before, "Cannot write")


def test_a_process_tells_bad_input_in_one_line_without_loading_torch(
    process, assert_refused, tmp_path
):
    path = bad_image("2D", tmp_path)
    done = process("segment", path, "--point", "-1,-2,3", "-o", tmp_path / "m.nii.gz")
    assert_refused((done.returncode, done.stdout, done.stderr), tmp_path, [path], "is a 2D image")


def test_a_damaged_file_is_told_by_a_process_without_noise_from_libraries(
    process, assert_refused, image, tmp_path
):
    image.write_bytes(image.read_bytes()[:-2000])
    done = process("segment", image, "--point", "-10,0,30", "-o", tmp_path / "m.nii.gz")
    assert_refused((done.returncode, done.stdout, done.stderr), tmp_path, [image], "cut short")
