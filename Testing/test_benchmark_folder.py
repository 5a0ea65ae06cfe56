"""What the folder of one dataset and protocol is bound to, and what its report shows of it."""

import json
from dataclasses import replace

import pytest
import torch

from fastsam3d import classical
from fastsam3d.benchmark import accuracy, systems
from fastsam3d.benchmark.accuracy import Asked, run
from fastsam3d.benchmark.sam import SamNetwork
from fastsam3d.benchmark.systems import System, Traits
from fastsam3d.errors import InputError
from fastsam3d.packing import save_weights
from minibench import BrightSlices, write_manifest

TOOL = "region-growing"


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path / "boxes", ("a1", "b1"))


@pytest.fixture
def asked(manifest, tmp_path):
    return Asked(manifest, tmp_path / "out", (TOOL,), clicks=1, limit=1, device="cpu")


@pytest.fixture
def sam(monkeypatch):
    """A system for slices that takes what is bright; keeps how often it was made."""
    made = []

    def build():
        made.append("sam")
        return BrightSlices()

    system = System("sam", "SAM", 64, Traits(), 2, build, "sam.pth, example.org")
    monkeypatch.setitem(systems.SYSTEMS, "sam", system)
    return made


def noted(asked):
    return json.loads((asked.output / "asked.json").read_text())


def test_a_folder_without_a_result_is_free_for_something_else(asked, monkeypatch):
    def refuse(*arguments):
        raise InputError("cannot be made")

    with monkeypatch.context() as broken:
        broken.setattr(accuracy, "_evaluator", refuse)
        with pytest.raises(InputError, match="cannot be made"):
            run(asked)
    assert noted(asked)["clicks"] == 1
    run(replace(asked, clicks=2))
    assert noted(asked)["clicks"] == 2
    with pytest.raises(InputError, match="another accuracy, with another clicks"):
        run(asked)


def test_results_bind_a_folder_though_no_record_is_left(asked):
    run(asked)
    for path in (asked.output / "records").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="another accuracy, with another clicks"):
        run(replace(asked, clicks=2))


def test_a_manifest_is_the_same_by_its_file_and_by_its_folder(asked, manifest, monkeypatch):
    run(asked)
    run(replace(asked, manifest=manifest.parent))
    monkeypatch.chdir(manifest.parent)
    run(replace(asked, manifest=manifest.relative_to(manifest.parent)))
    assert noted(asked)["manifest"] == str(manifest)
    assert len(list((asked.output / "records").iterdir())) == 1


def test_damaged_weights_are_refused_before_a_network_is_made_and_leave_nothing(
    asked, sam, tmp_path
):
    (tmp_path / "junk.pth").write_bytes(b"junk")
    weights = (("sam", tmp_path / "junk.pth"),)
    with pytest.raises(InputError, match=r"junk\.pth was refused: it is truncated, damaged"):
        run(replace(asked, methods=("sam",), weights=weights))
    assert sam == []
    assert not asked.output.exists()


@pytest.mark.parametrize("key", ["sam", "fastsam3d-default"])
def test_weights_of_another_network_are_refused_and_leave_nothing(asked, sam, tmp_path, key):
    save_weights(tmp_path / "other.safetensors", {"other": torch.zeros(2)})
    weights = ((key, tmp_path / "other.safetensors"),)
    with pytest.raises(InputError, match="unknown 'other'"):
        run(replace(asked, methods=(key,), weights=weights))
    assert not asked.output.exists()


def test_weights_of_the_right_network_are_let_in(asked, sam, tmp_path):
    torch.save(BrightSlices().state_dict(), tmp_path / "sam.pth")
    weights = (("sam", tmp_path / "sam.pth"),)
    assert len(run(replace(asked, methods=("sam",), weights=weights)).results) == 1


def test_a_missing_package_is_told_before_anything_is_begun(asked, monkeypatch):
    def missing():
        raise InputError("needs something")

    monkeypatch.setitem(classical.TOOLS, TOOL, missing)
    with pytest.raises(InputError, match="needs something"):
        run(asked)
    assert not asked.output.exists()


def test_a_device_that_is_not_there_is_refused_before_anything_is_begun(asked):
    with pytest.raises(InputError, match="Got device"):
        run(replace(asked, device="no-such"))
    assert not asked.output.exists()


def test_objects_that_a_later_call_does_not_ask_for_are_counted(asked):
    assert run(replace(asked, limit=3)).hidden == 0
    fewer = run(replace(asked, limit=2))
    assert (len(fewer.results), fewer.hidden) == (2, 1)
    assert len(run(replace(asked, limit=None)).results) == 4


def test_reports_have_no_figures_of_untrained_networks(asked, sam):
    outcome = run(replace(asked, methods=("sam", TOOL), untrained=True))
    assert [result.method for result in outcome.results] == ["sam untrained", TOOL]
    written = {path.name: path.read_text() for path in asked.output.glob("*.*")}
    assert "sam untrained" in written["objects.jsonl"]
    for name in ("report.md", "objects.csv", "report.json"):
        assert TOOL in written[name]
        assert "sam untrained" not in written[name]
    assert written["report.md"].endswith(
        "\n\n### Without figures\n\nsam: ran with random weights, and an untrained network has no "
        "Dice.\n"
    )


def test_a_report_of_untrained_networks_alone_says_so(asked, sam):
    asked.output.mkdir()
    (asked.output / "objects.csv").write_text("older")
    run(replace(asked, methods=("sam",), untrained=True))
    assert (asked.output / "report.md").read_text().startswith("### Without figures\n\nsam: ran")
    assert not (asked.output / "objects.csv").exists()
    assert not (asked.output / "report.json").exists()


def test_sams_own_network_is_outlined_without_weights(monkeypatch):
    devices = []
    real = SamNetwork.state_dict

    def state_dict(self, *arguments, **named):
        found = real(self, *arguments, **named)
        devices.extend({value.device.type for value in found.values()})
        return found

    monkeypatch.setattr(SamNetwork, "state_dict", state_dict)
    systems.check(systems.SYSTEMS["sam"])
    assert set(devices) == {"meta"}
