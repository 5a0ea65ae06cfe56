"""What is installed inside Slicer, by whom, after which question; and what to do if it fails."""
# ruff: noqa: E402 -- packages are asked for before what needs them is imported

import subprocess
import sys
from types import SimpleNamespace

import pytest
import slicer

from harness import packages

packages.require()

from harness import scripted

scripted.provide_translation()

from FastSAM3DSlicerLib import install
from FastSAM3DSlicerLib.errors import UserError
from harness.installers import installers

__all__ = ["installers"]


def ignore(line):
    """Take a line of the log."""


def test_on_a_fresh_slicer_both_are_missing(installers):
    assert install.missing() == ["torch>=2.5", "safetensors>=0.5"]


@pytest.mark.parametrize(
    ("version", "is_missing"), [("2.4.1+cu121", True), ("2.5.0", False), ("2.13.0+cpu", False)]
)
def test_a_torch_that_is_too_old_is_missing(installers, version, is_missing):
    installers.versions.update(torch=version, safetensors="0.7.0")
    assert bool(install.missing()) == is_missing


def test_what_will_be_installed_is_named_with_its_size(installers):
    text = install.announcement(["torch>=2.5", "safetensors>=0.5"])
    assert "PyTorch: 0.2 GB to download, with an NVIDIA card 2 to 3 GB" in text
    assert "safetensors: 1 MB" in text
    assert "PyTorch:" not in install.announcement(["safetensors>=0.5"])


def test_torch_comes_through_its_own_extension_and_the_user_is_asked_once(installers):
    install.install(ignore)
    assert installers.asked == [
        ("PyTorchUtils", "torch>=2.5", True),
        ("pip_ensure for FastSAM3D", "safetensors>=0.5", False),
    ]


def test_without_torch_to_install_the_question_comes_from_the_rest(installers):
    installers.versions["torch"] = "2.9.0"
    install.install(ignore)
    assert installers.asked == [("pip_ensure for FastSAM3D", "safetensors>=0.5", True)]


def test_a_second_attempt_goes_on_with_what_is_left(installers):
    installers.versions["torch"] = "2.9.0"
    installers.error = OSError("[Errno 28] No space left on device")
    with pytest.raises(UserError):
        install.install(ignore)
    installers.error = None
    install.install(ignore)
    assert install.missing() == []


@pytest.mark.parametrize("is_allowed", [True, False])
def test_slicer_5_10_installs_the_rest_by_its_older_function(installers, monkeypatch, is_allowed):
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: is_allowed)
    monkeypatch.setattr(
        slicer.util, "pip_install", lambda what: installers.serve("pip_install", what, asks=False)
    )
    installers.versions["torch"] = "2.9.0"
    if is_allowed:
        install.install(ignore)
        assert installers.asked == [("pip_install", "safetensors>=0.5", False)]
    else:
        with pytest.raises(UserError, match="Nothing was installed"):
            install.install(ignore)
        assert installers.asked == []


@pytest.mark.parametrize("versions", [{}, {"torch": "2.9.0"}])
def test_a_user_who_says_no_is_told_that_nothing_happened(installers, versions):
    installers.versions.update(versions)
    installers.is_refused = True
    with pytest.raises(UserError, match="Nothing was installed"):
        install.install(ignore)
    assert len(installers.asked) == 1


def test_without_the_extension_pytorch_one_is_told_to_get_it(installers, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(UserError, match="get it from the Extensions Manager"):
        install.install(ignore)


def test_what_is_there_only_after_a_restart_is_told(installers, monkeypatch):
    monkeypatch.setattr(installers, "serve", lambda *_, **__: True)
    with pytest.raises(UserError, match=r"torch, safetensors could not be found.*restart Slicer"):
        install.install(ignore)


def test_the_log_is_passed_on_line_by_line(installers):
    installers.said = ("Collecting torch", "Downloading torch-2.9.0 (180 MB)")
    heard = []
    install.install(heard.append)
    assert heard[:2] == ["Collecting torch", "Downloading torch-2.9.0 (180 MB)"]


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("OSError: [Errno 28] No space left on device", "make room"),
        ("ERROR: [WinError 5] Access is denied: 'torch_cpu.dll'", "restart Slicer"),
        ("SSLError(SSLCertVerificationError(...))", "whoever runs the network"),
        ("Max retries exceeded ... Failed to resolve 'pypi.org'", "connect to the internet"),
        ("ERROR: No matching distribution found for torch>=2.5", "update Slicer"),
        ("MemoryError", "close other programs"),
        ("something else", "log below"),
    ],
)
def test_a_failure_names_its_cause_and_its_cure(installers, said, cure):
    installers.said = (said,)
    installers.error = subprocess.CalledProcessError(1, "pip")
    with pytest.raises(UserError, match=cure):
        install.install(ignore)


def test_what_downloads_weights_is_asked_for_by_itself_and_once(installers):
    install.installDownloader(ignore)
    install.installDownloader(ignore)
    assert installers.asked == [("pip_ensure for FastSAM3D", "huggingface-hub>=1.0", True)]


class TestRemark:
    @pytest.fixture
    def torch(self, monkeypatch):
        """Let torch be built for CUDA or not, and the driver be there or not."""

        def build(cuda, *, has_driver):
            torch = SimpleNamespace(version=SimpleNamespace(cuda=cuda))
            monkeypatch.setitem(sys.modules, "torch", torch)
            monkeypatch.setattr("shutil.which", lambda name: "nvidia-smi" if has_driver else None)

        return build

    def test_a_card_in_use_needs_no_remark(self, torch):
        torch("12.8", has_driver=True)
        assert install.remark("cuda:0") == ""

    def test_a_computer_without_a_card_works_on_its_cpu(self, torch):
        torch(None, has_driver=False)
        assert install.remark("cpu") == "The network works on the CPU of this computer."

    def test_a_torch_built_for_the_cpu_alone_is_told(self, torch):
        torch(None, has_driver=True)
        assert "built without CUDA" in install.remark("cpu")

    def test_a_driver_that_does_not_fit_is_told(self, torch):
        torch("12.8", has_driver=True)
        assert "does not serve CUDA 12.8" in install.remark("cpu")
