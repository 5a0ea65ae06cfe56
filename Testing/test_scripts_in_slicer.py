"""What Slicer runs by `--python-script`: the check of an installation, and the batch example."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import importlib.util
import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import slicer

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

import run_in_slicer
from FastSAM3DSlicerLib import selftest
from harness import fastsam, fixtures

application, scene, views = fixtures.application, fixtures.scene, fixtures.views
network, module = fastsam.network, fastsam.module

EXAMPLE = fastsam.MODULE.parents[1] / "Resources" / "Examples" / "segment_folder.py"


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def example(monkeypatch, without_torch, tmp_path):
    """The batch example, with a scan of a ball for every file, and what it saves."""
    code = EXAMPLE.read_text(encoding="utf-8")
    found = SimpleNamespace(__name__="example", saved={}, canSave=True)

    def save(node, file):
        (segment,) = node.GetSegmentation().GetSegmentIDs()
        found.saved[file] = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment).sum()
        return found.canSave

    monkeypatch.setattr(slicer.util, "loadVolume", lambda path: selftest.addBall())
    monkeypatch.setattr(slicer.util, "saveNode", save)
    logic = SimpleNamespace(FastSAM3DSlicerLogic=selftest.newLogic)
    monkeypatch.setitem(sys.modules, "FastSAM3DSlicer", logic)
    exec(compile(code, str(EXAMPLE), "exec"), vars(found))
    return found


def test_an_installation_that_works_is_told_in_a_sentence(module, without_torch):
    assert run_in_slicer.check().endswith("a stand-in network: PyTorch is missing.")


def test_an_installation_that_works_ends_with_zero(module, without_torch, caplog):
    caplog.set_level(logging.INFO)
    assert run_in_slicer.main() == 0
    assert "FastSAM3D works" in caplog.text


def test_an_installation_that_does_not_work_ends_with_one(module, monkeypatch, caplog):
    def fail(test):
        raise AssertionError("The mask lacks the voxel that was clicked on.")

    monkeypatch.setattr(selftest, "run", fail)
    assert run_in_slicer.main() == 1
    assert "The mask lacks the voxel" in caplog.text


@pytest.mark.parametrize("can_load", [True, False])
def test_from_a_checkout_slicers_factory_loads_the_module(application, monkeypatch, can_load):
    calls = []
    factory = SimpleNamespace(
        registerModule=lambda file: calls.append(file.fileName()),
        loadModules=lambda names: calls.append(names) or can_load,
    )
    manager = SimpleNamespace(factoryManager=lambda: factory)
    monkeypatch.setattr(application, "_modules", manager)
    monkeypatch.setattr(sys, "path", [*sys.path])
    if can_load:
        run_in_slicer.load()
        assert calls == ["FastSAM3DSlicer.py", ["FastSAM3DSlicer"]]
    else:
        with pytest.raises(RuntimeError, match="could not load"):
            run_in_slicer.load()


def table_of(folder, *images):
    right, anterior, superior, _ = selftest.TO_RAS @ [*selftest.MIDDLE_KJI[::-1], 1]
    rows = [f"{image},{right},{anterior},{superior},1" for image in images]
    table = folder / "clicks.csv"
    table.write_text("image,r,a,s,label\n" + "\n".join(rows), encoding="utf-8")
    return table


def test_the_example_segments_every_scan_of_a_table(scene, example, tmp_path):
    table = table_of(tmp_path, "one.nrrd", "two.nrrd", "one.nrrd")
    files = example.main(table, tmp_path / "masks")
    assert [file.name for file in files] == ["one.seg.nrrd", "two.seg.nrrd"]
    assert [*example.saved] == [str(file) for file in files]
    assert np.min([*example.saved.values()]) > 0


def test_the_example_saves_every_scan_in_a_file_of_its_own(scene, example, tmp_path):
    images = ("scan.1.nrrd", "scan.2.nii.gz", "a/scan.nrrd", "b/scan.nrrd", "../b/c/scan.nrrd")
    files = example.main(table_of(tmp_path, *images), tmp_path / "masks")
    names = ["scan.1", "scan.2", "a/scan", "b/scan", "b/c/scan"]
    assert files == [tmp_path / "masks" / f"{name}.seg.nrrd" for name in names]
    assert len(example.saved) == len(images)


def test_the_example_refuses_two_scans_in_one_file_before_it_begins(scene, example, tmp_path):
    with pytest.raises(ValueError, match=r"scan.nrrd and scan.nii.gz would both be saved as"):
        example.main(table_of(tmp_path, "scan.nrrd", "scan.nii.gz"), tmp_path / "masks")
    assert not example.saved


def test_the_example_says_which_file_could_not_be_written(scene, example, tmp_path):
    example.canSave = False
    with pytest.raises(OSError, match=r"one.seg.nrrd could not be written"):
        example.main(table_of(tmp_path, "one.nrrd"), tmp_path / "masks")
