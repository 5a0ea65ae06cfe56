"""A folder that one process works in at a time."""

import os
import signal
import socket

import pytest

from fastsam3d import lock as module
from fastsam3d.errors import InputError
from fastsam3d.lock import LOCK, locked
from lockholder import holder


def test_second_process_is_told_who_holds_the_folder(tmp_path):
    with holder(tmp_path) as process:
        said = f"in use by process {process.pid} on {socket.gethostname()}; wait"
        with pytest.raises(InputError, match=said), locked(tmp_path):
            pytest.fail("Both hold it.")
    with locked(tmp_path):
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} ")


def test_process_that_is_killed_holds_nothing(tmp_path):
    with holder(tmp_path) as process:
        process.kill()
    with locked(tmp_path):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
def test_children_of_a_process_that_was_killed_hold_nothing(tmp_path):
    with holder(tmp_path, "with a child") as process:
        assert process.wait() == -signal.SIGKILL
        with locked(tmp_path):
            pass


def test_folder_is_free_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyError), locked(tmp_path):
            raise KeyError


def test_folder_that_is_none_is_told(tmp_path):
    with pytest.raises(InputError, match="Cannot write into"), locked(tmp_path / "nowhere"):
        pass


def test_disk_that_holds_no_files_is_worked_on_nevertheless(tmp_path, monkeypatch):
    def fail(file):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(module, "_take", fail)
    with locked(tmp_path):
        pass
