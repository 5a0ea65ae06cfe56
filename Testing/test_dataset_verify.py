"""Whether a prepared dataset is as it was written: every fault is named, and what to do."""

import pytest

import trees
from fastsam3d.cli_prepare import prepare as command
from fastsam3d.dataset_prepare import Request, prepare
from fastsam3d.dataset_verify import verify
from fastsam3d.errors import InputError
from prepared import edit, hashes, records


@pytest.fixture
def source(tmp_path):
    return trees.nnunet(tmp_path / "Dataset001_Trunk")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


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


def test_a_file_that_has_changed_is_made_again_as_verifying_says(source, out, capsys):
    prepare(Request(source, out, workers=0))
    image, *_ = sorted(out.glob("*/*.nii.gz"))
    whole = image.read_bytes()
    image.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    (fault,) = verify(out)
    assert fault.endswith("has changed; run the command without --verify to make it again.")
    command(source, out, workers=0)
    path = image.relative_to(out)
    assert f"1 file made again, missing or changed before: {path}.\n" in capsys.readouterr().out
    assert image.read_bytes() == whole
    assert verify(out) == []
    command(source, out, workers=0)
    assert "made again" not in capsys.readouterr().out


def test_a_damaged_record_is_a_fault(source, out):
    prepare(Request(source, out, workers=0))
    first, *_ = sorted(records(out))
    first.write_text("{")
    (fault,) = verify(out)
    assert fault.startswith(
        f"{first.relative_to(out)} is damaged; run the command without --verify"
    )
    prepare(Request(source, out, workers=0))
    assert verify(out) == []


@pytest.mark.parametrize("record", ["", "{", "[1]"], ids=["empty", "half", "no record"])
def test_a_changed_image_whose_record_is_damaged_is_a_fault(source, out, record):
    prepare(Request(source, out, workers=0))
    sorted(records(out))[0].write_text(record)
    image, *_ = sorted(out.glob("*/*.nii.gz"))
    image.write_bytes(b"x" * image.stat().st_size)
    told = "has changed; run the command without --verify to make it again."
    assert f"{image.relative_to(out)} {told}" in verify(out)


def test_a_changed_image_whose_record_was_deleted_is_a_fault(source, out):
    prepare(Request(source, out, workers=0))
    for path in records(out):
        path.unlink()
    image, *_ = sorted(out.glob("*/*.nii.gz"))
    image.write_bytes(b"x" * image.stat().st_size)
    (fault,) = verify(out)
    assert fault.startswith(f"{image.relative_to(out)} has changed")


@pytest.mark.parametrize("name", ["manifest.csv", "report.md"])
def test_a_table_that_is_missing_or_changed_is_a_fault(source, out, name):
    prepare(Request(source, out, workers=0))
    (out / name).write_text((out / name).read_text() + "mine\n")
    assert f"{name} has changed; move it elsewhere and run the command without --verify." in verify(
        out
    )
    (out / name).unlink()
    assert verify(out) == [f"{name} is missing; run the command without --verify to make it."]


def test_a_hash_in_the_manifest_that_is_not_the_record_s_is_a_fault(source, out):
    manifest = prepare(Request(source, out, workers=0)).manifest
    sha256 = hashes(manifest)[1][0]
    edit(manifest, sha256, "0" * 64)
    told = "manifest.csv has another hash of Dataset001_Trunk/case_000_image.nii.gz than it was"
    assert any(fault.startswith(told) for fault in verify(out))


def test_verifying_what_was_never_prepared_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds nothing that was prepared"):
        verify(tmp_path)


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
