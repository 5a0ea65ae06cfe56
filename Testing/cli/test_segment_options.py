import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import ndimage

from fastsam3d import segment as segment_module
from fastsam3d.config import PRESETS, ModelConfig
from fastsam3d.images import read_labels, read_volume
from fastsam3d.loading import build
from fastsam3d.metrics import dice
from fastsam3d.session import Session

SHAPE = (40, 50, 48)
TINY = ModelConfig(attention=("none",), heads=1, shortcut=False, width=8, embedding=48)


class BrightNetwork:
    """Finds all that is bright; cuts a ball of 8 cells out of the previous answer at each 'out'."""

    patch_size, mask_size = 128, 64

    def embed_patch(self, patch):
        return patch.reshape(64, 2, 64, 2, 64, 2).mean((1, 3, 5))

    def predict(self, embedding, points, labels, mask_logits):
        found = embedding > 50 if mask_logits is None else mask_logits > 0
        cells = np.stack(np.indices(found.shape), -1)
        for point, label in zip(np.asarray(points), labels, strict=True):
            if not label:
                found &= np.linalg.norm(cells - point / 2, axis=-1) > 8
        return np.where(found, 8, -8).astype(np.float32), 0.9


@pytest.fixture
def bright(monkeypatch):
    """Put the fake in the place of the network."""
    opened = lambda *volume: Session(BrightNetwork(), *volume)  # noqa: E731
    monkeypatch.setattr(segment_module, "open_network", lambda *_, **__: (opened, "cpu"))


@pytest.fixture
def organ(tmp_path):
    """Save a hollow ball of 15 mm at (-30, -30, 30) mm with a spike, and a ball of 6 mm apart."""
    z, y, x = np.indices(SHAPE) * 1.5
    away = np.sqrt((x - 30) ** 2 + (y - 30) ** 2 + (z - 30) ** 2)
    inside = (away < 15) & (away > 5)
    inside |= (abs(x - 30) < 2) & (abs(z - 30) < 2) & (y > 40) & (y < 60)
    inside |= (x - 61) ** 2 + (y - 62) ** 2 + (z - 12) ** 2 < 36
    scan = sitk.GetImageFromArray((100 * inside).astype(np.int16))
    scan.SetSpacing((1.5, 1.5, 1.5))
    path = tmp_path / "organ.nrrd"
    sitk.WriteImage(scan, str(path))
    return path


@pytest.fixture
def start(organ, tmp_path):
    """Save a function that writes a mask to go on from, on the grid of the scan."""

    def start(labels, name="start.nii.gz"):
        mask = sitk.GetImageFromArray(labels.astype(np.uint8))
        mask.CopyInformation(sitk.ReadImage(str(organ)))
        sitk.WriteImage(mask, str(tmp_path / name))
        return tmp_path / name

    return start


@pytest.fixture
def segmented(run, bright, organ, tmp_path):
    """Segment the organ with options; returns its mask."""

    def segmented(*options):
        places = ["--point", "-42,-30,30", "--spacing", "0.7", "-o", tmp_path / "m.nrrd"]
        code, _, err = run("segment", organ, *places, *options)
        assert code == 0, err
        return read_labels(tmp_path / "m.nrrd").array_kji > 0

    return segmented


def test_all_of_the_answer_is_kept_where_that_is_asked_for(segmented):
    mask = segmented("--no-largest")
    assert ndimage.label(mask)[1] == 2
    assert not mask[20, 20, 20]


@pytest.mark.parametrize("options", [[], ["--largest"]])
def test_only_the_pieces_with_a_point_on_the_object_are_kept(segmented, options):
    mask = segmented(*options)
    assert ndimage.label(mask)[1] == 1
    assert mask[20, 20, 28]
    assert not mask[20, 20, 20]


def test_cavities_are_filled(segmented):
    assert segmented("--fill-holes")[20, 20, 20]


def test_the_surface_is_rounded(segmented):
    spike = (20, 38, 20)
    assert segmented()[spike]
    smooth = segmented("--smooth", "2", "--fill-holes")
    assert not smooth[spike]
    assert smooth[20, 20, 28]


def test_a_mask_to_go_on_from_is_kept_where_no_point_changes_it(segmented, start):
    labels = np.zeros(SHAPE)
    labels[10:30, 10:30, 10:40] = 7
    mask = segmented("--start-from", start(labels), "--point", "-57,-30,30,out")
    assert mask.sum() < (labels > 0).sum()
    assert not mask[20, 20, 38]
    assert mask[20, 20, 14]
    assert not (mask & (labels == 0)).any()


def test_several_objects_go_on_from_their_labels(run, bright, organ, start, tmp_path):
    labels = np.zeros(SHAPE)
    labels[10:30, 10:30, 10:30] = 2
    points = (
        {"name": "none", "points": [[-42, -30, 30]]},
        {"points": [[-30, -30, 42], [-18, -30, 30, "out"]]},
    )
    (tmp_path / "points.json").write_text(json.dumps({"objects": points}))
    options = ["--points", tmp_path / "points.json", "--start-from", start(labels), "--json"]
    code, out, err = run("segment", organ, *options, "-o", tmp_path / "m.nrrd")
    assert code == 0, err
    first, second = json.loads(out)["objects"]
    found = read_labels(tmp_path / "m.nrrd").array_kji
    assert first["voxels"] == (found == 1).sum() > 0
    assert second["voxels"] == (found == 2).sum() > 0
    assert (labels[found == 2] == 2).all()


def test_a_mask_may_be_changed_in_its_own_file(segmented, start, tmp_path):
    labels = np.zeros(SHAPE)
    labels[10:30, 10:30, 10:40] = 1
    same = start(labels, "m.nrrd")
    mask = segmented("--start-from", same, "--point", "-57,-30,30,out")
    assert 0 < mask.sum() < labels.sum()


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.zeros(SHAPE), "holds no voxel to go on from"),
        (np.ones((40, 50, 47)), "47 x 50 x 40 voxels"),
        (np.ones((50, 48)), "2D image"),
    ],
    ids=["empty", "another grid", "2D"],
)
def test_a_mask_that_does_not_belong_to_the_scan_is_refused(
    run, network, assert_refused, organ, tmp_path, labels, told
):
    mask = sitk.GetImageFromArray(labels.astype(np.uint8))
    mask.SetSpacing((1.5,) * labels.ndim)
    sitk.WriteImage(mask, str(tmp_path / "start.nrrd"))
    before = sorted(tmp_path.iterdir())
    places = ["--start-from", tmp_path / "start.nrrd", "-o", tmp_path / "m.nrrd"]
    result = run("segment", organ, "--point", "-42,-30,30", *places)
    assert_refused(result, tmp_path, before, told)
    assert network == []


def test_a_mask_moved_against_the_scan_is_refused(
    run, network, assert_refused, organ, start, tmp_path
):
    moved = sitk.ReadImage(str(start(np.ones(SHAPE))))
    moved.SetOrigin((0, 0, 3))
    sitk.WriteImage(moved, str(tmp_path / "start.nii.gz"))
    before = sorted(tmp_path.iterdir())
    places = ["--start-from", tmp_path / "start.nii.gz", "-o", tmp_path / "m.nrrd"]
    result = run("segment", organ, "--point", "-42,-30,30", *places)
    assert_refused(result, tmp_path, before, "not on the grid of organ.nrrd")


def test_exclude_points_alone_are_enough_where_there_is_a_mask(run, bright, organ, start, tmp_path):
    labels = np.zeros(SHAPE)
    labels[10:30, 10:30, 10:30] = 1
    options = ["--point", "-42,-30,30,out", "--start-from", start(labels)]
    code, _, err = run("segment", organ, *options, "-o", tmp_path / "m.nrrd")
    assert code == 0, err
    mask = read_labels(tmp_path / "m.nrrd").array_kji > 0
    assert not mask[20, 20, 28]
    assert 0.5 * labels.sum() < mask.sum() < labels.sum()


def test_no_points_are_refused_though_there_is_a_mask(
    run, network, assert_refused, organ, start, tmp_path
):
    points = {"objects": [{"points": [[-42, -30, 30]]}, {"name": "spare", "points": []}]}
    (tmp_path / "points.json").write_text(json.dumps(points))
    labels = np.ones(SHAPE)
    options = ["--points", tmp_path / "points.json", "--start-from", start(labels)]
    before = sorted(tmp_path.iterdir())
    result = run("segment", organ, *options, "-o", tmp_path / "m.nrrd")
    assert_refused(result, tmp_path, before, "spare has no points")
    assert network == []


@pytest.mark.parametrize("name", ["map.nii.gz", "map.nrrd"])
def test_the_map_says_how_likely_each_voxel_is(segmented, organ, tmp_path, name):
    mask = segmented("--no-largest", "--uncertainty-map", tmp_path / name)
    likely = read_volume(tmp_path / name)
    np.testing.assert_allclose(likely.ijk_to_ras, read_volume(organ).ijk_to_ras, atol=1e-5)
    assert likely.array_kji.dtype == np.float32
    assert likely.array_kji.min() >= 0
    assert 0.99 < likely.array_kji.max() <= 1
    assert dice(likely.array_kji > 0.5, mask) > 0.95


def test_confidence_and_uncertainty_are_told(run, bright, organ, tmp_path):
    asked = ["segment", organ, "--point", "-42,-30,30", "-o", tmp_path / "m.nrrd"]
    _, out, _ = run(*asked, "--json")
    (found,) = json.loads(out)["objects"]
    assert found["confidence"] == 0.9
    assert 0 < found["uncertainty"] < 0.2
    _, out, _ = run(*asked)
    assert "uncertainty" in out
    assert f"{found['uncertainty']:.2f}" in out


@pytest.mark.parametrize(("brightest", "differs"), [(900, False), (3000, True)])
def test_the_clamp_of_ct_changes_what_the_network_sees_beyond_it(
    run, organ, tmp_path, monkeypatch, brightest, differs
):
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    torch.manual_seed(0)
    torch.save(build(TINY).state_dict(), tmp_path / "tiny.pth")
    scan = sitk.ReadImage(str(organ))
    sitk.WriteImage(scan * (brightest / 100), str(organ))
    network = ["--preset", "tiny", "--checkpoint", tmp_path / "tiny.pth", "--device", "cpu"]
    maps = []
    for options in ([], ["--ct-clamp"]):
        places = ["-o", tmp_path / "m.nrrd", "--uncertainty-map", tmp_path / "map.nrrd"]
        code, _, err = run("segment", organ, "--point", "-42,-30,30", *places, *network, *options)
        assert code == 0, err
        maps.append(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "map.nrrd"))))
    assert np.array_equal(*maps) != differs
