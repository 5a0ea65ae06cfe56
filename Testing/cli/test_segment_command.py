import json

import numpy as np
import pytest
import SimpleITK as sitk

from fastsam3d import segment as segment_module
from fastsam3d.images import read_labels, read_volume
from fastsam3d.masks import MASK_SUFFIXES
from fastsam3d.metrics import dice
from fastsam3d.session import Session


def test_a_point_gives_a_mask_where_it_was_on_the_grid_of_the_image(run, network, image, tmp_path):
    code, out, _ = run("segment", image, "--point", "-10,0,30", "-o", tmp_path / "m.nii.gz")
    assert code == 0
    scan, mask = read_volume(image), read_labels(tmp_path / "m.nii.gz")
    np.testing.assert_allclose(mask.ijk_to_ras, scan.ijk_to_ras, atol=1e-5)
    centre = np.argwhere(mask.array_kji).mean(axis=0)[::-1]
    np.testing.assert_allclose(mask.ijk_to_ras @ (*centre, 1), (-10, 0, 30, 1), atol=1.5)
    volume_ml = mask.array_kji.sum() * 4.5 / 1000
    assert f"{volume_ml:.2f} mL" in out
    assert "0.90" in out


@pytest.mark.parametrize("form", [["--point=-10,-5,30"], ["--point", "-10,-5,30"]])
@pytest.mark.parametrize("last", [["--point", "-30,-5,30,out"], ["--point=-30,-5,30,out"]])
def test_negative_coordinates_work_with_and_without_an_equals_sign(
    run, network, image, tmp_path, form, last
):
    code, out, _ = run("segment", image, *form, *last, "--json", "-o", tmp_path / "m.nrrd")
    assert code == 0
    (found,) = json.loads(out)["objects"]
    assert found["clicks"] == 2


@pytest.mark.parametrize(
    ("coordinates", "point"), [("ras", "-10,1,30"), ("lps", "10,-1,30"), ("ijk", "20,16,10")]
)
def test_coordinates_say_what_a_point_means(run, network, image, tmp_path, coordinates, point):
    where = ["--coordinates", coordinates, "-o", tmp_path / "m.nrrd"]
    assert run("segment", image, "--point", point, *where)[0] == 0
    assert run("segment", image, "--point=-10,1,30", "-o", tmp_path / "n.nrrd")[0] == 0
    masks = [read_labels(tmp_path / name).array_kji for name in ("m.nrrd", "n.nrrd")]
    np.testing.assert_array_equal(*masks)


def test_a_points_file_of_two_objects_gives_two_labels(run, network, image, tmp_path):
    points = tmp_path / "points.json"
    objects = [
        {"name": "left", "points": [[-10, 0, 30]]},
        {"name": "right [small]", "points": [[8, -20, 40], [9, -20, 40]]},
    ]
    points.write_text(json.dumps({"objects": objects}))
    code, out, _ = run(
        "segment", image, "--points", points, "--json", "-o", tmp_path / "m.seg.nrrd"
    )
    assert code == 0
    summary = json.loads(out)
    labels = read_labels(tmp_path / "m.seg.nrrd").array_kji
    assert [found["name"] for found in summary["objects"]] == ["left", "right [small]"]
    for found in summary["objects"]:
        assert found["voxels"] == (labels == found["label"]).sum() > 300
        assert found["volume_ml"] == pytest.approx(found["voxels"] * 4.5 / 1000, abs=1e-3)
    header = sitk.ReadImage(str(tmp_path / "m.seg.nrrd"))
    assert header.GetMetaData("Segment1_Name") == "right [small]"


def test_a_picture_is_written_beside_the_mask(run, network, image, tmp_path):
    wanted = ["-o", tmp_path / "m.nrrd", "--preview", tmp_path / "m.png"]
    assert run("segment", image, "--point", "-10,0,30", *wanted)[0] == 0
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


def test_a_region_is_not_left(run, network, image, tmp_path):
    region = ["--coordinates", "ijk", "--roi", "18,15,8,22,19,12"]
    code, _, _ = run("segment", image, "--point", "20,17,10", *region, "-o", tmp_path / "m.nrrd")
    voxels = np.argwhere(read_labels(tmp_path / "m.nrrd").array_kji)
    assert code == 0
    assert voxels.min(axis=0).tolist() == [8, 15, 18]
    assert voxels.max(axis=0).tolist() == [12, 19, 22]


def test_a_full_device_is_left_for_the_cpu_and_that_is_said(
    run, similar_network, image, tmp_path, monkeypatch
):
    class FullNetwork(similar_network):
        def embed_patch(self, patch):
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def open_network(preset, checkpoint, device, *, ct_clamp, postprocessing):
        full = device != "cpu"
        network = FullNetwork() if full else similar_network()
        return lambda *volume: Session(network, *volume), "cuda:0" if full else "cpu"

    monkeypatch.setattr(segment_module, "open_network", open_network)
    code, out, _ = run("segment", image, "--point", "-10,0,30", "--json", "-o", tmp_path / "m.nrrd")
    assert code == 0
    assert json.loads(out)["device"] == "cpu"
    assert json.loads(out)["notes"] == ["The memory of cuda:0 is full; continued on the CPU."]


def test_a_full_computer_is_told_in_one_sentence(
    run, similar_network, image, tmp_path, monkeypatch
):
    class FullNetwork(similar_network):
        def embed_patch(self, patch):
            raise MemoryError

    opened = lambda *volume: Session(FullNetwork(), *volume)  # noqa: E731
    monkeypatch.setattr(segment_module, "open_network", lambda *_, **__: (opened, "cpu"))
    code, _, err = run("segment", image, "--point", "-10,0,30", "-o", tmp_path / "m.nrrd")
    assert code == 2
    assert "memory is full" in err


@pytest.mark.slow
def test_a_process_segments_a_scan_with_the_default_weights(
    default_weights, process, image, tmp_path
):
    arguments = ["--point", "-10,0,30", "--point", "8,-20,40,out", "--device", "cpu", "--json"]
    done = process("segment", image, *arguments, "-o", tmp_path / "m.nii.gz")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["objects"]
    mask = read_labels(tmp_path / "m.nii.gz").array_kji
    truth = read_volume(image).array_kji > 50
    truth[:, 25:], truth[:, :, :11] = False, False
    assert found["voxels"] == mask.sum()
    assert dice(mask > 0, truth) > 0.7


@pytest.mark.parametrize(
    ("said", "asked", "told"),
    [("ras", "lps", True), ("ras", "ras", False), (None, "ras", False), ("ras", None, False)],
)
def test_that_a_points_file_has_coordinates_of_its_own_is_said(
    run, network, image, tmp_path, said, asked, told
):
    content = {"objects": [{"points": [[-10, 0, 30]]}]} | ({"coordinates": said} if said else {})
    (tmp_path / "clicks.json").write_text(json.dumps(content))
    given = ["--coordinates", asked] if asked else []
    places = ["--points", tmp_path / "clicks.json", "-o", tmp_path / "m.nrrd"]
    code, _, err = run("segment", image, *places, *given)
    assert code == 0, err
    sentence = "clicks.json itself says ras, so --coordinates lps is not for it."
    assert (sentence in err) == told


def test_the_help_names_each_kind_of_file_that_can_be_written(run):
    _, out, _ = run("segment", "--help")
    assert all(suffix in out for suffix in MASK_SUFFIXES)
