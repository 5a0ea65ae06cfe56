"""What the encoder and the decoder of a system are, and one pass of each on random input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..attention import PLAIN
from ..encoder import use_forms
from ..loading import outline
from ..model import FastSAM3D
from .as_published import work_as_published
from .planar import PlanarNetwork
from .systems import find, load

PartName = Literal["encoder", "decoder"]

_EMBEDDING = 256
_STRIDE = 16
"""Of every 2D system: channels of the embedding, and pixels to one of its cells."""

_NAMES = {"encoder": ("image_encoder", "vision_encoder"), "decoder": ("mask_decoder",)}

LEFT_OUT = {"fastsam3d": ("attn.proj",), "sam-med2d": ("adapter",)}
"""By system: modules that the code behind the paper's GFLOPs did without."""

LEFT_OUT_EXACT = {"sam-med2d": ("adapter",)}
"""By system: modules that do not count in all operations either, so that both counts are of one
network. FastSAM3D's projection is part of every network of it, and does count."""


@dataclass(frozen=True)
class Part:
    """One part of a network, ready to run.

    Attributes:
        network: all of it; the weights of the other part lie in memory too.
        module: what is counted: the image encoder, or the mask decoder without the prompt encoder.
        run: makes one pass, of one slice or one patch; the decoder's is one click with the mask of
            an earlier one, prompt encoder included.
        parameters: of the image encoder, or of all the rest.
        leave_out: see `flops.count_published`.
        leave_out_exact: see `flops.count_exact`.
    """

    network: nn.Module
    module: nn.Module
    run: Callable[[], Any]
    parameters: int
    leave_out: tuple[str, ...] = ()
    leave_out_exact: tuple[str, ...] = ()


Maker = Callable[..., Part]
"""Makes a part on a device of a name, which may be "meta", of arguments that JSON can hold."""


def system_part(device: str, *, system: str, part: PartName, padded: bool = False) -> Part:
    """Make a part of one of the systems, its weights random.

    Args:
        device: "cpu", "cuda", "mps" or "meta".
        system: its key.
        part: which.
        padded: whether 3D windows are padded, in plain torch, as in the published code.

    Raises:
        InputError: there is no such system, or a package that it needs is missing.
    """
    torch.manual_seed(0)
    found = find(system)
    if device == "meta":
        with torch.device("meta"):
            network = found.build().eval().requires_grad_(requires_grad=False)
    else:
        network = load(found, None, device)
    if padded:
        use_forms(network, PLAIN)
        work_as_published(network)
    return part_of(network, part, LEFT_OUT.get(system, ()), LEFT_OUT_EXACT.get(system, ()))


def part_of(
    network: nn.Module,
    part: PartName,
    leave_out: tuple[str, ...] = (),
    leave_out_exact: tuple[str, ...] = (),
) -> Part:
    """Make a part of a network, 2D or 3D, on the device that it is on."""
    actions = _planar(network) if isinstance(network, PlanarNetwork) else _volumetric(network)
    encoder = _find(network, "encoder")
    own = _parameters(encoder)
    return Part(
        network,
        _find(network, part),
        torch.inference_mode()(actions[part]),
        own if part == "encoder" else _parameters(network) - own,
        leave_out,
        leave_out_exact,
    )


def _planar(network: PlanarNetwork) -> dict[PartName, Callable[[], Any]]:
    size, cells, place = network.size, network.size // _STRIDE, _device(network)
    image = torch.randn(1, 3, size, size, device=place)
    embedding = torch.randn(1, _EMBEDDING, cells, cells, device=place)
    click, label = _click(size, 2, place)
    mask = torch.randn(1, 1, network.mask_size, network.mask_size, device=place)
    return {
        "encoder": lambda: network.encode(image),
        "decoder": lambda: network.decode(embedding, click, label, mask, multimask=False),
    }


def _volumetric(network: nn.Module) -> dict[PartName, Callable[[], Any]]:
    assert isinstance(network, FastSAM3D)
    size, place = network.patch_size, _device(network)
    image = torch.randn(1, 1, size, size, size, device=place)
    embedding = _drawn(outline(network.config).encode(image.to("meta")), place)
    click, label = _click(size, 3, place)
    mask = torch.randn(1, 1, *(network.mask_size,) * 3, device=place)
    return {
        "encoder": lambda: network.encode(image),
        "decoder": lambda: network.decode(embedding, click, label, mask),
    }


def _drawn(like: Any, place: torch.device) -> Any:
    """Draw a tensor, or a named tuple of them, in the shapes of another."""
    if isinstance(like, Tensor):
        return torch.randn(like.shape, device=place)
    return type(like)(*(_drawn(each, place) for each in like))


def _click(size: int, axes: int, place: torch.device) -> tuple[Tensor, Tensor]:
    """Return one click in the middle, (1, 1, axes), and its label."""
    place_in_it = torch.full((1, 1, axes), size / 2, device=place)
    return place_in_it, torch.ones(1, 1, dtype=torch.long, device=place)


def _find(network: nn.Module, part: PartName) -> nn.Module:
    parts: dict[str, nn.Module] = {
        name.rpartition(".")[2]: module for name, module in network.named_modules()
    }
    return next(parts[name] for name in _NAMES[part] if name in parts)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _parameters(part: nn.Module) -> int:
    return sum(value.numel() for value in part.parameters())
