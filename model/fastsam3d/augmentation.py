"""Examples varied and prompted: what one step of training sees."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .cube import SIZE
from .examples import Example, Intensities
from .intensity import CT_RANGE_HU, zscore_slope
from .synthetic import Random

CELL = 2
"""Voxels of a patch along a side of a cell of the truth."""

Variety = Literal["none", "flips", "all"]
"""How examples are varied: not at all, by flips, or by flips, turns and other brightness."""


class Shown(NamedTuple):
    """What is shown of an example, on the device.

    image: (128, 128, 128) float32 of about 0 to 1.
    intensities: of the same voxels; None where they are not kept or other brightness hides them.
    """

    image: Tensor
    intensities: Intensities | None = None


@dataclass(frozen=True)
class Prompted:
    """Patches and the objects to find in them.

    image: (B, 1, 128, 128, 128) float32, normalised; or 64³ of the same fields of view.
    masks: (B * objects, 64, 64, 64) bool, or 32³; those of one patch follow one another.
    """

    image: Tensor
    masks: Tensor

    @property
    def objects(self) -> int:
        """Return the number of objects of each patch."""
        return len(self.masks) // len(self.image)


def make_batch(
    examples: Sequence[Example], objects: int, randoms: Sequence[Random], size: int = SIZE
) -> Prompted:
    """Augment examples and draw objects of each, each with a generator of its own.

    Args:
        examples: B of them.
        objects: of each.
        randoms: B.
        size: voxels along a side of the patches that are made of them: 128, or 64 for the same
            fields of view at half the resolution.
    """
    pairs = zip(examples, randoms, strict=True)
    parts = (augment(coarsened(one, size), objects, random) for one, random in pairs)
    images, masks = zip(*parts, strict=True)
    return Prompted(torch.stack(images)[:, None], torch.cat(masks))


def coarsened(example: Example, size: int) -> Example:
    """Give an example's image fewer voxels, `size` along a side; its objects stay."""
    if size == example.image.shape[-1]:
        return example
    image = F.avg_pool3d(example.image[None, None].float(), example.image.shape[-1] // size)[0, 0]
    return replace(example, image=image.round().byte())


def augment(example: Example, objects: int, random: Random) -> tuple[Tensor, Tensor]:
    """Vary an example in every way and draw objects of it.

    Returns:
        (128, 128, 128) float32 normalised, and (objects, 64, 64, 64) bool; or half of each.
    """
    shown, labels = varied(example, random)
    masks = _on_cells(draw_masks(example, labels, objects, random), shown.image.shape[-1] // CELL)
    return normalised(shown.image), masks


def _on_cells(masks: Tensor, cells: int) -> Tensor:
    """Bring (n, g, g, g) masks to fewer cells: those at least half full, or else the fullest."""
    if masks.shape[-1] == cells:
        return masks
    share = F.avg_pool3d(masks.float()[:, None], masks.shape[-1] // cells)[:, 0]
    return share >= share.flatten(1).amax(1).clamp(max=0.5)[:, None, None, None]


def varied(example: Example, random: Random, how: Variety = "all") -> tuple[Shown, Tensor]:
    """Flip, turn and re-colour an example.

    Returns:
        What is shown, and (64, 64, 64) uint8 labels, on the device.
    """
    order = random.order() if how == "all" else [0, 1, 2]
    flips = [axis for axis in range(3) if how != "none" and random.chance(0.5)]

    def moved(values: Tensor) -> Tensor:
        return values.to(random.device).permute(order).flip(flips)

    image, labels, kept = moved(example.image), moved(example.objects), example.intensities
    image = image.float() / 255
    if how == "all":
        return Shown(recoloured(image, random)), labels
    return Shown(image, kept and replace(kept, values=moved(kept.values))), labels


def unvaried(example: Example, device: torch.device) -> Shown:
    """Show an example as it is."""
    return varied(example, Random.seeded(0, device=device), "none")[0]


def recoloured(image: Tensor, random: Random) -> Tensor:
    """Invert an image of 0 to 1, bend its brightness and add noise, each at times."""
    if random.chance(0.4):
        image = 1 - image
    image = image ** (2 ** random.uniform(-0.7, 0.7))
    if random.chance(0.3):
        image = image + random.uniform(0, 0.12) * random.randn(*image.shape)
    return image


def draw_masks(example: Example, labels: Tensor, objects: int, random: Random) -> Tensor:
    """Draw objects of an example: (objects, 64, 64, 64) bool, where its moved labels lie."""
    groups = [example.targets[random.integer(0, len(example.targets) - 1)] for _ in range(objects)]
    masks = [torch.isin(labels, torch.tensor(g, device=labels.device)) for g in groups]
    return torch.stack(masks)


def normalised(image: Tensor) -> Tensor:
    """Do what `intensity.normalise` does by "zscore-clipped", to an image clipped already."""
    return (image - image.mean()) / (image.std() + 1e-5)


def published_zscore(kept: Intensities, *, ct_clamp: bool) -> Tensor:
    """Do what `intensity.normalise` does by "zscore-positive", where the intensities are."""
    values = kept.values.float() * kept.unit
    if ct_clamp:
        values = values.clamp(*CT_RANGE_HU)
    above = values[values > 0]
    counted = above if len(above) else values
    mean, deviation = float(counted.mean()), float(counted.std(correction=0))
    return (values - mean) * zscore_slope(mean, deviation)
