import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk

from fastsam3d.batch import RESULTS, read_jobs, run_jobs
from fastsam3d.errors import InputError
from fastsam3d.images import read_labels
from fastsam3d.segment import Engine

SHAPE = (10, 20, 20)


class BoxSession:
    """Takes the 3 x 3 x 3 voxels round each include point."""

    confidence = 0.5

    def __init__(self, volume_kji, ijk_to_ras):
        self.ras_to_ijk = np.linalg.inv(ijk_to_ras)
        self.mask = np.zeros(volume_kji.shape, bool)
        self.message = ""

    def reset(self):
        self.mask = np.zeros_like(self.mask)

    def uncertainty(self):
        return 0.125

    def click(self, point, *, positive=True, space="ras"):
        i, j, k = np.rint(self.ras_to_ijk @ (*point, 1)).astype(int)[:3]
        self.mask[k - 1 : k + 2, j - 1 : j + 2, i - 1 : i + 2] = positive


@pytest.fixture
def opened():
    return []


@pytest.fixture
def engine(opened):
    def open_session(volume_kji, ijk_to_ras):
        opened.append(volume_kji.shape)
        return BoxSession(volume_kji, ijk_to_ras)

    return Engine(_open=open_session, place="cpu")


@pytest.fixture
def manifest(tmp_path):
    lines = ["case,image,points"]
    for case in ("one", "two", "three"):
        array = np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{case}.nrrd"))
        lines.append(f"{case},{case}.nrrd,{case}.json")
        points = {"objects": [{"name": f"organ {case}", "points": [[-10, -10, 5]]}]}
        (tmp_path / f"{case}.json").write_text(json.dumps(points))
    lines.append("unlabelled,one.nrrd,")
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(lines))
    return path


def test_every_row_with_points_gets_a_mask_and_a_line(manifest, engine, tmp_path):
    jobs = read_jobs(manifest, tmp_path / "out")
    results = run_jobs(jobs, engine)
    assert [result.case for result in results] == ["one", "two", "three"]
    assert read_labels(tmp_path / "out" / "two.nii.gz").array_kji.sum() == 27
    with (tmp_path / "out" / RESULTS).open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["object"] for line in lines] == ["organ one", "organ two", "organ three"]
    assert {line["voxels"] for line in lines} == {"27"}
    assert {(line["confidence"], line["uncertainty"]) for line in lines} == {("0.5", "0.125")}


def test_what_an_earlier_run_did_is_not_done_again(manifest, engine, opened, tmp_path):
    jobs = read_jobs(manifest, tmp_path / "out")
    first = run_jobs(jobs, engine)
    (tmp_path / "out" / "two.nii.gz").unlink()
    again = run_jobs(jobs, engine)
    assert len(opened) == 4
    assert [result.resumed for result in again] == [True, False, True]
    assert [r.objects[0].voxels for r in again] == [r.objects[0].voxels for r in first]


def test_a_bad_image_is_reported_and_the_rest_goes_on(manifest, engine, tmp_path):
    (tmp_path / "two.nrrd").write_text("hello")
    told = []
    results = run_jobs(read_jobs(manifest, tmp_path / "out"), engine, on_done=told.append)
    assert [bool(result.error) for result in results] == [False, True, False]
    assert told == results
    assert not (tmp_path / "out" / "two.nii.gz").exists()
    with (tmp_path / "out" / RESULTS).open(newline="") as file:
        notes = [line["note"] for line in csv.DictReader(file)]
    assert ["not an image" in note for note in notes] == [False, True, False]


def test_points_that_only_exclude_are_reported(manifest, engine, tmp_path):
    points = {"objects": [{"points": [[-10, -10, 5, "out"]]}]}
    (tmp_path / "two.json").write_text(json.dumps(points))
    results = run_jobs(read_jobs(manifest, tmp_path / "out"), engine)
    assert "only exclude points" in results[1].error


def test_weights_that_are_missing_are_told_once_and_nothing_is_written(manifest, tmp_path):
    engine = Engine(checkpoint=tmp_path / "absent.pth", device="cpu")
    with pytest.raises(InputError, match="no file of weights"):
        run_jobs(read_jobs(manifest, tmp_path / "out"), engine)
    assert not (tmp_path / "out").exists()


def test_a_manifest_without_points_is_refused(manifest, tmp_path):
    manifest.write_text("case,image\none,one.nrrd\n")
    with pytest.raises(InputError, match='column "points"'):
        read_jobs(manifest, tmp_path / "out")


@pytest.mark.parametrize("case", ["../one", "a/b", ".one"])
def test_a_case_that_would_leave_the_folder_is_refused(manifest, tmp_path, case):
    manifest.write_text(f"case,image,points\n{case},one.nrrd,one.json\n")
    with pytest.raises(InputError, match="cannot be a file's name"):
        read_jobs(manifest, tmp_path / "out")


def test_an_unknown_format_is_refused(manifest, tmp_path):
    with pytest.raises(InputError, match="expected one of"):
        read_jobs(manifest, tmp_path / "out", suffix=".png")
