import pytest

import trees


def test_a_dataset_becomes_a_manifest_by_one_command(run, tmp_path):
    source = trees.amos(tmp_path / "amos22")
    code, out, err = run("prepare", source, tmp_path / "out", "--workers", "0")
    assert code == 0
    assert "manifest.csv: 3 images (amos22)." in out
    assert err.splitlines()[-1] == "prepare: 100%, 3 of 3, amos_0008"
    code, out, _ = run("prepare", source, tmp_path / "out", "--verify")
    assert code == 0
    assert "every file is as it was written" in out


def test_a_damaged_file_is_told_and_the_rest_goes_on(run, tmp_path):
    source = trees.amos(tmp_path / "amos22")
    trees.damage(source / "labelsVa" / "amos_0008.nii.gz")
    code, out, err = run("prepare", source, tmp_path / "out", "--workers", "0")
    assert code == 0
    assert "2 images" in out
    told = [line for line in err.splitlines() if not line.startswith("prepare: ")]
    assert len(told) == 1
    assert told[0].startswith("amos_0008: left out: amos_0008.nii.gz is cut short")


def test_a_folder_of_no_layout_is_refused_in_a_sentence(run, assert_refused, tmp_path):
    before = sorted(tmp_path.iterdir())
    result = run("prepare", tmp_path, tmp_path / "out")
    assert_refused(result, tmp_path, before, "none of the layouts")


def test_labels_of_brats_by_themselves_are_an_option(run, tmp_path):
    source = trees.brats(tmp_path / "brats", patients=(2,))
    out = tmp_path / "out"
    code, _, _ = run("prepare", source, out, "--no-groups", "--channel", "t1", "--workers", "0")
    assert code == 0
    assert "groups" not in (out / "manifest.csv").read_text()
    again = run("prepare", source, out, "--channel", "t1", "--workers", "0")
    assert again[0] == 2
    assert "was prepared otherwise;" in again[2]
    assert "It has groups no; asked for: groups yes." in again[2]


@pytest.mark.parametrize("command", ["train", "distill"])
@pytest.mark.parametrize("seed", ["1" * 23, "4294967296", "-1"])
def test_a_seed_out_of_reach_is_refused_in_a_sentence(run, assert_refused, tmp_path, command, seed):
    others = ["-o"] if command == "train" else []
    manifest, out = tmp_path / "manifest.csv", tmp_path / "out"
    result = run(command, manifest, *others, out, "--seed", seed)
    assert_refused(result, tmp_path, [], f"Got the seed {seed}; give a whole number from 0 to 4294")
