import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import fastsam3d
from fastsam3d import classical, commands
from fastsam3d.phantom import make_phantom

LENGTHS = {
    "none": ([], "Training needs a length: give --steps"),
    "two": (["--steps", "2", "--seconds", "3"], "Got both 2 steps and 3 seconds"),
    "no steps": (["--steps", "0"], "0 steps; give more than 0"),
    "less than no seconds": (["--seconds", "-1"], "-1 seconds; give more than 0"),
}


class Fixed:
    """A tool that always finds an organ of the phantom, or never finds anything."""

    name = "fixed"

    def __init__(self, organ, *, knows):
        self.mask = make_phantom().organ(organ) & knows

    def start(self, volume_kji, ijk_to_ras):
        pass

    def click(self, voxel_kji, *, positive):
        return self.mask


@pytest.mark.parametrize(("arguments", "told"), LENGTHS.values(), ids=LENGTHS)
def test_a_training_of_no_length_is_refused_in_words(
    run, assert_refused, tmp_path, arguments, told
):
    result = run("train", tmp_path / "manifest.csv", "-o", tmp_path / "out", *arguments)
    assert_refused(result, tmp_path, [], told)


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


def test_the_demonstration_shows_a_dice_for_each_click_and_makes_a_picture(run, network, tmp_path):
    picture = tmp_path / "demo.png"
    code, out, _ = run("demo", "--organ", "spleen", "--clicks", "1", "-o", picture)
    assert code == 0
    assert out.count("on it") + out.count("beside it") == 1
    assert "Dice 0." in out
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("options", "keep"), [([], True), (["--no-largest"], False)])
def test_the_pieces_that_were_clicked_are_kept_by_demo_and_batch(
    run, tmp_path, monkeypatch, options, keep
):
    engines = []
    for command in ("demo", "batch"):
        monkeypatch.setattr(commands, command, lambda *asked: engines.append(asked[-1]) or True)
    assert run("demo", *options)[0] == 0
    assert run("batch", tmp_path / "manifest.csv", "-o", tmp_path, *options)[0] == 0
    assert [engine.postprocessing.keep_clicked for engine in engines] == [keep, keep]


def test_the_demonstration_refuses_an_organ_that_is_not_there(
    run, network, assert_refused, tmp_path
):
    result = run("demo", "--organ", "heart", "-o", tmp_path / "a.png")
    assert_refused(result, tmp_path, [], "expected one of liver")


@pytest.mark.parametrize(("organ", "why"), [("spleen", "evenly grey"), ("stomach", "simpler")])
def test_the_demonstration_says_why_the_other_tool_did_better_and_only_then(
    run, network, tmp_path, monkeypatch, organ, why
):
    wins = iter((True, False))
    monkeypatch.setattr(classical, "GrowFromSeeds", lambda: Fixed(organ, knows=next(wins)))
    asked = ["demo", "--organ", organ, "--clicks", "1", "-o", tmp_path / "demo.png"]
    code, out, _ = run(*asked)
    assert code == 0
    assert "Grow from seeds did better here" in out
    assert why in out
    assert "did better" not in run(*asked)[1]


@pytest.mark.slow
def test_the_demonstration_reaches_a_dice_above_085_within_five_clicks(
    default_weights, process, tmp_path
):
    done = process("demo", "-o", tmp_path / "demo.png", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    reached = re.search(r"Dice (0\.\d+) after (\d+) clicks?", done.stdout)
    assert reached is not None
    assert float(reached[1]) > 0.85
    assert int(reached[2]) <= 5
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_the_version_is_told(run):
    assert run("--version") == (0, f"{fastsam3d.__version__}\n", "")


def test_weights_are_listed_and_unknown_ones_refused(run, assert_refused, tmp_path, monkeypatch):
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


@pytest.fixture
def manifest(image, tmp_path):
    labels = np.zeros((24, 40, 36), np.uint8)
    labels[6:15, 12:22, 15:26] = 1
    label = sitk.GetImageFromArray(labels)
    label.CopyInformation(sitk.ReadImage(str(image)))
    sitk.WriteImage(label, str(tmp_path / "label.nii.gz"))
    path = tmp_path / "manifest.csv"
    path.write_text("case,image,label\nA,scan.nii.gz,label.nii.gz\n")
    return path


def test_evaluate_prints_tables_and_keeps_them(run, network, manifest, tmp_path):
    arguments = ["--clicks", "2", "--against", "region-growing", "-o", tmp_path / "out"]
    code, out, _ = run("evaluate", manifest, *arguments)
    assert code == 0
    assert "| fastsam3d-default " in out
    assert "| region-growing |" in out
    assert {"report.md", "objects.csv", "report.json"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_evaluate_sums_up_in_one_line_what_a_limit_does_not_need(run, network, manifest):
    with manifest.open("a") as rows:
        rows.writelines(f"B{n},scan.nii.gz,\n" for n in range(40))
    code, out, _ = run("evaluate", manifest, "--clicks", "1", "--limit", "1")
    assert code == 0
    assert "40 cases with no label map; `report.json`" in out
    assert "B7" not in out


def test_evaluate_refuses_an_unknown_tool(run, network, assert_refused, tmp_path):
    result = run("evaluate", tmp_path, "--against", "magic")
    assert_refused(result, tmp_path, [], "expected one of grow-from-seeds")


BAD_EVALUATIONS = {
    "weights that are not there": (["--checkpoint", "nowhere.pth"], "no file of weights"),
    "a split that is not there": (["--split", "dev"], "no row with split dev"),
    "masks that are not there": (["--masks", "nowhere"], "is no folder"),
    "a limit of nothing": (["--limit", "0"], "limit of 0"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD_EVALUATIONS.values(), ids=BAD_EVALUATIONS)
def test_evaluate_refuses_bad_input_and_makes_no_folder(
    run, assert_refused, manifest, tmp_path, arguments, told
):
    before = sorted(tmp_path.iterdir())
    folders = ["-o", tmp_path / "out", "--save-masks", tmp_path / "masks"]
    result = run("evaluate", manifest, *folders, "--device", "cpu", *arguments)
    assert_refused(result, tmp_path, before, told)


def test_evaluate_goes_on_in_its_own_folder(run, network, manifest, tmp_path):
    asked = ["evaluate", manifest, "--clicks", "1", "-o", tmp_path / "out"]
    assert run(*asked)[0] == 0
    code, out, err = run(*asked)
    assert code == 0, err
    assert "1 object of 1 patient in 1 folder." in out


@pytest.mark.parametrize(
    ("arguments", "differs"),
    [
        (["--clicks", "1"], "manifest"),
        (["--clicks", "2"], "manifest and clicks"),
        (["--clicks", "1", "--against", "region-growing"], "manifest and against"),
    ],
)
def test_evaluate_replaces_no_tables_of_another_manifest_or_of_other_settings(
    run, network, manifest, tmp_path, arguments, differs
):
    out = tmp_path / "out"
    assert run("evaluate", manifest, "--clicks", "1", "-o", out)[0] == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    other = manifest.with_name("other.csv")
    other.write_text(manifest.read_text())
    code, _, err = run("evaluate", other, *arguments, "-o", out)
    assert code == 2
    assert f"holds another evaluation, with another {differs}; choose another folder" in err
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_evaluate_of_masks_replaces_no_tables_either(run, network, manifest, tmp_path):
    out = tmp_path / "out"
    assert run("evaluate", manifest, "--clicks", "1", "-o", out)[0] == 0
    (tmp_path / "masks").mkdir()
    code, _, err = run("evaluate", manifest, "--masks", tmp_path / "masks", "-o", out)
    assert code == 2
    assert "holds another evaluation" in err


@pytest.mark.parametrize("masks", [False, True])
def test_evaluate_refuses_a_scan_as_label_map(
    run, network, assert_refused, manifest, tmp_path, masks
):
    scan = sitk.ReadImage(str(tmp_path / "label.nii.gz"))
    sitk.WriteImage(sitk.Cast(scan, sitk.sitkInt16) - 1000, str(tmp_path / "label.nii.gz"))
    (tmp_path / "masks").mkdir()
    before = sorted(tmp_path.iterdir())
    given = ["--masks", tmp_path / "masks"] if masks else []
    result = run("evaluate", manifest, "-o", tmp_path / "out", *given)
    told = "The label map of A holds the value -1000, and labels are positive: is it a scan?"
    assert_refused(result, tmp_path, before, told)


COMMANDS = ("segment", "batch", "evaluate", "train", "prepare", "distill", "distill-ablation")


@pytest.mark.parametrize("command", COMMANDS)
def test_helps_are_phrases_and_no_fragments(process, command):
    shown = process(command, "--help")
    assert shown.returncode == 0
    assert not re.search(r" (Of the|Of each|Of ex|Of --) ?", shown.stdout)
