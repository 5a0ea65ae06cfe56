"""The systems that the paper compares, and ours: what each is, and how to make it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .. import registry
from ..errors import InputError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Traits:
    """A row of the paper's Table 1."""

    medical: bool = False
    volumetric: bool = False
    efficient_image_encoder: bool = False
    efficient_prompt_encoder: bool = False
    efficient_mask_decoder: bool = False


@dataclass(frozen=True)
class System:
    """One row of the paper's tables.

    Attributes:
        key: what commands call it.
        title: what the tables call it.
        size: side of the square or cube that it reads.
        traits: what it declares in Table 1.
        dimensions: 2, if it reads slices (a `PlanarNetwork`), or 3 (a `FastSAM3D`).
        build: makes the network with random weights, on torch's default device, also "meta".
        weights: the official file, where it is to be had, and its licence.
    """

    key: str
    title: str
    size: int
    traits: Traits
    dimensions: Literal[2, 3]
    build: "Callable[[], nn.Module]"
    weights: str


def find(key: str) -> System:
    """Look a system up.

    Raises:
        InputError: there is none of that name.
    """
    if key not in SYSTEMS:
        raise InputError(f"There is no system called {key!r}; known are {', '.join(SYSTEMS)}.")
    return SYSTEMS[key]


def check(system: System, path: Path | None = None) -> None:
    """Refuse a file that a system for slices cannot be loaded from, without making its network.

    Raises:
        InputError: as `load`.
    """
    import torch

    from ..checkpoints import read_state
    from .official import fit

    if path is not None:
        read_state(path)  # before the packages that make the network, which take seconds to import
    with torch.device("meta"):
        own = system.build().state_dict()
    if path is not None:
        fit(path, own, system.title, system.weights)


def load(system: System, path: Path | None = None, device: str = "cpu") -> "nn.Module":
    """Make a system's network, in evaluation mode and frozen, on a device.

    Args:
        system: one of `SYSTEMS`.
        path: the official file, loaded strictly; None leaves the weights random.
        device: as `inputs.pick_device` reads it.

    Raises:
        InputError: the file is missing, refused or of another network, or a package is missing.
    """
    from ..inputs import pick_device

    where = pick_device(device)
    if system.dimensions == 3:
        return _load_volumetric(system, path, device)
    network = system.build()
    if path is not None:
        from .official import fit

        own = network.state_dict()
        network.load_state_dict(fit(path, own, system.title, system.weights))
    return network.to(where).requires_grad_(requires_grad=False).eval()


def _load_volumetric(system: System, path: Path | None, device: str) -> "nn.Module":
    from ..loading import load_model

    state = system.build().state_dict() if path is None else None
    return load_model(
        system.key, checkpoint=path, state_dict=state, device=device, precision="float32"
    )


def _build_volumetric(preset: str) -> "nn.Module":
    from ..config import PRESETS
    from ..loading import build

    return build(PRESETS[preset])


def _build_sam() -> "nn.Module":
    from .sam import build_sam

    return build_sam()


def _build_medsam() -> "nn.Module":
    from .sam import build_medsam

    return build_medsam()


def _build_tiny() -> "nn.Module":
    from .tiny_vit import build_tiny

    return build_tiny()


def _build_sam_med2d() -> "nn.Module":
    from .sam_med2d import build_sam_med2d

    return build_sam_med2d()


def _planar(
    key: str, title: str, size: int, traits: Traits, build: "Callable[[], nn.Module]", weights: str
) -> System:
    return System(key, title, size, traits, 2, build, f"{weights}, Apache-2.0")


def _volumetric(key: str, title: str, traits: Traits) -> System:
    entry = registry.of_preset(key)
    weights = f"{entry.file}, {entry.source}, {entry.licence}"
    return System(key, title, 128, traits, 3, partial(_build_volumetric, key), weights)


_EFFICIENT = Traits(
    efficient_image_encoder=True, efficient_prompt_encoder=True, efficient_mask_decoder=True
)
_ALL = Traits(
    medical=True,
    volumetric=True,
    efficient_image_encoder=True,
    efficient_prompt_encoder=True,
    efficient_mask_decoder=True,
)
_TABLE = (
    _planar(
        "sam",
        "SAM",
        1024,
        Traits(),
        _build_sam,
        "sam_vit_b_01ec64.pth, https://github.com/facebookresearch/segment-anything",
    ),
    _planar(
        "mobilesam",
        "MobileSAM",
        1024,
        Traits(efficient_image_encoder=True),
        _build_tiny,
        "mobile_sam.pt, https://github.com/ChaoningZhang/MobileSAM",
    ),
    _planar(
        "tinysam",
        "TinySAM",
        1024,
        _EFFICIENT,
        _build_tiny,
        "tinysam.pth, https://github.com/xinghaochen/TinySAM",
    ),
    _planar(
        "medsam",
        "MedSAM",
        1024,
        Traits(medical=True),
        _build_medsam,
        "medsam_vit_b.pth, https://github.com/bowang-lab/MedSAM",
    ),
    _planar(
        "sam-med2d",
        "SAM-Med2D",
        256,
        Traits(medical=True),
        _build_sam_med2d,
        "sam-med2d_b.pth, https://github.com/OpenGVLab/SAM-Med2D",
    ),
    _volumetric("sam-med3d", "SAM-Med3D", Traits(medical=True, volumetric=True)),
    _volumetric("fastsam3d", "FastSAM3D", _ALL),
    _volumetric("fastsam3d-default", "FastSAM3D, default", _ALL),
)

SYSTEMS: dict[str, System] = {system.key: system for system in _TABLE}
"""In the order of the paper's tables, ours last."""
