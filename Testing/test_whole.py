"""Files that are written whole or not at all, and what is said where they cannot be."""

from dataclasses import replace

import pytest
import torch

from distilling import TEACHER, drawn, teacher
from fastsam3d.apart import write_rows
from fastsam3d.curve import Record, open_log, write_curve
from fastsam3d.document import Text, write_both
from fastsam3d.errors import InputError
from fastsam3d.featurecache import FeatureCache
from fastsam3d.loop import Loop
from fastsam3d.manifest import Row
from fastsam3d.packing import save_weights
from fastsam3d.whole import sweep, write_text, write_whole
from fulldisk import needs_limits, no_room
from tinytask import TinyTask, tiny_config, tiny_examples


def save_checkpoint(folder):
    Loop(TinyTask(), tiny_examples(4), tiny_config()).save(folder / "tiny.ckpt")


def save_some_weights(folder):
    save_weights(folder / "tiny.safetensors", {"weight": torch.ones(40, 40)})


def keep_features(folder):
    list(FeatureCache(folder, teacher(TEACHER), 3).fill(drawn(1)))


def draw_a_curve(folder):
    write_curve(folder / "none.csv", folder / "tiny.png")


def log_many_steps(folder):
    add = open_log(folder / "tiny.csv", 0)
    for step in range(100):
        add(Record(step, 1.0, {"loss": 1.0}, 1.0))


def write_a_report(folder):
    write_both(folder, "tiny", [Text("word " * 400)])


def write_a_manifest(folder):
    row = Row("case", "patient", "folder", None, None)
    write_rows(folder / "tiny.csv", [replace(row, case=f"case {n}") for n in range(200)])


@needs_limits
@pytest.mark.parametrize(
    ("write", "name"),
    [
        (save_checkpoint, "tiny.ckpt"),
        (save_some_weights, "tiny.safetensors"),
        (keep_features, "features-00000.safetensors"),
        (draw_a_curve, "tiny.png"),
        (log_many_steps, "tiny.csv"),
        (write_a_report, "tiny.md"),
        (write_a_manifest, "tiny.csv"),
    ],
)
def test_a_full_disk_is_told_in_a_sentence_that_names_the_file(write, name, tmp_path):
    with no_room(), pytest.raises(InputError, match=f"{name} failed.*see whether the disk is full"):
        write(tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_the_systems_reason_is_told_where_there_is_one(tmp_path):
    with pytest.raises(InputError, match=r"failed \(No such file or directory\)"):
        write_text(tmp_path / "nowhere" / "file", "")


def test_an_error_of_another_kind_is_not_taken_for_the_disks(tmp_path):
    def fail(partial):
        raise KeyError

    with pytest.raises(KeyError):
        write_whole(tmp_path / "file", fail)


def test_sweeping_removes_what_was_left_half_written_of_one_file(tmp_path):
    names = [".0a1b2c3d-tiny.ckpt", ".0a1b2c3d-other.ckpt", "tiny.ckpt"]
    for name in names:
        (tmp_path / name).touch()
    sweep(tmp_path / "tiny.ckpt")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
