import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

import fastsam3d
from fastsam3d import segment as segment_module
from fastsam3d import store
from fastsam3d.cli import main
from fastsam3d.errors import InputError
from fastsam3d.images import read_labels, read_volume
from fastsam3d.metrics import dice
from fastsam3d.session import Session

SHAPE = (24, 40, 36)


class SimilarNetwork:
    """Finds what hangs together with an include point, has its intensity, and no exclude point."""

    patch_size, mask_size = 128, 64

    def embed_patch(self, patch):
        return patch.reshape(64, 2, 64, 2, 64, 2).mean((1, 3, 5))

    def predict(self, embedding, points, labels, mask_logits):
        cells = np.clip(np.rint((np.asarray(points) - 0.5) / 2).astype(int), 0, 63)
        found = np.zeros((64,) * 3, bool)
        for cell, label in zip(cells, labels, strict=True):
            similar, _ = ndimage.label(np.abs(embedding - embedding[tuple(cell)]) < 40)
            if label:
                found |= similar == similar[tuple(cell)]
        for cell, label in zip(cells, labels, strict=True):
            pieces, _ = ndimage.label(found)
            if not label and found[tuple(cell)]:
                found &= pieces != pieces[tuple(cell)]
        return np.where(found, 8, -8).astype(np.float32), 0.9


@pytest.fixture
def network(monkeypatch):
    """Put the fake in the place of the network; returns the devices asked for."""
    asked = []

    def open_network(preset, checkpoint, device):
        asked.append(device)
        return lambda *volume: Session(SimilarNetwork(), *volume), "cpu"

    monkeypatch.setattr(segment_module, "open_network", open_network)
    return asked


@pytest.fixture
def image(tmp_path):
    """Save a scan with a ball of 9 mm at (-10, 0, 30) mm and one of 7 mm at (8, -20, 40)."""
    z, y, x = (n * mm for n, mm in zip(np.indices(SHAPE), (2, 1.5, 1.5), strict=True))
    array = np.random.default_rng(0).normal(0, 5, SHAPE).astype(np.float32)
    array += 100 * ((x - 30) ** 2 + (y - 25) ** 2 + (z - 20) ** 2 < 81)
    array += 100 * ((x - 12) ** 2 + (y - 45) ** 2 + (z - 30) ** 2 < 49)
    scan = sitk.GetImageFromArray(array)
    scan.SetSpacing((1.5, 1.5, 2.0))
    scan.SetOrigin((-20.0, -25.0, 10.0))
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(scan, str(path))
    return path


@pytest.fixture
def run(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def process(*arguments):
    """Run the command as a process of its own."""
    model = Path(fastsam3d.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-m", "fastsam3d", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(model), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


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


def test_a_full_device_is_left_for_the_cpu_and_that_is_said(run, image, tmp_path, monkeypatch):
    class FullNetwork(SimilarNetwork):
        def embed_patch(self, patch):
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def open_network(preset, checkpoint, device):
        full = device != "cpu"
        network = FullNetwork() if full else SimilarNetwork()
        return lambda *volume: Session(network, *volume), "cuda:0" if full else "cpu"

    monkeypatch.setattr(segment_module, "open_network", open_network)
    code, out, _ = run("segment", image, "--point", "-10,0,30", "--json", "-o", tmp_path / "m.nrrd")
    assert code == 0
    assert json.loads(out)["device"] == "cpu"
    assert json.loads(out)["notes"] == ["The memory of cuda:0 is full; continued on the CPU."]


def test_a_full_computer_is_told_in_one_sentence(run, image, tmp_path, monkeypatch):
    class FullNetwork(SimilarNetwork):
        def embed_patch(self, patch):
            raise MemoryError

    opened = lambda *volume: Session(FullNetwork(), *volume)  # noqa: E731
    monkeypatch.setattr(segment_module, "open_network", lambda *_: (opened, "cpu"))
    code, _, err = run("segment", image, "--point", "-10,0,30", "-o", tmp_path / "m.nrrd")
    assert code == 2
    assert "memory is full" in err


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


def assert_refused(result, folder, before, told):
    code, out, err = result
    assert code == 2
    assert out == ""
    assert err.startswith("fastsam3d: ")
    assert err.count("\n") == 1
    assert told in err
    assert sorted(folder.iterdir()) == before


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
    run, network, tmp_path, kind, told
):
    path = bad_image(kind, tmp_path)
    before = sorted(tmp_path.iterdir())
    result = run("segment", path, "--point", "0,0,0", "-o", tmp_path / "m.nii.gz")
    assert_refused(result, tmp_path, before, told)
    assert network == []


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_voxels_that_are_no_numbers_are_refused_in_every_format(run, network, tmp_path, suffix):
    array = np.random.default_rng(0).random((8, 9, 10)).astype(np.float32)
    array[3, 4, 5] = np.nan
    path = tmp_path / f"bad{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    result = run("segment", path, "--point", "0,0,0", "-o", tmp_path / "m.nii.gz")
    assert_refused(result, tmp_path, [path], "1 NaN or infinite")


BAD_ARGUMENTS = {
    "a point outside": (["--point", "500,0,30"], "lies outside the volume"),
    "only exclude points": (["--point", "-10,0,30,out"], "only exclude points"),
    "no points": ([], "no points"),
    "a point that is no number": (["--point", "-10,x,30"], "not three numbers"),
    "a points file that is not there": (["--points", "nowhere.json"], "no points file"),
    "unknown coordinates": (["--point", "1,2,3", "--coordinates", "xyz"], "'xyz'"),
    "both kinds of points": (["--point", "1,2,3", "--points", "a.json"], "one of the two"),
    "a region outside": (["--point", "-10,0,30", "--roi", "900,0,0,910,1,1"], "no voxel"),
    "a spacing of nothing": (["--point", "-10,0,30", "--spacing", "0"], "0.1 to 20"),
    "a picture of another kind": (["--point", "-10,0,30", "--preview", "a.gif"], ".png"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_told_in_one_sentence_and_nothing_is_written(
    run, network, image, tmp_path, arguments, told
):
    before = sorted(tmp_path.iterdir())
    result = run("segment", image, *arguments, "-o", tmp_path / "m.nii.gz")
    assert_refused(result, tmp_path, before, told)
    assert network == []


@pytest.mark.parametrize("name", ["m.jpg", "nowhere/m.nii.gz", "scan.nii.gz/m.nrrd", "scan.nii.gz"])
def test_an_unwritable_output_is_told_before_the_network_is_loaded(
    run, network, image, tmp_path, name
):
    content = image.read_bytes()
    result = run("segment", image, "--point", "-10,0,30", "-o", tmp_path / name)
    assert_refused(result, tmp_path, [image], "")
    assert network == []
    assert image.read_bytes() == content


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Needs /dev/full.")
def test_a_folder_that_takes_no_files_is_told(run, network, image, tmp_path):
    before = sorted(tmp_path.iterdir())
    result = run("segment", image, "--point", "-10,0,30", "-o", "/proc/m.nii.gz")
    assert_refused(result, tmp_path, before, "Cannot write")


def test_a_process_tells_bad_input_in_one_line_without_loading_torch(tmp_path):
    path = bad_image("2D", tmp_path)
    done = process("segment", path, "--point", "-1,-2,3", "-o", tmp_path / "m.nii.gz")
    assert_refused((done.returncode, done.stdout, done.stderr), tmp_path, [path], "is a 2D image")


def test_importing_the_command_line_imports_no_torch():
    modules = "fastsam3d.cli, fastsam3d.commands, fastsam3d.request"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    model = Path(fastsam3d.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(model)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_a_damaged_file_is_told_by_a_process_without_noise_from_libraries(image, tmp_path):
    image.write_bytes(image.read_bytes()[:-2000])
    done = process("segment", image, "--point", "-10,0,30", "-o", tmp_path / "m.nii.gz")
    assert_refused((done.returncode, done.stdout, done.stderr), tmp_path, [image], "cut short")


def test_the_demonstration_shows_a_dice_for_each_click_and_makes_a_picture(run, network, tmp_path):
    picture = tmp_path / "demo.png"
    code, out, _ = run("demo", "--organ", "spleen", "--clicks", "1", "-o", picture)
    assert code == 0
    assert out.count("on it") + out.count("beside it") == 1
    assert "Dice 0." in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_demonstration_refuses_an_organ_that_is_not_there(run, network, tmp_path):
    result = run("demo", "--organ", "heart", "-o", tmp_path / "a.png")
    assert_refused(result, tmp_path, [], "expected one of liver")


@pytest.fixture
def weights():
    try:
        return store.path_of("fastsam3d-default")
    except InputError as error:
        pytest.skip(f"Needs the default weights: {error}")


@pytest.mark.slow
def test_the_demonstration_reaches_a_dice_above_085_within_five_clicks(weights, tmp_path):
    done = process("demo", "-o", tmp_path / "demo.png", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    reached = re.search(r"Dice (0\.\d+) after (\d+) clicks?", done.stdout)
    assert reached is not None
    assert float(reached[1]) > 0.85
    assert int(reached[2]) <= 5
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_process_segments_a_scan_with_the_default_weights(weights, image, tmp_path):
    arguments = ["--point", "-10,0,30", "--point", "8,-20,40,out", "--device", "cpu", "--json"]
    done = process("segment", image, *arguments, "-o", tmp_path / "m.nii.gz")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["objects"]
    mask = read_labels(tmp_path / "m.nii.gz").array_kji
    truth = read_volume(image).array_kji[:, :, :] > 50
    truth[:, 25:], truth[:, :, :11] = False, False
    assert found["voxels"] == mask.sum()
    assert dice(mask > 0, truth) > 0.7


def test_the_version_is_told(run):
    assert run("--version") == (0, f"{fastsam3d.__version__}\n", "")


def test_weights_are_listed_and_unknown_ones_refused(run, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path))
    code, out, _ = run("weights", "list")
    assert code == 0
    assert "sam-med3d" in out
    for arguments in (
        ["get", "other"],
        ["remove", "other"],
        ["import", "other", tmp_path / "a.pth"],
    ):
        assert_refused(run("weights", *arguments), tmp_path, [], "no weights called 'other'")


def test_evaluate_prints_tables_and_keeps_them(run, network, image, tmp_path):
    labels = np.zeros(SHAPE, np.uint8)
    labels[6:15, 12:22, 15:26] = 1
    label = sitk.GetImageFromArray(labels)
    label.CopyInformation(sitk.ReadImage(str(image)))
    sitk.WriteImage(label, str(tmp_path / "label.nii.gz"))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("case,image,label\nA,scan.nii.gz,label.nii.gz\n")
    arguments = ["--clicks", "2", "--against", "region-growing", "-o", tmp_path / "out"]
    code, out, _ = run("evaluate", manifest, *arguments)
    assert code == 0
    assert "| fastsam3d-default " in out
    assert "| region-growing |" in out
    assert {"report.md", "objects.csv", "report.json"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_evaluate_refuses_an_unknown_tool(run, network, tmp_path):
    result = run("evaluate", tmp_path, "--against", "magic")
    assert_refused(result, tmp_path, [], "expected one of grow-from-seeds")
