"""A dataset from its folder to a manifest: resumable, verified, of use to the other commands."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastsam3d
import trees
from fastsam3d.cli_prepare import prepare as command
from fastsam3d.dataset_case import Resampling
from fastsam3d.dataset_folder import verify
from fastsam3d.dataset_prepare import Request, prepare
from fastsam3d.errors import InputError
from fastsam3d.manifest import read_manifest
from fastsam3d.plan import Scan, plan


@pytest.fixture
def source(tmp_path):
    return trees.nnunet(tmp_path / "Dataset001_Trunk")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def hashes(manifest):
    return [line.split(",")[-2:] for line in manifest.read_text().splitlines()]


def times(out):
    return {path: path.stat().st_mtime_ns for path in out.glob("*/*.nii.gz")}


@pytest.mark.parametrize("layout", trees.LAYOUTS)
def test_each_layout_becomes_a_manifest_that_the_other_commands_read(tmp_path, out, layout):
    prepared = prepare(Request(trees.LAYOUTS[layout](tmp_path / "set"), out, workers=0))
    rows = read_manifest(prepared.manifest)
    assert all(row.image and row.label and row.split and row.modality for row in rows)
    objects = plan(prepared.manifest)
    assert objects.tasks
    for task in objects.tasks:
        assert Scan(task.row).truth(task.label).voxels == task.label.voxels
    assert all(label.voxels and label.name for row in rows for label in row.labels)


def test_training_reads_the_training_rows_of_a_manifest(source, out):
    from fastsam3d.data import read_training_volumes  # torch takes its time

    volumes = read_training_volumes(
        prepare(Request(source, out, workers=0)).manifest, split="train"
    )
    assert [volume.has_objects for volume in volumes] == [True] * 3


def test_rows_of_validation_are_not_among_those_of_training(tmp_path, out):
    prepared = prepare(Request(trees.amos(tmp_path / "amos22"), out, workers=0))
    cases = {
        split: {row.case for row in read_manifest(prepared.manifest, split=split)}
        for split in ("train", "val")
    }
    assert cases == {"train": {"amos_0001", "amos_0507"}, "val": {"amos_0008"}}


def test_four_channels_of_a_patient_share_a_label(tmp_path, out):
    source = trees.brats(tmp_path / "brats", patients=(2,))
    rows = read_manifest(prepare(Request(source, out, workers=0)).manifest)
    assert len(rows) == 4
    assert len({row.label for row in rows}) == 1
    assert {row.patient for row in rows} == {"BraTS2021_00002"}
    assert {row.modality for row in rows} == {"MRI FLAIR", "MRI T1", "MRI T1ce", "MRI T2"}
    assert rows[0].labels[1].name == "enhancing tumour"


def test_the_report_says_what_was_taken_and_what_was_not(tmp_path, out):
    source = trees.amos(tmp_path / "amos22")
    trees.damage(source / "labelsTr" / "amos_0507.nii.gz")
    report = prepare(Request(source, out, workers=0)).report.read_text(encoding="utf-8")
    assert "| CT | 1 | 1 | 0 |" in report
    assert "| Patients | 1 | 1 | 0 |" in report
    assert "- no label in labelsTs: amos_0020." in report
    assert "is cut short" in report


def test_called_again_nothing_is_made_again(source, out):
    first = prepare(Request(source, out, workers=0))
    before, table = times(out), first.manifest.read_text()
    assert prepare(Request(source, out, workers=0)).manifest.read_text() == table
    assert times(out) == before


RUN = """
import sys
from pathlib import Path
from fastsam3d.dataset_prepare import Request, prepare
prepare(Request(Path(sys.argv[1]), Path(sys.argv[2]), workers=int(sys.argv[3])))
"""


def start(source, out, workers=0):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(source), str(out), str(workers)],
        env=os.environ | {"PYTHONPATH": str(Path(fastsam3d.__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
    )


def records(out):
    """Return what is recorded as done, without what is only half written."""
    found = out.glob(".prepared/*.record.json")
    return [path for path in found if not path.name.startswith(".")]


def wait_for(found, seconds=30):
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.001)


def test_several_workers_prepare_what_one_does_and_end_quietly(source, tmp_path):
    alone = prepare(Request(source, tmp_path / "alone", workers=0))
    process = start(source, tmp_path / "together", workers=2)
    assert process.communicate(timeout=60)[1] == ""
    table = (tmp_path / "together" / "manifest.csv").read_text()
    assert table == alone.manifest.read_text()


def test_a_killed_preparation_goes_on_and_ends_as_if_it_had_not_been_killed(tmp_path, out):
    source = trees.nnunet(tmp_path / "set", cases=12, tests=0)
    whole = prepare(Request(source, tmp_path / "whole", workers=0))
    process = start(source, out)
    wait_for(lambda: len(records(out)) >= 3)
    process.kill()
    process.communicate()
    before = times(out)
    assert 3 <= len(before) // 2 < 12
    assert not (out / "manifest.csv").exists()
    half = out / "set" / ".0123abcd-case_011_image.nii.gz"
    half.write_bytes(b"half")
    resumed = prepare(Request(source, out, workers=0))
    recorded = {path: when for path, when in times(out).items() if path in before}
    unchanged = [path for path in before if recorded[path] == before[path]]
    assert len(unchanged) >= 6
    assert not half.exists()
    assert resumed.manifest.read_text() == whole.manifest.read_text()
    assert verify(out) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the worker is found as Linux lists it")
def test_a_worker_that_is_ended_from_outside_is_told_not_waited_for(source, out):
    image = source / "imagesTr" / "case_002_0000.nii.gz"
    image.unlink()
    os.mkfifo(image)
    process = start(source, out, workers=1)
    wait_for(lambda: len(records(out)) == 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGKILL)
    _, told = process.communicate(timeout=30)
    assert "A worker was ended from outside" in told
    assert "what is done is kept" in told


def test_a_file_that_was_deleted_or_cut_is_made_again(source, out):
    first = prepare(Request(source, out, workers=0))
    table = first.manifest.read_text()
    image, label, *_ = sorted(out.glob("*/*.nii.gz"))
    image.unlink()
    trees.damage(label)
    assert prepare(Request(source, out, workers=0)).manifest.read_text() == table
    assert verify(out) == []


def test_what_was_damaged_and_downloaded_again_is_taken_at_the_next_call(source, out):
    label = source / "labelsTr" / "case_001.nii.gz"
    whole = label.read_bytes()
    trees.damage(label)
    assert len(read_manifest(prepare(Request(source, out, workers=0)).manifest)) == 2
    label.write_bytes(whole)
    assert len(read_manifest(prepare(Request(source, out, workers=0)).manifest)) == 3


def test_verifying_names_each_file_that_is_not_as_it_was_written(source, out):
    prepare(Request(source, out, workers=0))
    assert verify(out) == []
    image, label, *_ = sorted(out.glob("*/*.nii.gz"))
    content = bytearray(image.read_bytes())
    content[-5] ^= 1
    image.write_bytes(content)
    label.unlink()
    changed, missing = verify(out)
    assert changed.startswith(f"{image.relative_to(out)} has changed")
    assert missing.startswith(f"{label.relative_to(out)} is missing")


def test_verifying_what_was_never_prepared_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds nothing that was prepared"):
        verify(tmp_path)


def test_hashes_stand_in_the_manifest_too(source, out):
    manifest = prepare(Request(source, out, workers=0)).manifest
    assert hashes(manifest)[0] == ["image_sha256", "label_sha256"]
    assert all(len(sha256) == 64 for row in hashes(manifest)[1:] for sha256 in row)


def test_a_folder_with_other_files_is_left_alone(source, out):
    out.mkdir()
    (out / "manifest.csv").write_text("mine")
    with pytest.raises(InputError, match="holds other files; choose a new or empty folder"):
        prepare(Request(source, out))
    assert [path.read_text() for path in out.iterdir()] == ["mine"]


@pytest.mark.parametrize("change", ["source", "splits", "channel", "spacing_mm", "interpolation"])
def test_another_source_or_setting_in_the_same_folder_is_refused(source, out, tmp_path, change):
    table = prepare(Request(source, out, workers=0)).manifest.read_text()
    other = Path(shutil.copytree(source, tmp_path / "other" / source.name))
    splits = tmp_path / "splits.json"
    splits.write_text('{"train": ["case_000"], "val": ["case_001"]}')
    request = {
        "source": Request(other, out),
        "splits": Request(source, out, splits=splits),
        "channel": Request(source, out, channel="CT"),
        "spacing_mm": Request(source, out, resampling=Resampling(2.0)),
        "interpolation": Request(source, out, resampling=Resampling(1.5, "bspline")),
    }[change]
    with pytest.raises(InputError, match=rf"was prepared otherwise \({change} "):
        prepare(request)
    assert (out / "manifest.csv").read_text() == table


def test_nothing_to_take_is_told_with_the_first_reason(source, out):
    for label in (source / "labelsTr").iterdir():
        trees.damage(label)
    with pytest.raises(InputError, match=r"Nothing could be taken: case_000: .*cut short"):
        prepare(Request(source, out, workers=0))
    assert not (out / "manifest.csv").exists()


def test_the_source_is_not_touched(source, out):
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    prepare(Request(source, out, workers=0))
    assert {p: p.read_bytes() for p in source.rglob("*") if p.is_file()} == before


def test_the_command_says_where_the_manifest_is_and_what_was_left_out(source, out, capsys):
    command(source, out, workers=0)
    said = capsys.readouterr().out
    assert f"{out / 'manifest.csv'}: 3 images (nnunet)." in said
    assert f"1 left out, and why: {out / 'report.md'}" in said


def test_the_command_verifies_with_an_exit_code(source, out, capsys):
    import typer

    command(source, out, workers=0)
    for damaged, code in ((False, 0), (True, 1)):
        if damaged:
            trees.damage(next(out.glob("*/*.nii.gz")))
        with pytest.raises(typer.Exit) as ended:
            command(source, out, verify=True)
        assert ended.value.exit_code == code
    assert "has changed" in capsys.readouterr().out
