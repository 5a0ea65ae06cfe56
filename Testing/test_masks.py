"""Masks in files: whole, with their values, or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastsam3d
from fastsam3d.errors import InputError
from fastsam3d.images import read_labels
from fastsam3d.masks import check_output, write_mask
from fastsam3d.whole import write_whole


@pytest.mark.parametrize("name", ["mask.png", "mask", ".nii.gz", "nowhere/mask.nii.gz"])
def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path, name):
    with pytest.raises(InputError, match="Cannot write"):
        check_output(tmp_path / name)


def test_a_write_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path):
    path = tmp_path / "mask.nii.gz"
    path.write_text("before")

    def fail(partial):
        partial.write_text("half")
        raise OSError("no room")

    with pytest.raises(InputError, match="failed"):
        write_whole(path, fail)
    assert [p.name for p in tmp_path.iterdir()] == ["mask.nii.gz"]
    assert path.read_text() == "before"


def test_three_hundred_labels_keep_their_values(tmp_path):
    labels = np.arange(6 * 7 * 8).reshape(6, 7, 8)
    write_mask(tmp_path / "mask.nrrd", labels, np.eye(4))
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.nrrd").array_kji, labels)


@pytest.mark.skipif(sys.platform == "win32", reason="files are limited as POSIX does")
def test_a_mask_that_the_disk_has_no_room_for_leaves_nothing(tmp_path):
    """ITK itself would leave a file that lacks its end, and say nothing."""
    script = (
        "import resource, signal, sys; import numpy as np\n"
        "from fastsam3d.images import write_mask\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "noise = np.random.default_rng(0).integers(0, 2, (40, 40, 40))\n"
        "write_mask(sys.argv[1], noise, np.eye(4))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "mask.nii.gz")],
        env=os.environ | {"PYTHONPATH": str(Path(fastsam3d.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "mask.nii.gz failed; see whether the disk is full" in done.stderr
    assert not list(tmp_path.iterdir())
