"""A dataset from its folder to a manifest: resumable, verified, of use to the other commands."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import SimpleITK as sitk

import fastsam3d
import trees
from fastsam3d.cli_prepare import prepare as command
from fastsam3d.dataset_prepare import Request, prepare
from fastsam3d.dataset_verify import verify
from fastsam3d.errors import InputError
from fastsam3d.manifest import read_manifest
from fastsam3d.plan import Scan, plan
from prepared import hashes, records, times


@pytest.fixture
def source(tmp_path):
    return trees.nnunet(tmp_path / "Dataset001_Trunk")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.mark.parametrize("layout", trees.LAYOUTS)
def test_each_layout_becomes_a_manifest_that_the_other_commands_read(tmp_path, out, layout):
    prepared = prepare(Request(trees.LAYOUTS[layout](tmp_path / "set"), out, workers=0))
    rows = read_manifest(prepared.manifest)
    assert all(row.image and row.label and row.split and row.modality for row in rows)
    objects = plan(prepared.manifest)
    assert objects.tasks
    for task in objects.tasks:
        assert Scan(task.row).truth(task.label).voxels == task.label.voxels
    assert all(label.name for row in rows for label in row.labels)
    assert all(label.voxels for row in rows if not row.groups for label in row.labels)


def test_training_reads_the_training_rows_of_a_manifest(source, out):
    from fastsam3d.shelf import stored_volumes  # torch takes its time

    volumes = stored_volumes(prepare(Request(source, out, workers=0)).manifest, split="train")
    assert [volume.load().has_objects for volume in volumes] == [True] * 3


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
    assert rows[0].labels[2].name == "enhancing tumour"


def test_regions_of_brats_are_the_objects_even_where_a_part_is_missing(tmp_path, out):
    source = trees.brats(tmp_path / "brats", patients=(2,))
    prepared = prepare(Request(source, out, channel="t1", workers=0))
    (row,) = read_manifest(prepared.manifest)
    necrosis, oedema, enhancing = (label.voxels for label in row.labels)
    assert necrosis == 0
    assert [(task.label.name, task.label.voxels) for task in plan(prepared.manifest).tasks] == [
        ("whole tumour", oedema + enhancing)
    ]
    assert [group.values for group in row.groups] == [(1, 2, 4), (1, 4), (4,)]
    assert "column `groups`" in prepared.report.read_text(encoding="utf-8")


def test_labels_of_brats_by_themselves_are_written_where_the_regions_are_not_wanted(tmp_path, out):
    source = trees.brats(tmp_path / "brats", patients=(2,))
    prepared = prepare(Request(source, out, channel="t1", workers=0, groups=False))
    (row,) = read_manifest(prepared.manifest)
    assert [label.name for label in row.objects] == ["peritumoral oedema", "enhancing tumour"]
    assert "three values by themselves" in prepared.report.read_text(encoding="utf-8")


def test_other_datasets_have_no_regions_to_leave_away(source, out):
    with pytest.raises(InputError, match="only brats21 has groups; leave it out"):
        prepare(Request(source, out, groups=False))


@pytest.mark.parametrize("layout", trees.LAYOUTS)
def test_the_column_groups_is_written_for_brats_alone(tmp_path, out, layout):
    manifest = prepare(Request(trees.LAYOUTS[layout](tmp_path / "set"), out, workers=0)).manifest
    with manifest.open(newline="", encoding="utf-8") as file:
        (columns,) = [line for line, _ in zip(csv.reader(file), range(1), strict=False)]
    assert ("groups" in columns) == (layout == "brats21")
    assert columns[-2:] == ["image_sha256", "label_sha256"]


def test_the_report_says_what_was_taken_and_what_was_not(tmp_path, out):
    source = trees.amos(tmp_path / "amos22")
    trees.damage(source / "labelsTr" / "amos_0507.nii.gz")
    report = prepare(Request(source, out, workers=0)).report.read_text(encoding="utf-8")
    assert "| CT | 1 | 1 | 0 |" in report
    assert "| Patients | 1 | 1 | 0 |" in report
    assert "- amos_0020: no label in labelsTs." in report
    assert "- amos_0507: amos_0507.nii.gz is cut short" in report


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


def test_hashes_stand_in_the_manifest_too(source, out):
    manifest = prepare(Request(source, out, workers=0)).manifest
    assert hashes(manifest)[0] == ["image_sha256", "label_sha256"]
    assert all(len(sha256) == 64 for row in hashes(manifest)[1:] for sha256 in row)


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


def test_nothing_left_out_and_one_image_are_said_so(tmp_path, out, capsys):
    command(trees.nnunet(tmp_path / "set", cases=1, tests=0), out, workers=0)
    manifest = out / "manifest.csv"
    assert capsys.readouterr().out == f"{manifest}: 1 image (nnunet).\nNothing was left out.\n"


def test_reasons_that_differ_in_the_case_alone_are_told_once_with_the_cases_first(source, out):
    for case in ("case_000", "case_001"):
        trees.damage(source / "labelsTr" / f"{case}.nii.gz")
    report = prepare(Request(source, out, workers=0)).report.read_text(encoding="utf-8")
    assert "- case_000, case_001: ….nii.gz is cut short" in report


def test_without_a_terminal_the_command_says_in_lines_how_far_it_is(source, out, capsys):
    command(source, out, workers=0)
    assert capsys.readouterr().err.splitlines() == [
        "prepare: 33%, 1 of 3, case_000",
        "prepare: 67%, 2 of 3, case_001",
        "prepare: 100%, 3 of 3, case_002",
    ]


def test_splits_of_unknown_cases_are_said_at_once_and_in_the_report(source, out, tmp_path, capsys):
    splits = tmp_path / "splits.json"
    splits.write_text('{"train": ["case_000", "case_77"], "val": ["case_001"]}')
    command(source, out, splits=splits, workers=0)
    told = "splits.json names what is not there: case_77."
    assert capsys.readouterr().err.splitlines()[0] == told
    assert told in (out / "report.md").read_text(encoding="utf-8")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from fastsam3d.dataset_command import run
from fastsam3d.dataset_prepare import Request
from fastsam3d.errors import InputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    run(Request(Path(sys.argv[1]), Path(sys.argv[2]), workers=0))
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="files are limited as POSIX does")
def test_what_does_not_fit_is_told_and_the_rest_is_kept(tmp_path):
    source = trees.nnunet(tmp_path / "set", cases=2, tests=0)
    small = source / "imagesTr" / "case_001_0000.nii.gz"
    trees.write(sitk.ReadImage(str(small)) > -300, small)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(source), str(tmp_path / "out")],
        env=os.environ | {"PYTHONPATH": str(Path(fastsam3d.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "1 of 2 items could not be written, case_000 first" in done.stdout
    assert "make room, and run the command again" in done.stdout
    files = sorted(path.name for path in (tmp_path / "out" / "set").iterdir())
    assert files == ["case_001_image.nii.gz", "case_001_label.nii.gz"]
    assert "case_001," in (tmp_path / "out" / "manifest.csv").read_text()


def test_images_with_several_channels_in_one_file_are_left_out_with_the_reason(source, out):
    image = source / "imagesTr" / "case_000_0000.nii.gz"
    trees.write(sitk.JoinSeries([trees.Body().image()] * 2), image)
    report = prepare(Request(source, out, workers=0)).report.read_text(encoding="utf-8")
    assert "_0000.nii.gz has several frames (24 x 20 x 16 x 2)" in report
