"""A folder that was prepared into before: gone on in, or refused; no change is overwritten."""

import json
import shutil
from pathlib import Path

import pytest

import trees
from fastsam3d.dataset_case import Resampling
from fastsam3d.dataset_prepare import Request, prepare
from fastsam3d.dataset_verify import verify
from fastsam3d.errors import InputError
from fastsam3d.manifest import read_manifest
from fastsam3d.whole import write_text
from lockholder import holder
from prepared import edit, times


@pytest.fixture
def source(tmp_path):
    return trees.nnunet(tmp_path / "Dataset001_Trunk")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


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
    with pytest.raises(InputError, match=rf"otherwise; .* It has {change} .*for: {change} "):
        prepare(request)
    assert (out / "manifest.csv").read_text() == table


def test_other_splits_are_told_by_the_names_of_their_files(source, out, tmp_path):
    files = [tmp_path / name for name in ("ours.json", "theirs.json")]
    for path, left in zip(files, ("case_001", "case_002"), strict=True):
        path.write_text(f'{{"train": ["case_000"], "val": ["{left}"]}}')
    prepare(Request(source, out, splits=files[0], workers=0))
    told = r"has splits ours\.json \(SHA256 .{8}\.{3}\); asked for: splits "
    with pytest.raises(InputError, match=told + r"theirs\.json \(SHA256 .{8}\.{3}\)\."):
        prepare(Request(source, out, splits=files[1], workers=0))
    with pytest.raises(InputError, match=told + r"none\."):
        prepare(Request(source, out, workers=0))
    moved = files[0].rename(tmp_path / "moved.json")
    prepare(Request(source, out, splits=moved, workers=0))


def test_a_folder_that_noted_only_the_hash_of_its_splits_is_gone_on_in(source, out, tmp_path):
    splits = tmp_path / "splits.json"
    splits.write_text('{"train": ["case_000"], "val": ["case_001"]}')
    prepare(Request(source, out, splits=splits, workers=0))
    place = out / ".prepared" / "settings.json"
    settings = json.loads(place.read_text())
    place.write_text(json.dumps(settings | {"splits": settings["splits"]["sha256"]}))
    prepare(Request(source, out, splits=splits, workers=0))
    with pytest.raises(InputError, match=r"has splits a file \(SHA256 .{8}\.{3}\); asked"):
        prepare(Request(source, out, workers=0))


@pytest.mark.parametrize("name", ["manifest.csv", "report.md"])
def test_a_table_that_was_edited_by_hand_is_not_overwritten(source, out, name):
    prepare(Request(source, out, workers=0))
    edited = (out / name).read_text() + "mine\n"
    (out / name).write_text(edited)
    with pytest.raises(InputError, match=rf"{name} is not as it was written.*move it elsewhere"):
        prepare(Request(source, out, workers=0))
    assert (out / name).read_text() == edited
    (out / name).rename(out / "mine")
    prepare(Request(source, out, workers=0))
    assert verify(out) == []


def test_a_table_whose_writing_was_interrupted_is_written_again(source, out, monkeypatch):
    first = prepare(Request(source, out, workers=0))
    before = first.manifest.read_text()
    label = source / "labelsTr" / "case_001.nii.gz"
    whole = label.read_bytes()
    label.unlink()

    def interrupted(path, text):
        if path.name == "manifest.csv":
            raise KeyboardInterrupt
        write_text(path, text)

    with monkeypatch.context() as patched:
        patched.setattr("fastsam3d.dataset_folder.write_text", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(Request(source, out, workers=0))
    assert first.manifest.read_text() == before
    assert len(read_manifest(prepare(Request(source, out, workers=0)).manifest)) == 2
    assert verify(out) == []
    label.write_bytes(whole)
    with pytest.raises(InputError, match=r"case_001: labelsTr/case_001.nii.gz"):
        prepare(Request(source, out, workers=0))


@pytest.mark.parametrize("what", ["imagesTr/case_000_0000.nii.gz", "labelsTr/case_000.nii.gz"])
def test_a_source_that_was_replaced_is_refused_until_its_files_are_deleted(source, out, what):
    prepare(Request(source, out, workers=0))
    before, files = times(out), sorted(out.glob("*/case_000_*"))
    other = trees.Body(seed=99)
    trees.write(other.labels((1, 1)) if "labels" in what else other.image(), source / what)
    with pytest.raises(InputError, match=rf"case_000: {what}.*new folder, or delete their files"):
        prepare(Request(source, out, workers=0))
    assert times(out) == before
    old = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    prepare(Request(source, out, workers=0))
    assert [path.read_bytes() for path in files] != old
    assert verify(out) == []


def test_labels_that_were_renamed_in_the_source_are_refused(source, out):
    table = prepare(Request(source, out, workers=0)).manifest.read_text()
    edit(source / "dataset.json", "kidney", "spleen")
    with pytest.raises(
        InputError, match=r"since 3 of 3 cases were prepared \(case_000: the names of its labels"
    ):
        prepare(Request(source, out, workers=0))
    assert (out / "manifest.csv").read_text() == table


def test_two_calls_in_one_folder_do_not_meet(source, out):
    prepare(Request(source, out, workers=0))
    half = out / "Dataset001_Trunk" / ".0123abcd-case_000_image.nii.gz"
    half.write_bytes(b"half")
    with holder(out), pytest.raises(InputError, match=f"{out} is in use by process"):
        prepare(Request(source, out, workers=0))
    assert half.exists()
    prepare(Request(source, out, workers=0))
    assert not half.exists()
