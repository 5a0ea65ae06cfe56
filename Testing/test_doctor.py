import importlib.metadata

import pytest
import torch

from fastsam3d import doctor, registry
from fastsam3d.doctor import attention_form, examine


def named(checks):
    return {check.name: check for check in checks}


def test_what_is_installed_is_told_with_its_version():
    checks = named(examine())
    assert checks["numpy"].found == importlib.metadata.version("numpy")
    assert checks["python"].good
    assert "weights fastsam3d-default" in checks


def test_the_device_and_the_attention_in_use_are_told():
    checks = named(examine(device="cpu"))
    assert checks["device in use"].found == f"cpu, threads: {torch.get_num_threads()}"
    assert "scaled_dot_product_attention on cpu" in checks["attention in use"].found
    assert "flash" in attention_form("cuda")


def test_a_missing_package_comes_with_the_command_that_mends_it(monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name in ("scipy", "lightning"):
            raise importlib.metadata.PackageNotFoundError
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    checks = named(examine())
    assert not checks["scipy"].good
    assert checks["scipy"].mend == "pip install scipy"
    assert not checks["lightning"].good
    assert not checks["lightning"].needed


def test_weights_that_are_missing_come_with_the_command_that_gets_them(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path))
    check = named(examine())["weights sam-med3d"]
    assert not check.good
    assert not check.needed
    assert check.mend == "fastsam3d weights get sam-med3d"
    assert named(examine("sam-med3d"))["weights sam-med3d"].needed


def test_a_package_without_its_own_weights_is_to_be_installed_again(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "BUNDLED_FOLDER", tmp_path)
    check = named(examine())["weights fastsam3d-default"]
    assert not check.good
    assert check.needed
    assert check.mend == "pip install --force-reinstall fastsam3d"


@pytest.mark.parametrize(
    ("driver", "built_for", "told"),
    [
        (None, None, "the CPU is enough"),
        ("/usr/bin/nvidia-smi", None, "built for the CPU alone"),
        ("/usr/bin/nvidia-smi", "12.8", "does not serve"),
    ],
)
def test_why_cuda_is_not_used_is_told(monkeypatch, driver, built_for, told):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: driver)
    check = doctor._cuda(built_for, available=False)
    assert told in check.found
    assert check.good == (driver is None)
    assert not check.needed
