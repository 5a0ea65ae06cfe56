"""What is installed, what is in use, what is missing and the command that mends it."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import __version__
from .errors import InputError

NEEDED = (
    "numpy", "scipy", "SimpleITK", "scikit-image", "matplotlib", "torch", "safetensors",
    "huggingface-hub", "typer", "rich",
)  # fmt: skip

OPTIONAL = {
    "slicer-core": ("compares with Grow from seeds", "pip install 'fastsam3d[compare]'"),
    "lightning": ("trains networks", "pip install 'fastsam3d[train]'"),
    "transformers": ("builds the paper's 2D systems", "pip install 'fastsam3d[benchmark]'"),
}


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    found: str
    good: bool = True
    needed: bool = True
    mend: str = ""
    """The command that mends it, if it is not good."""


def examine(preset: str = "fastsam3d-default", device: str = "auto") -> list[Check]:
    """Look at the installation; never raises for what it finds."""
    checks = [_python(), *map(_package, NEEDED), *_optional()]
    if all(check.good for check in checks if check.name in ("torch", "numpy")):
        checks += [*_torch(preset, device)]
    return [*checks, *_weights(preset), _memory()]


def _python() -> Check:
    found = (
        f"{platform.python_version()} on {platform.platform(terse=True)}, fastsam3d {__version__}"
    )
    return Check("python", found, sys.version_info >= (3, 11), mend="install Python 3.11 or newer")


def version_of(name: str) -> str | None:
    """Return the version of an installed package; None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(name: str) -> Check:
    version = version_of(name)
    if version is None:
        return Check(name, "missing", good=False, mend=f"pip install {name}")
    return Check(name, version)


def _optional() -> Iterator[Check]:
    for name, (purpose, command) in OPTIONAL.items():
        version = version_of(name)
        found = f"{version or 'not installed'}; {purpose}"
        yield Check(name, found, version is not None, needed=False, mend=command)


def _torch(preset: str, device: str) -> Iterator[Check]:
    try:
        import torch
    except (ImportError, OSError) as error:
        found = f"does not load: {str(error).splitlines()[0]}"
        yield Check("torch loads", found, good=False, mend="pip install --force-reinstall torch")
        return
    yield _cuda(torch.version.cuda, available=torch.cuda.is_available())
    from .inputs import pick_device

    try:
        place = str(pick_device(device))
    except InputError as error:
        yield Check("device in use", str(error), good=False, mend="leave out --device")
        return
    threads = f", threads: {torch.get_num_threads()}" if place == "cpu" else ""
    yield Check("device in use", f"{place}{threads}")
    yield Check("attention in use", attention_form(place))
    yield Check("precision in use", precision_form(preset, place), needed=False)


def _cuda(built_for: str | None, *, available: bool) -> Check:
    if available:
        import torch

        return Check("CUDA", f"{built_for}, {torch.cuda.get_device_name()}", needed=False)
    if shutil.which("nvidia-smi") is None:
        return Check("CUDA", "no NVIDIA driver; the CPU is enough", needed=False)
    if built_for is None:
        mend = (
            "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu128"
        )
        found = "there is an NVIDIA driver, but torch was built for the CPU alone"
        return Check("CUDA", found, good=False, needed=False, mend=mend)
    found = f"torch was built for CUDA {built_for}, which the NVIDIA driver does not serve"
    return Check("CUDA", found, good=False, needed=False, mend="update the NVIDIA driver")


def attention_form(place: str) -> str:
    """Say which kernels `scaled_dot_product_attention` has on a device."""
    import torch

    if place.startswith("cuda"):
        names = {"flash": "flash", "mem_efficient": "memory-efficient", "math": "plain"}
        backends: Any = torch.backends.cuda
        usable = [
            text for name, text in names.items() if getattr(backends, f"{name}_sdp_enabled")()
        ]
        return f"scaled_dot_product_attention on {place}: {', '.join(usable)}"
    kernel = "fused kernel" if place == "cpu" else "Metal kernel"
    return f"scaled_dot_product_attention on {place}: {kernel}"


def precision_form(preset: str, place: str) -> str:
    """Say in which precision a network computes on a device, by what was measured there."""
    import torch

    from .fastest import best, candidates, file, kept, of_device

    device = torch.device(place)
    if not candidates(device):
        return f"{preset} on {place}: float32"
    key = of_device(preset, device)
    found = [trials for name, trials in kept().items() if name.startswith(key)]
    if not found:
        return f"{preset} on {place}: measured at the first use"
    chosen = best(found[-1])
    times = ", ".join(
        f"{trial.precision} {trial.ms:.0f} ms"
        + (f" ({100 * trial.error:.2g} % off)" if trial.error else "")
        for trial in found[-1]
    )
    return (
        f"{preset} on {place}: {chosen}, the fastest of those within 1 % of float32; a patch took "
        f"in {times} (delete {file()} to measure again)"
    )


def _weights(preset: str) -> Iterator[Check]:
    from . import registry, store

    for row in store.rows():
        ready = row.status in ("bundled", "installed")
        found = f"{row.status}" + (f", {row.path}" if row.path else "")
        flag = "" if registry.find(row.name).sha256 else " --trust-first-use"
        mend = f"fastsam3d weights get {row.name}{flag}"
        if row.status != "bundled" and registry.find(row.name).bundled:
            mend = "pip install --force-reinstall fastsam3d"
        yield Check(f"weights {row.name}", found, ready, needed=row.name == preset, mend=mend)


def _memory() -> Check:
    gib = memory_gib()
    if gib is None:
        return Check("memory", "unknown", needed=False)
    return Check("memory", f"{gib:.1f} GiB", gib >= 3.5, mend="use a computer with 4 GiB or more")


def memory_gib() -> float | None:
    """Return how much memory this computer has; None if the system does not tell."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
