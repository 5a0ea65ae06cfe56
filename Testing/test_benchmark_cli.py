import json

import numpy as np
import pytest
import SimpleITK as sitk

from fastsam3d.benchmark import ablation as ablation_module
from fastsam3d.benchmark import arguments, commands
from fastsam3d.benchmark import efficiency as efficiency_module
from fastsam3d.benchmark.measurement import Counted, Outcome, Timed
from fastsam3d.classical import RegionGrowing
from fastsam3d.cli import main

TOOL = ("--method", "region-growing", "--clicks", 2, "--protocol", "sound")


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["benchmark", *map(str, arguments)])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def no_report(monkeypatch):
    """Note which folders are reported on, instead of drawing."""
    asked = []

    def write_report(folder, machine):
        asked.append(folder)
        return folder / "report.html"

    monkeypatch.setattr(commands, "write_report", write_report)
    return asked


@pytest.fixture
def measured(monkeypatch):
    """Answer measurements at once; `stop_at` is the one at which the user presses Ctrl+C."""
    asked = []

    def watched(request, limit_s):
        asked.append(request)
        if len(asked) == watched.stop_at:
            raise KeyboardInterrupt
        if request.arguments.get("system") == "sam":
            return Outcome(Counted(5, 7, 9), None, f"took longer than {limit_s:g} s")
        return Outcome(Counted(5, 7, 9), Timed((2.0,), 1.0, "all of it"), "")

    watched.stop_at = 0
    watched.asked = asked
    for module in (efficiency_module, ablation_module):
        monkeypatch.setattr(module, "watched", watched)
    return watched


@pytest.fixture
def manifest(tmp_path):
    """Two scans of a bright block, in a folder called blocks."""
    folder = tmp_path / "blocks"
    folder.mkdir()
    rows = ["case,patient,image,label,labels_voxels"]
    for case in ("a", "b"):
        labels = np.zeros((20, 20, 20), np.uint8)
        labels[4:12, 5:14, 6:15] = 1
        rng = np.random.default_rng(ord(case))
        for name, array in (
            (case, (100.0 * labels + rng.normal(0, 5, labels.shape)).astype(np.float32)),
            (f"{case}_label", labels),
        ):
            sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / f"{name}.nii.gz"))
        rows.append(f"{case},{case},{case}.nii.gz,{case}_label.nii.gz,1:block")
    path = folder / "manifest.csv"
    path.write_text("\n".join(rows))
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def results(folder, name):
    return lines(folder / "accuracy" / name / "objects.jsonl")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ((), "Tables 1 to 4"),
        (("efficiency",), "all 128 on a GPU and 4 on a CPU"),
        (("accuracy",), "what a user gets"),
        (("accuracy",), "fastsam3d-teacher; medsam-boxes"),
        (("ablation",), "a patch of 128³ voxels"),
        (("ablation",), "the published weights need relative positions"),
        (("report",), "tables.tex"),
        (("all",), "give it once for each dataset"),
    ],
)
def test_help_says_what_a_command_does_and_what_its_options_mean(run, command, told):
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert told in " ".join(out.replace("│", " ").split())
    options = [line for line in out.splitlines() if line.startswith("│ --")]
    assert all(len(line.split()) > 4 for line in options)


def test_efficiency_keeps_a_row_for_each_part_and_says_what_is_missing(
    run, measured, no_report, tmp_path
):
    code, out, err = run(
        "efficiency", tmp_path / "bench", "--system", "sam", "--system", "sam-med3d",
        "--device", "cpu", "--slices", 4, "--limit-seconds", 9,
    )  # fmt: skip
    assert code == 0
    rows = lines(tmp_path / "bench" / "efficiency.jsonl")
    assert [(row["system"], row["part"]) for row in rows[:3]] == [
        ("sam", "encoder"), ("sam", "decoder"), ("sam-med3d", "encoder"),
    ]  # fmt: skip
    assert rows[0]["scaled_from"] == 4
    assert "Not measured: SAM, encoder: took longer than 9 s" in err
    assert "SAM-Med3D, encoder: 2.00 ms" in err
    assert out.strip() == str(tmp_path / "bench" / "report.html")
    assert no_report == [tmp_path / "bench"]


def test_stopped_by_the_user_keeps_what_was_measured_and_goes_on(
    run, measured, no_report, tmp_path
):
    measured.stop_at = 3
    call = ("efficiency", tmp_path, "--system", "mobilesam", "--system", "tinysam")
    code, _, err = run(*call, "--device", "cpu")
    assert code == 130
    assert "Stopped; what was finished is kept" in err
    assert len(lines(tmp_path / "efficiency.jsonl")) == 2
    code, _, _ = run(*call, "--device", "cpu")
    assert code == 0
    assert len(lines(tmp_path / "efficiency.jsonl")) == 4
    assert len(measured.asked) == 5


def test_ablation_measures_each_form_and_sweeps_unless_told_not_to(
    run, measured, no_report, tmp_path
):
    call = ("ablation", tmp_path, "--device", "cpu", "--tokens", 8, "--geometry", "published")
    assert run(*call, "--no-sweep")[0] == 0
    assert [row["form"] for row in lines(tmp_path / "ablation.jsonl")] == [
        "plain", "flash", "sparse", "sparse+flash",
    ]  # fmt: skip
    code, _, err = run(*call)
    assert code == 0
    assert "ablation: 100%, published, 8³ tokens, sparse, w 512, r 1: 2.00 ms" in err
    assert len(lines(tmp_path / "ablation.jsonl")) > 20


def test_ablation_measures_the_dice_of_each_form_on_labelled_scans(
    run, measured, no_report, manifest, tmp_path
):
    call = ("ablation", tmp_path / "out", "--device", "cpu", "--tokens", 8, "--no-sweep")
    code, _, err = run(*call, "--manifest", manifest, "--limit", 1)
    assert code == 0
    assert "ablation, sound: 100%, a" in err
    own = [r for r in lines(tmp_path / "out" / "ablation.jsonl") if r["geometry"] != "published"]
    assert len(own) == 4
    assert all(len(row["dice"]["blocks, sound"]) == 4 for row in own)


def test_ablation_refuses_scans_it_cannot_use_before_it_measures_anything(run, measured, tmp_path):
    code, _, err = run("ablation", tmp_path / "out", "--manifest", tmp_path / "none.csv")
    assert code == 2
    assert "none.csv" in err
    assert not measured.asked


def test_accuracy_runs_each_protocol_in_a_folder_of_its_own(run, no_report, manifest, tmp_path):
    code, _, err = run("accuracy", manifest, tmp_path / "out", *TOOL[:-1], "both", "--limit", 1)
    assert code == 0
    for name in ("blocks-sound", "blocks-published"):
        found = results(tmp_path / "out", name)
        assert [one["case"] for one in found] == ["a"]
        assert {len(one["dice"]) for one in found} == {2}
    assert "accuracy, published: 100%" in err
    (noted,) = lines(tmp_path / "out" / "machines.jsonl")
    assert "torch" in noted["machine"]


def test_a_dataset_can_be_called_otherwise_than_its_folder(run, no_report, manifest, tmp_path):
    code, _, _ = run("accuracy", manifest, tmp_path / "out", *TOOL, "--name", "amos")
    assert code == 0
    assert len(results(tmp_path / "out", "amos-sound")) == 2


def test_accuracy_that_is_stopped_keeps_each_object_and_goes_on(
    run, no_report, manifest, tmp_path, monkeypatch
):
    real, started = RegionGrowing.start, []

    def start(self, volume_kji, ijk_to_ras):
        started.append(self)
        if len(started) == 2:
            raise KeyboardInterrupt
        real(self, volume_kji, ijk_to_ras)

    monkeypatch.setattr(RegionGrowing, "start", start)
    call = ("accuracy", manifest, tmp_path / "out", *TOOL)
    code, _, err = run(*call)
    assert code == 130
    assert "Stopped; what was finished is kept" in err
    kept = list((tmp_path / "out" / "accuracy" / "blocks-sound" / "records").iterdir())
    assert sum(len(lines(path)) for path in kept) == 1
    assert run(*call)[0] == 0
    assert len(started) == 3
    assert len(results(tmp_path / "out", "blocks-sound")) == 2


def test_weights_name_what_is_measured_beside_the_methods():
    given = arguments.weights_of(["sam=a=b.pth", "medsam=c.pth"])
    assert [(system, str(path)) for system, path in given] == [
        ("sam", "a=b.pth"), ("medsam", "c.pth"),
    ]  # fmt: skip
    assert arguments.methods_of(["sam", "fast-marching"], given) == (
        "sam", "fast-marching", "medsam",
    )  # fmt: skip
    assert arguments.methods_of([], ()) == ("fastsam3d-default",)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--weights", "sam"), "as sam=FILE"),
        (("--protocol", "mine"), "expected sound, published, both"),
        (("--name", "a/b"), "for a dataset"),
        (("--method", "unet"), "'unet'"),
        (("--weights", "sam=none.pth"), "no file of weights none.pth"),
    ],
)
def test_bad_input_is_told_in_one_line_and_leaves_nothing(run, manifest, tmp_path, more, told):
    code, out, err = run("accuracy", manifest, tmp_path / "out", *more)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_all_refuses_what_accuracy_cannot_use_before_it_measures_anything(run, measured, tmp_path):
    code, _, err = run("all", tmp_path / "out", "--manifest", tmp_path / "none.csv")
    assert code == 2
    assert "none.csv" in err
    assert not measured.asked
    assert not (tmp_path / "out").exists()


def test_report_into_a_new_folder_has_table_1_and_the_papers_figures(run, tmp_path):
    code, out, _ = run("report", tmp_path / "new")
    assert code == 0
    assert out.strip() == str(tmp_path / "new" / "report.html")
    page = (tmp_path / "new" / "report.md").read_text(encoding="utf-8")
    assert "Table 1" in page
    assert "369.0" in page


@pytest.mark.parametrize("command", ["report", "efficiency", "ablation", "all"])
def test_a_file_in_place_of_the_folder_is_told(run, measured, tmp_path, command):
    (tmp_path / "some.txt").touch()
    code, _, err = run(command, tmp_path / "some.txt")
    assert code == 2
    assert "some.txt is a file; give a folder" in err
    assert err.count("\n") == 1
    assert not measured.asked


def test_all_measures_everything_and_writes_one_page(run, measured, manifest, tmp_path):
    call = ("all", tmp_path / "out", "--manifest", manifest, *TOOL, "--limit", 1, "--slices", 2)
    code, out, _ = run(*call, "--device", "cpu", "--ablation-dice")
    assert code == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert out.split() == [str(tmp_path / "out" / "report.html")]
    assert "region-growing" in page
    assert "took longer than 600 s" in page
    assert "<td>2.00</td>" in page
    assert "blocks, sound" in page
    assert (tmp_path / "out" / "sweep-published-16-cpu.png").exists()


def test_other_processes_of_torchrun_write_no_report(run, no_report, monkeypatch, tmp_path):
    monkeypatch.setenv("RANK", "1")
    assert run("report", tmp_path)[0] == 0
    assert no_report == []
